# SPDX-License-Identifier: Apache-2.0
"""Barron's loss against its named special cases."""

import pytest
import torch

from recon_node.engines.terms.robust import robust

RESIDUALS = torch.tensor([-30.0, -0.5, 0.0, 0.1, 2.0], dtype=torch.float64)


def test_alpha_one_is_charbonnier():
    expected = (RESIDUALS.square() / 0.3**2 + 1).sqrt() - 1
    torch.testing.assert_close(robust(RESIDUALS.square(), alpha=1.0, scale=0.3), expected)


def test_alpha_minus_two_is_geman_and_mcclure():
    scaled = RESIDUALS.square() / 0.3**2
    expected = 2 * scaled / (scaled + 4)
    torch.testing.assert_close(robust(RESIDUALS.square(), alpha=-2.0, scale=0.3), expected)


@pytest.mark.parametrize("alpha", [1.0, -2.0])
def test_small_residuals_are_squared_and_all_have_gradients(alpha):
    small = torch.tensor([1e-4], dtype=torch.float64)
    assert robust(small.square(), alpha=alpha, scale=0.5).item() == pytest.approx(2e-8, rel=1e-5)
    residuals = RESIDUALS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: robust(x.square(), alpha=alpha, scale=0.3), residuals)
