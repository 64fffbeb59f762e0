# SPDX-License-Identifier: Apache-2.0
"""Densities of surfaces against the integrals and the opacities that define them."""

import doctest
import math

import pytest
import torch

from recon_node.engines.fields import surface_density
from recon_node.engines.fields.surface_density import (
    LaplaceDensity,
    LogisticDensity,
    laplace_density,
    logistic_density,
)


def _plane(step, *, reach=1.0, distance=0.0):
    """Middles of intervals through a plane that is met head-on, and signed distances there."""
    middles = torch.arange(-reach + step / 2, reach, step, dtype=torch.float64)
    return middles, distance - middles


def test_examples_hold():
    assert doctest.testmod(surface_density).failed == 0


@pytest.mark.parametrize("beta", [0.02, 0.1])
def test_laplace_density_lets_through_what_its_integral_says(beta):
    """∫ sigma from far outside to depth d is 1/2 + d/beta - (1 - exp(-d/beta)) / 2."""
    step, depth = 1e-4, 0.3
    _, sdf = _plane(step)
    sigmas = laplace_density(sdf, torch.tensor(beta, dtype=torch.float64))
    found = sigmas[sdf > -depth].sum() * step
    expected = 0.5 + depth / beta - 0.5 * (1 - math.exp(-depth / beta))
    assert found.item() == pytest.approx(expected, rel=1e-3)


def test_laplace_density_has_the_gradients_of_differences():
    sdf = torch.tensor([-0.3, -0.01, 0.02, 0.4], dtype=torch.float64, requires_grad=True)
    beta = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(laplace_density, (sdf, beta))


def test_laplace_density_is_finite_far_away():
    sdf = torch.tensor([-1e4, 1e4], requires_grad=True)
    sigmas = laplace_density(sdf, torch.tensor(1e-4))
    sigmas.sum().backward()
    assert sigmas.isfinite().all() and sdf.grad.isfinite().all()


def test_logistic_density_gives_the_opacity_of_its_equation():
    """1 - exp(-sigma length) is max((Phi(a) - Phi(b)) / Phi(a), 0), Wang 2021, eq. 13."""
    a = torch.tensor([0.3, 0.01, 0.0, -0.2], dtype=torch.float64)
    b = torch.tensor([0.2, -0.01, 0.1, -0.25], dtype=torch.float64)
    lengths = torch.full_like(a, 0.2)
    sigmas = logistic_density((a + b) / 2, (b - a) / lengths, lengths, torch.tensor(20.0))
    front, back = torch.sigmoid(20 * a), torch.sigmoid(20 * b)
    expected = ((front - back) / front).clamp(min=0)
    torch.testing.assert_close(1 - torch.exp(-sigmas * lengths), expected)


@pytest.mark.parametrize("distance", [-0.3, 0.013])
def test_logistic_weights_are_largest_where_the_surface_is(distance):
    """Unbiased (Wang 2021, section 3.1); Laplace's density lies beside it, by beta log 2."""
    step = 2e-3
    middles, sdf = _plane(step, distance=distance)
    lengths = torch.full_like(sdf, step)
    peaks = []
    for conversion in (LogisticDensity(40.0), LaplaceDensity(1 / 40)):
        thickness = conversion(sdf, -torch.ones_like(sdf), lengths) * step
        weights = torch.exp(thickness - thickness.cumsum(0)) * (1 - torch.exp(-thickness))
        assert weights.sum().item() == pytest.approx(1, abs=1e-3)
        peaks.append(middles[weights.argmax()].item() - distance)
    assert peaks[0] == pytest.approx(0, abs=step)
    assert peaks[1] == pytest.approx(0, abs=1 / 40) and abs(peaks[1]) > 2 * step


def test_logistic_density_fills_what_gradients_do_not_show_yet():
    """At the start of a training a ray along the surface meets matter too."""
    at_surface = torch.zeros(1), torch.zeros(1), torch.tensor([0.1]), torch.tensor(10.0)
    assert logistic_density(*at_surface).item() == 0
    half, all_of_it = (logistic_density(*at_surface, anneal=share).item() for share in (0.5, 0.0))
    assert 0 < half < all_of_it


def test_logistic_density_is_finite_far_away():
    sdf = torch.tensor([-1e4, 1e4], requires_grad=True)
    cosines = torch.tensor([-1.0, -1.0], requires_grad=True)
    sigmas = logistic_density(sdf, cosines, torch.full((2,), 0.01), torch.tensor(1e4))
    sigmas.sum().backward()
    assert sigmas.isfinite().all() and sdf.grad.isfinite().all() and cosines.grad.isfinite().all()


@pytest.mark.parametrize("conversion", [LaplaceDensity(0.03), LogisticDensity(1 / 0.03)])
def test_what_is_out_of_reach_does_not_matter(conversion):
    """Beyond it there is less than 0.2 % to add outside, and less than that is left inside."""
    step = 1e-3
    _, sdf = _plane(step)
    lengths = torch.full_like(sdf, step)
    thickness = conversion(sdf, -torch.ones_like(sdf), lengths) * step
    assert conversion.reach == pytest.approx(0.21)
    assert thickness[sdf > conversion.reach].sum() < 2e-3
    assert torch.exp(-thickness[sdf > -conversion.reach].sum()) < 2e-3
