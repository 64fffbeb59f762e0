# SPDX-License-Identifier: Apache-2.0
"""Opacity against coverage: values by hand, gradients, silence."""

import math

import pytest
import torch

from recon_node.engines.terms.mask import Mask

THREE = (0.0, 0.1, 0.2)


def _step(make_step, field, opacities, **measured):
    opacities = torch.as_tensor(opacities, dtype=torch.float64)
    return make_step(field, x=THREE, rendered={"opacities": opacities}, **measured)


def test_agreement_costs_nothing(ball, make_step):
    step = _step(make_step, ball(), (1.0, 0.3, 0.0), masks=(1.0, 0.3, 0.0))
    assert Mask()(step).item() == pytest.approx(0, abs=1e-12)


def test_the_value_is_the_divergence(ball, make_step):
    """Half opaque where the mask is on: ln 2, but for the thousandth; weighted by the keyframe."""
    step = _step(make_step, ball(), (0.5, 1.0, 0.0), masks=(1.0, 1.0, 0.0), weights=(0.5, 1, 1))
    expected = 0.999 * math.log(0.999 / 0.5) + 0.001 * math.log(0.001 / 0.5)
    assert Mask()(step).item() == pytest.approx(0.5 * expected / 3)
    assert expected == pytest.approx(math.log(2), rel=0.02)


def test_wrong_to_the_end_still_has_a_gradient(ball, make_step):
    opacities = torch.tensor([1.0, 0.0, 0.5], dtype=torch.float64, requires_grad=True)
    step = _step(make_step, ball(), opacities, masks=(0.0, 1.0, torch.nan))
    gradient = torch.autograd.grad(Mask()(step), opacities)[0].tolist()
    assert gradient[0] > 100 and gradient[1] < -100 and gradient[2] == 0


def test_gradients_are_exact(ball, make_step):
    field = ball()
    opacities = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda o: Mask()(_step(make_step, field, o, masks=(1.0, 0.4, 0.0))), opacities
    )
