# SPDX-License-Identifier: Apache-2.0
"""Rendered balls against integrals along their rays, and gradients against differences."""

import math

import numpy as np
import pytest
import torch

from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.renderer import Rays, render
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=3, features=2, table_size=1 << 10, base=4, finest=16)


def _rays(count, generator, *, spread=0.9, distance=3.0):
    """Parallel-ish rays at random offsets from the centre, all of which meet the box."""
    targets = spread * (2 * torch.rand(count, 3, generator=generator) - 1)
    origins = torch.tensor([0.3, -0.2, -distance]).repeat(count, 1)
    return Rays(origins, torch.nn.functional.normalize(targets - origins, dim=1))


def _no_jitter(rays):
    return torch.zeros(len(rays.origins))


def _expected(rays, radius, beta):
    """Opacity, depth and colour of each ray by quadrature in double precision."""
    t = np.linspace(1.5, 4.5, 6_001)
    length = t[1] - t[0]
    origins, directions = (v.double().numpy()[:, None] for v in (rays.origins, rays.directions))
    points = origins + t[None, :, None] * directions
    sdf = np.linalg.norm(points, axis=-1) - radius
    tail = 0.5 * np.exp(-np.abs(sdf) / beta)
    thickness = np.where(sdf > 0, tail, 1 - tail) / beta * length
    thickness[(np.abs(points) > 1).any(axis=-1)] = 0
    weights = np.exp(thickness - thickness.cumsum(axis=1)) * (1 - np.exp(-thickness))
    opacities = weights.sum(axis=1)
    rgbs = np.einsum("rk,rki->ri", weights, 0.5 + 0.5 * points)
    return opacities, (weights * t).sum(axis=1) / opacities, rgbs


def test_a_ball_looks_as_its_integrals_say(generator, make_ball):
    rays, beta = _rays(200, generator), 0.03
    ball = make_ball(0.6, LaplaceDensity(beta))
    occupancy = OccupancyGrid(32)
    found = render(ball, rays, occupancy, step=2e-3, jitter=_no_jitter(rays))
    opacities, depths, rgbs = (torch.tensor(e).float() for e in _expected(rays, 0.6, beta))
    assert 40 < (opacities > 0.9).sum() < 190
    # A ray ends at a transmittance of 1e-4; intervals have the length of beta / 15.
    torch.testing.assert_close(found.opacities, opacities, rtol=0, atol=1e-3)
    torch.testing.assert_close(found.rgbs, rgbs, rtol=0, atol=1e-3)
    solid = opacities > 0.01  # at the others the depth is that of next to nothing
    torch.testing.assert_close(found.depths[solid], depths[solid], rtol=0, atol=2e-3)


@pytest.mark.parametrize("conversion", [LaplaceDensity(2e-3), LogisticDensity(500.0)])
def test_a_sharp_ball_is_a_solid_one(generator, make_ball, conversion):
    """Depths are those of the first of the two intersections of a line and a sphere."""
    rays = _rays(400, generator)
    occupancy = OccupancyGrid(32)
    ball = make_ball(0.6, conversion)
    occupancy.update(ball)
    found = render(
        ball, rays, occupancy, step=2e-3, jitter=_no_jitter(rays), background=torch.ones(3)
    )
    nearest = -(rays.origins * rays.directions).sum(1)
    off_axis = (rays.origins + nearest[:, None] * rays.directions).norm(dim=1)
    hit, missed = off_axis < 0.58, off_axis > 0.62
    assert hit.sum() > 50 and missed.sum() > 50
    assert found.opacities[hit].min() > 0.99
    assert found.opacities[missed].max() < 1e-3
    assert found.rgbs[missed].min() > 1 - 1e-3
    depths = nearest[hit] - (0.36 - off_axis[hit] ** 2).sqrt()
    assert (found.depths[hit] - depths).abs().max() < 0.01
    assert (found.depths[hit] - depths).abs().median() < 0.003


def test_empty_cells_change_nothing_that_is_seen(generator, make_ball):
    rays, ball = _rays(200, generator), make_ball(0.6, LaplaceDensity(0.01))
    occupancy = OccupancyGrid(32)
    whole = render(ball, rays, occupancy, step=0.01, jitter=_no_jitter(rays))
    occupancy.update(ball)
    sparse = render(ball, rays, occupancy, step=0.01, jitter=_no_jitter(rays))
    assert len(sparse.points) < 0.5 * len(whole.points)
    torch.testing.assert_close(sparse.rgbs, whole.rgbs, rtol=0, atol=2e-3)
    torch.testing.assert_close(sparse.opacities, whole.opacities, rtol=0, atol=2e-3)


