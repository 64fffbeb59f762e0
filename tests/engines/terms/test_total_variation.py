# SPDX-License-Identifier: Apache-2.0
"""The variation of occupancy: a plane's by hand, Crofton's formula, gradients."""

import math

import pytest
import torch

from recon_node.engines.terms.term import values_of
from recon_node.engines.terms.total_variation import TotalVariation


def _value(term, step):
    return values_of([term], step)[0]


def test_twice_the_volume_times_the_mean_is_the_area(ball, make_step):
    """Throw needles into a shell around a ball that is sharp: area 4πr²."""
    field = ball(radius=0.5)
    term = TotalVariation(points=200_000, distance=0.05, width=1e-4)
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(200_000, 3, generator=generator, dtype=torch.float64)
    low, high = 0.4, 0.6
    radii = torch.rand(200_000, generator=generator, dtype=torch.float64)
    radii = (low**3 + radii * (high**3 - low**3)) ** (1 / 3)
    points = torch.nn.functional.normalize(points, dim=1) * radii[:, None]
    # The term looks at rendered samples that are near: here at all of the shell's points that are.
    near = (radii - 0.5).abs() < 0.05 + 2 * 1e-4
    said = field.sample(points, points, radii)
    step = make_step(field, rendered={"points": points, "field_samples": said})
    volume = 4 / 3 * math.pi * (high**3 - low**3) * near.double().mean().item()
    area = 2 * volume * _value(term, step).item()
    assert area == pytest.approx(4 * math.pi * 0.5**2, rel=0.02)  # 200,000 needles


def test_a_fog_does_not_vary(fog, make_step):
    field = fog()
    value = _value(TotalVariation(), make_step(field))
    (slope,) = torch.autograd.grad(value, field.sigma)
    assert value.item() == slope.item() == 0


def test_a_density_varies_by_what_it_stops(fog, make_step):
    """Jump from 0 to σ in the middle of a needle: 1 - exp(-σ |ε|), over |ε|."""
    field = fog()
    field.density = lambda points: 3.0 * (points[:, 0] > 0).double()
    weights = torch.full((4000,), 0.02, dtype=torch.float64)  # surface, all of it
    step = make_step(field, x=(0.0,), counts=[4000], rendered={"weights": weights})
    value = _value(TotalVariation(points=4000, distance=0.1), step).item()
    # All needles begin at x = 0, outside; half of the 4000 end inside.
    assert value == pytest.approx(0.5 * (1 - math.exp(-0.3)) / 0.1, rel=0.05)


def test_gradients_are_exact(ball, make_step):
    def value(radius):
        field = ball()
        step = make_step(field, x=(0.0, 0.2), counts=[100, 100])
        del field.radius
        field.radius = radius
        return _value(TotalVariation(points=20), step)

    radius = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, radius)
    assert value(radius) > 0
