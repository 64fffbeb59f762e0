# SPDX-License-Identifier: Apache-2.0
"""Colours: values by hand, and who has no say."""

import dataclasses

import pytest
import torch

from recon_node.engines.terms.photometric import Photometric

SCALE = 0.05


def _loss(difference):
    return (difference**2 / SCALE**2 + 1) ** 0.5 - 1


def test_the_value_is_charbonnier_of_the_colours_difference(ball, make_step):
    """Rays 0 and 1 see the ball's colour through opacity 1; ray 2 passes it."""
    step = make_step(ball(rgb=(0.2, 0.4, 0.6)), rgbs=(0.3, 0.4, 0.2))
    assert step.rendered.opacities.tolist() == pytest.approx([1, 1, 0], abs=1e-4)
    expected = 2 / 3 * (_loss(0.1) + _loss(0.0) + _loss(0.4))
    assert Photometric()(step).item() == pytest.approx(expected, rel=1e-4)


def test_exposures_multiply_what_is_rendered(ball, make_step):
    gains = torch.tensor([[1.5, 1.0, 0.5]], dtype=torch.float64).expand(3, 3)
    step = make_step(ball(rgb=(0.2, 0.4, 0.6)), rgbs=(0.3, 0.4, 0.3), exposures=gains)
    assert Photometric()(step).item() == pytest.approx(0, abs=1e-4)  # ray 2 meets 1e-5 of it


def test_weights_scale_and_pixels_of_two_things_or_none_are_silent(ball, make_step):
    """Leave out pixels that show the background as well: their colour is a mixture."""
    one = Photometric()(make_step(ball(), x=(0.0,)))
    weighted = make_step(
        ball(), x=(0.0, 0.0, 0.0, 0.0), weights=(0.5, 1, 1, 1), masks=(1, 0.25, torch.nan, 0)
    )
    assert one > 1
    assert Photometric()(weighted).item() == pytest.approx(one.item() * 0.5 / 4)


def test_backgrounds_do_not_matter(ball, make_step):
    """Change the rendered background, and the picture's where the mask is off."""
    field = ball()
    step = make_step(field, masks=(1.0, 1.0, 0.0), rgbs=0.5)
    repainted = dataclasses.replace(step.rendered, rgbs=torch.rand_like(step.rendered.rgbs))
    rgbs = step.measured.rgbs.clone()
    rgbs[2] = 0.9
    other = dataclasses.replace(
        step, rendered=repainted, measured=dataclasses.replace(step.measured, rgbs=rgbs)
    )
    assert Photometric()(step).item() == Photometric()(other).item()


def test_mist_of_the_right_colour_is_right(fog, make_step):
    """Compare colours, not colours times opacity: whether something is there, the mask says."""
    field = fog(sigma=0.2)
    step = make_step(field, rgbs=0.5)
    assert step.rendered.opacities.max() < 0.4
    value = Photometric()(step)
    assert value.item() == pytest.approx(0, abs=1e-12)


def test_gradients_are_exact(ball, make_step):
    """Vary weights and colours of samples, and exposures, at fixed opacities."""
    step = make_step(ball(), counts=[3, 0, 2])

    def value(weights, rgbs, gains):
        said = dataclasses.replace(step.rendered.field_samples, rgbs=rgbs)
        rendered = dataclasses.replace(
            step.rendered,
            weights=weights,
            field_samples=said,
            opacities=torch.tensor([0.9, 0.0, 0.5], dtype=torch.float64),
        )
        return Photometric()(
            dataclasses.replace(step, rendered=rendered, exposures=gains.expand(3, 3))
        )

    generator = torch.Generator().manual_seed(3)
    leaves = [
        torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((5,), (5, 3), (1, 3))
    ]
    assert torch.autograd.gradcheck(value, leaves)