def test_rays_beside_the_box_show_the_background(make_ball):
    rays = Rays(torch.tensor([[0.0, 3.0, 3.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
    background = torch.tensor([0.1, 0.2, 0.3])
    ball = make_ball(0.5, LaplaceDensity())
    found = render(
        ball, rays, OccupancyGrid(4), step=0.1, jitter=_no_jitter(rays), background=background
    )
    assert torch.equal(found.rgbs[0], background)
    assert found.opacities.item() == found.depths.item() == len(found.points) == 0


def _rough_field(generator, conversion, roughness):
    field = HashSdfField(HashSdfConfig(grid=GRID), conversion, generator)
    with torch.no_grad():
        field.layer.table.uniform_(-roughness, roughness, generator=generator)
    return field


@pytest.mark.parametrize("moved", ["origins", "directions"])
@pytest.mark.parametrize("kind", ["hash grid", "ball"])
def test_gradients_of_rays_are_those_of_differences(generator, make_ball, moved, kind):
    """From inside the box, where the ray parameters of samples stay when a ray is moved."""
    if kind == "ball":  # the gradients of a hash grid, on which this density depends, jump
        field = make_ball(0.5, LogisticDensity(20.0))
    else:
        field = _rough_field(generator, LaplaceDensity(0.05), 1.0)
    directions = torch.nn.functional.normalize(torch.randn(8, 3, generator=generator), dim=1)
    aside = 0.15 * torch.randn(8, 3, generator=generator)  # not through the sphere's centre
    start = {"origins": aside - 0.7 * directions, "directions": directions}
    cotangent = torch.rand(3, generator=generator)

    def losses(values):
        rays, occupancy = Rays(**{**start, moved: values}), OccupancyGrid(4)
        seen = render(field, rays, occupancy, step=0.02, jitter=torch.zeros(8))
        return (seen.rgbs @ cotangent + seen.depths + seen.opacities).double()

    values = start[moved].clone().requires_grad_()
    slopes = torch.autograd.grad(losses(values).sum(), values)[0]
    way = torch.randn(8, 3, generator=generator)
    with torch.no_grad():
        ends = [losses(start[moved] + move * way) for move in (1e-4, -1e-4)]
    # Trilinear interpolation, and max(x, 0), have kinks that the differences step over.
    expected = (slopes * way).sum(1).double()
    torch.testing.assert_close((ends[0] - ends[1]) / 2e-4, expected, rtol=0.02, atol=0.02)
    assert expected.abs().max() > 0.3


def test_rendering_and_its_gradients_are_the_same_each_time():
    def run():
        generator = torch.Generator().manual_seed(3)
        field, occupancy = _rough_field(generator, LaplaceDensity(0.05), 6.0), OccupancyGrid(16)
        occupancy.update(field)
        rays = _rays(50, generator)
        jitter = torch.rand(50, generator=generator)
        rendered = render(field, rays, occupancy, step=0.02, jitter=jitter)
        gradients = torch.autograd.grad(rendered.rgbs.square().sum(), field.layer.table)[0]
        return rendered.rgbs, rendered.depths, gradients

    assert all(torch.equal(a, b) for a, b in zip(run(), run(), strict=True))
    assert math.isfinite(run()[2].abs().sum()) and run()[2].abs().sum() > 0


def test_next_to_nothing_has_gradients_within_reason(make_ball):
    """Rays that pass far from the ball: 1 / opacity would be above 5e4."""
    rays = Rays(torch.tensor([[0.9, 0.0, -2.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
    conversion = LaplaceDensity(0.03)
    ball = make_ball(0.5, conversion)
    found = render(ball, rays, OccupancyGrid(4), step=0.02, jitter=torch.zeros(1))
    assert 0 < found.opacities.item() < 2e-5
    sigmas = found.field_samples.sigmas
    slopes = torch.autograd.grad(found.depths.sum(), sigmas)[0]
    assert found.depths.item() < 0.4 and 0 < slopes.abs().max() < 1e3
