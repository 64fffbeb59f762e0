# SPDX-License-Identifier: Apache-2.0
"""Signed distances at measured points: values by hand, gradients, silence."""

import math

import pytest
import torch
from torch import nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.terms.surface import Surface
from recon_node.engines.terms.term import values_of

SIGMA = 0.01


def _value(term, step):
    return values_of([term], step)[0]


class _Plane(nn.Module):
    """The half space z > height, seen by rays along +z; tilted, it is farther at greater x."""

    def __init__(self, height=0.0, cosine=1.0):
        super().__init__()
        self.height = nn.Parameter(torch.tensor(height, dtype=torch.float64))
        self.normal = torch.tensor([math.sqrt(1 - cosine**2), 0.0, -cosine], dtype=torch.float64)

    def sdf(self, points):
        return points @ self.normal + self.height

    def sample(self, points, directions, lengths, *, with_gradients=False):
        sdf = self.sdf(points)
        return FieldSamples(50 * torch.sigmoid(-50 * sdf), torch.ones_like(points), sdf, None)


def test_the_true_surface_costs_nothing(make_step):
    """See it head on, and at 60 degrees, where the distance along a ray is twice the distance."""
    for cosine in (1.0, 0.5):
        step = make_step(_Plane(cosine=cosine), x=4 * (0.0,), depths=2.0)
        assert _value(Surface(), step).item() == pytest.approx(0, abs=1e-12)


def test_a_surface_too_far_behind_is_counted_in_standard_deviations(make_step):
    """Five sigma at the measured points, and at least four less a truncation around them."""
    step = make_step(_Plane(height=-5 * SIGMA), x=500 * (0.0,), depths=2.0)
    at = math.sqrt(26) - 1
    value = _value(Surface(truncation=1e-9), step).item()
    assert value == pytest.approx(2 * at, rel=1e-4)
    assert 0 < _value(Surface(truncation=0.04), step).item() - at < at


def test_a_slope_that_is_too_steep_is_seen_in_front_of_the_surface(ball, make_step):
    """Pass through the measured point with twice the slope a distance can have."""
    steep = make_step(ball(stretch=2.0), x=200 * (0.0,), depths=1.5)
    assert _value(Surface(), steep).item() > 0.3
    flat = make_step(ball(stretch=0.1), x=200 * (0.0,), depths=1.5)
    assert _value(Surface(), flat).item() > 0.01


def test_gradients_are_exact_and_pull_the_surface_to_the_points(make_step):
    def value(height):
        field = _Plane()
        del field.height
        field.height = height
        return _value(Surface(), make_step(field, x=8 * (0.0,), depths=2.0))

    height = torch.tensor(-0.03, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, height)
    assert torch.autograd.grad(value(height), height)[0] < 0


def test_weights_count_and_the_unknown_is_silent(make_step):
    field = _Plane(height=-0.05)
    one = _value(Surface(truncation=1e-9), make_step(field, x=(0.0,), depths=2.0)).item()
    mixed = make_step(
        field,
        x=5 * (0.0,),
        depths=(2.0, torch.nan, 2.0, 2.0, 2.0),
        masks=(1.0, 1.0, 0.0, torch.nan, 1.0),
        depth_sigmas=(SIGMA, SIGMA, SIGMA, SIGMA, torch.nan),
        weights=0.5,
    )
    assert _value(Surface(truncation=1e-9), mixed).item() == pytest.approx(0.5 * one / 5)


def test_a_random_choice_of_rays_stands_for_all(make_step):
    step = make_step(_Plane(height=-0.05), x=100 * (0.0,), depths=2.0)
    few, all_of_them = (
        _value(Surface(truncation=1e-9, points=count), step).item() for count in (7, 100)
    )
    assert few == pytest.approx(all_of_them, rel=1e-6)
