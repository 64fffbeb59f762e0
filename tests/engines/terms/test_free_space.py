# SPDX-License-Identifier: Apache-2.0
"""Matter where keyframes saw through: values by hand, gradients, silence."""

import dataclasses
import math

import pytest
import torch

from recon_node.engines.terms.free_space import FreeSpace


def test_matter_beside_the_mask_is_integrated_along_the_ray(ball, make_step):
    """Pass through the middle of a ball, r = 1/2: ∫ (r - |t|) dt = r²."""
    step = make_step(ball(), x=(0.0,), masks=0.0, counts=[2000])
    assert FreeSpace(margin=0.0)(step).item() == pytest.approx(0.25, rel=1e-4)
    # A margin makes the ball larger.
    assert FreeSpace(margin=0.1)(step).item() == pytest.approx(0.36, rel=1e-4)


def test_matter_in_front_of_a_depth_is_integrated_up_to_it(ball, make_step):
    """Measure the ball's middle: 3 sigma in front of it ends the free space, at t = 1.97."""
    step = make_step(ball(), x=(0.0,), depths=2.0, counts=[2000])
    expected = 0.47**2 / 2
    assert FreeSpace(margin=0.0)(step).item() == pytest.approx(expected, rel=2e-3)


def test_a_true_depth_finds_its_space_free(ball, make_step):
    step = make_step(ball(), x=(0.0,), depths=1.5, counts=[2000])
    assert FreeSpace()(step).item() == 0


def test_a_fog_stops_light(fog, make_step):
    """Beside the mask 1 - exp(-σ d) of it over 2 units; with a depth up to 3 sigma before it."""
    outside = make_step(fog(sigma=0.7), x=(0.0,), masks=0.0)
    assert FreeSpace()(outside).item() == pytest.approx(1 - math.exp(-1.4), rel=1e-6)
    seen = make_step(fog(sigma=0.7), x=(0.0,), depths=2.03, counts=[2000])
    assert FreeSpace(margin=0.0)(seen).item() == pytest.approx(1 - math.exp(-0.7), rel=2e-3)


def test_what_is_not_known_to_be_free_is_left_alone(ball, make_step):
    field = ball()
    step = make_step(
        field,
        x=(0.0, 0.0, 0.0, 0.0),
        masks=(1.0, torch.nan, torch.nan, 0.5),
        depths=(torch.nan, torch.nan, 2.5, 2.5),
    )
    value = FreeSpace()(step)
    (gradient,) = torch.autograd.grad(value, field.radius)
    assert value.item() == gradient.item() == 0


def test_keyframes_count_by_their_weight(ball, make_step):
    one = FreeSpace()(make_step(ball(), x=(0.0,), masks=0.0)).item()
    two = FreeSpace()(make_step(ball(), x=(0.0, 0.0), masks=0.0, weights=(0.5, 0.0))).item()
    assert two == pytest.approx(0.5 * one / 2)


def test_gradients_are_exact(ball, make_step):
    step = make_step(ball(), x=(0.0, 0.1), counts=[5, 6], depths=(torch.nan, 2.2), masks=(0, 1))

    def value(sdf):
        said = dataclasses.replace(step.rendered.field_samples, sdf=sdf)
        rendered = dataclasses.replace(step.rendered, field_samples=said)
        return FreeSpace()(dataclasses.replace(step, rendered=rendered))

    sdf = torch.linspace(-0.3, 0.3, 11, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, sdf)
    assert value(sdf) > 0
