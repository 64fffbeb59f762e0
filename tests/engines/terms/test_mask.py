# SPDX-License-Identifier: Apache-2.0
"""Rays against masks: values by hand, gradients, silence, and outlines where surfaces end."""

import math

import pytest
import torch

from recon_node.engines.terms.mask import Mask

THREE = (0.0, 0.1, 0.2)


def _step(make_step, fog, opacities, **measured):
    """Rays of the given opacities through a field without a surface."""
    opacities = torch.as_tensor(opacities, dtype=torch.float64)
    return make_step(fog(), x=THREE, rendered={"opacities": opacities}, **measured)


def test_agreement_costs_nothing(fog, make_step):
    step = _step(make_step, fog, (1.0, 0.3, 0.0), masks=(1.0, 0.3, 0.0))
    assert Mask()(step).item() == pytest.approx(0, abs=1e-12)


def test_the_value_is_the_divergence(fog, make_step):
    """Half opaque where the mask is on: ln 2, but for the thousandth; weighted by the keyframe."""
    step = _step(make_step, fog, (0.5, 1.0, 0.0), masks=(1.0, 1.0, 0.0), weights=(0.5, 1, 1))
    expected = 0.999 * math.log(0.999 / 0.5) + 0.001 * math.log(0.001 / 0.5)
    assert Mask()(step).item() == pytest.approx(0.5 * expected / 3)
    assert expected == pytest.approx(math.log(2), rel=0.02)


def test_wrong_to_the_end_still_has_a_gradient(fog, make_step):
    opacities = torch.tensor([1.0, 0.0, 0.5], dtype=torch.float64, requires_grad=True)
    step = _step(make_step, fog, opacities, masks=(0.0, 1.0, torch.nan))
    gradient = torch.autograd.grad(Mask()(step), opacities)[0].tolist()
    assert gradient[0] > 100 and gradient[1] < -100 and gradient[2] == 0


def test_gradients_are_exact(fog, make_step):
    opacities = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda o: Mask()(_step(make_step, fog, o, masks=(1.0, 0.4, 0.0))), opacities
    )


def test_a_ray_that_touches_a_ball_is_half_met(ball, make_step):
    """At d from the outline it is met by 1 / (1 + exp(d / width)): the sdf of the nearest point."""
    width = 0.02
    x = (0.5, 0.5 - width, 0.5 + width)
    met = [0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))]
    step = make_step(ball(), x=x, counts=[41] * 3, masks=met)  # a sample in the middle of the ray
    assert Mask(width=width)(step).item() == pytest.approx(0, abs=1e-9)
    assert step.rendered.opacities[0] > 0.7  # what volume rendering takes for the outline


@pytest.mark.parametrize(("radius", "sign"), [(0.48, -1), (0.52, 1)])
def test_a_ball_grows_or_shrinks_to_its_outline(ball, make_step, radius, sign):
    field = ball(radius)
    x = tuple(0.4 + 0.005 * place for place in range(41))
    masks = [1.0 if place <= 0.5 else 0.0 for place in x]
    gradient = torch.autograd.grad(Mask()(make_step(field, x=x, masks=masks)), field.radius)[0]
    assert sign * gradient > 0.1


def test_the_gradient_by_the_surface_is_exact(ball, make_step):
    radius = torch.tensor(0.49, dtype=torch.float64, requires_grad=True)

    def value(radius):
        field = ball()
        del field.radius
        field.radius = radius
        return Mask()(make_step(field, x=(0.48, 0.5, 0.505), masks=(1.0, 0.4, 0.0)))

    assert torch.autograd.gradcheck(value, radius)


def test_a_ray_without_samples_meets_nothing(ball, make_step):
    step = make_step(ball(), x=(0.0, 0.8), counts=[0, 0], masks=(0.0, 0.0))
    assert Mask()(step).item() == pytest.approx(0, abs=1e-4)
