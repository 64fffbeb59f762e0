# SPDX-License-Identifier: Apache-2.0
"""Gradients of length 1: values by hand, gradients."""

import pytest
import torch

from recon_node.engines.terms.eikonal import Eikonal
from recon_node.engines.terms.term import values_of


def _value(term, step):
    return values_of([term], step)[0]


@pytest.mark.parametrize("stretch", [0.0, 0.5, 1.0, 1.7])
def test_a_stretched_distance_costs_the_square_of_its_excess(ball, make_step, stretch):
    step = make_step(ball(stretch=stretch))
    assert _value(Eikonal(), step).item() == pytest.approx((stretch - 1) ** 2, abs=1e-12)


def test_the_slope_is_that_of_the_square(ball, make_step):
    field = ball(stretch=1.25)
    (slope,) = torch.autograd.grad(_value(Eikonal(), make_step(field)), field.stretch)
    assert slope.item() == pytest.approx(2 * 0.25)


def test_no_gradient_at_all_is_no_nan(ball, make_step):
    field = ball(stretch=0.0)
    (slope,) = torch.autograd.grad(_value(Eikonal(), make_step(field)), field.stretch)
    assert slope.isfinite()


def test_points_lie_near_the_surface_and_in_the_box(ball, make_step):
    field = ball()
    step = make_step(field, x=(0.0, 0.2), counts=[2000, 2000])
    asked = []
    told = field.sdf_gradients
    field.sdf_gradients = lambda points: asked.append(points) or told(points)
    _value(Eikonal(near=50, anywhere=30, spread=0.01), step)
    (points,) = asked
    assert points.shape == (50 + 30, 3) and points.abs().max() <= 1
    assert field.sdf(points[:50]).abs().max() < 0.02 + 5 * 0.01
    assert field.sdf(points[50:]).abs().max() > 0.2
