# SPDX-License-Identifier: Apache-2.0
"""Normals of neighbours: a ball's curvature by hand, gradients."""

import pytest
import torch
from torch import nn

from recon_node.engines.terms.normal_smoothness import NormalSmoothness
from recon_node.engines.terms.term import values_of


def _value(term, step):
    return values_of([term], step)[0]


def test_a_ball_bends_by_its_radius(ball, make_step):
    """Move p by ε: n turns by |ε| sin(ε, n) / r, whose square has the mean 2/3 |ε|² / r²."""
    field = ball(radius=0.5)
    step = make_step(field, x=20 * (0.1,), counts=20 * [1000])
    term = NormalSmoothness(points=2000, distance=0.01, scale=1.0)
    expected = 2 / 3 * (0.01 / 0.5) ** 2 / 2
    assert _value(term, step).item() == pytest.approx(expected, rel=0.05)  # 800 pairs


class _Wave(nn.Module):
    """Gradients of length 3 across y that turn by `rate` for each unit of x."""

    def __init__(self, rate, like):
        super().__init__()
        self.rate, self.like = rate, like

    def sdf_gradients(self, points):
        angle = self.rate * points[:, 0]
        zero = torch.zeros_like(angle)
        return zero, 3 * torch.stack([angle.sin(), zero, -angle.cos()], dim=1)

    def sample(self, points, directions, lengths, *, with_gradients=False):
        return self.like.sample(points, directions, lengths)


def test_flat_is_free_and_gradients_are_exact(ball, make_step):
    def value(rate):
        return _value(NormalSmoothness(points=9), make_step(_Wave(rate, ball())))

    rate = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, rate)
    assert value(torch.tensor(0.0, dtype=torch.float64)).item() == 0
    assert value(rate) > 0
