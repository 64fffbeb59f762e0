# SPDX-License-Identifier: Apache-2.0
"""Staying with the start: values by hand, gradients, giving in to evidence."""

import pytest
import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.terms.prior import Prior
from recon_node.engines.terms.term import values_of


def _value(term, step):
    return values_of([term], step)[0]


def _prior(count=1000, radius=0.5, weight=1.0, **options):
    generator = torch.Generator().manual_seed(4)
    points = 2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1
    weights = torch.full((count,), weight, dtype=torch.float64)
    sdf = torch.linalg.vector_norm(points, dim=1) - radius
    return Prior(points, sdf, weights, **options)


def test_the_value_is_geman_and_mcclure_of_the_displacement(ball, make_step):
    step = make_step(ball(radius=0.6))
    assert _value(_prior(), make_step(ball(radius=0.5))).item() == pytest.approx(0, abs=1e-12)
    # Moved by two scales everywhere: 2 · 4 / (4 + 4).
    assert _value(_prior(), step).item() == pytest.approx(1.0)
    assert _value(_prior(weight=0.25), step).item() == pytest.approx(0.25)


def test_evidence_wins(ball, make_step):
    """Pull hardest at about the scale, and hardly at ten of them."""
    pulls = []
    for moved in (0.01, 0.05, 0.5):
        field = ball(radius=0.5 + moved)
        value = _value(_prior(), make_step(field))
        pulls.append(torch.autograd.grad(value, field.radius)[0].item())
    assert pulls[1] > 3 * pulls[0] > 0
    assert 0 < pulls[2] < 0.03 * pulls[1]


def test_gradients_are_exact(ball, make_step):
    def value(radius):
        field = ball()
        step = make_step(field)
        del field.radius
        field.radius = radius
        return _value(_prior(count=20), step)

    radius = torch.tensor(0.53, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, radius)


def test_no_points_say_nothing(ball, make_step):
    assert _value(_prior(count=0), make_step(ball())).item() == 0


def test_a_start_that_does_not_fit_is_refused():
    points, sdf = torch.zeros(4, 3), torch.zeros(4)
    with pytest.raises(InvalidInputError, match=r"weights has shape \(3,\); 4 points need \(4,\)"):
        Prior(points, sdf, torch.ones(3))
    with pytest.raises(InvalidInputError, match="sdf of the prior has a NaN"):
        Prior(points, torch.full((4,), torch.nan), torch.ones(4))
