# SPDX-License-Identifier: Apache-2.0
"""The entropy of opacities in bits."""

import pytest
import torch

from recon_node.engines.terms.opacity_entropy import OpacityEntropy


def _value(make_step, field, opacities):
    step = make_step(field, x=len(opacities) * (0.0,), rendered={"opacities": opacities})
    return OpacityEntropy()(step)


def test_half_a_chance_is_one_bit_and_certainty_none(ball, make_step):
    opacities = torch.tensor([0.5, 0.0, 1.0, 0.25], dtype=torch.float64)
    quarter = 2 - 0.75 * 1.584962500721156  # log2(3)
    assert _value(make_step, ball(), opacities).item() == pytest.approx((1 + quarter) / 4, abs=2e-3)


def test_gradients_are_exact_and_finite_to_the_end(ball, make_step):
    field = ball()
    opacities = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: _value(make_step, field, o), opacities)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(_value(make_step, field, ends), ends)
    assert gradient.isfinite().all() and gradient[0] > 0 > gradient[1]
