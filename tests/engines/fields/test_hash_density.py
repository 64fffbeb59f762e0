# SPDX-License-Identifier: Apache-2.0
"""The density's field against autograd through its own definition, and a ball of it in a box."""

import math

import pytest
import torch

from recon_node.engines.fields.hash_density import HashDensityConfig, HashDensityField
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.renderer import Rays, render
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=4, features=2, table_size=1 << 10, base=4, finest=32)


@pytest.fixture
def field(generator):
    field = HashDensityField(HashDensityConfig(grid=GRID), generator)
    with torch.no_grad():
        field.layer.table.uniform_(-0.5, 0.5, generator=generator)
    return field


def _unit(generator, count=200):
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)


def test_normals_point_to_where_the_density_falls(field, generator):
    points = (2 * torch.rand(200, 3, generator=generator) - 1).requires_grad_()
    rises = torch.autograd.grad(field.density(points).sum(), points)[0]
    expected = -torch.nn.functional.normalize(rises, dim=1)
    torch.testing.assert_close(field.normals(points), expected, rtol=1e-4, atol=1e-4)


def test_samples_say_what_the_other_methods_say(field, generator):
    points, directions = 2 * torch.rand(200, 3, generator=generator) - 1, _unit(generator)
    said = field.sample(points, directions, torch.ones(200))
    torch.testing.assert_close(said.sigmas, field.density(points))
    torch.testing.assert_close(said.rgbs, field.colour(points, directions))
    assert said.sdf is None and said.gradients is None
    assert (said.rgbs - field.colour(points, _unit(generator))).abs().max() > 0.01


def test_a_density_beyond_reason_has_a_bounded_gradient(field):
    with torch.no_grad():
        field.geometry.bias[0] = 40
    density = field.density(torch.zeros(1, 3))
    density.sum().backward()
    assert density.item() > 1e16
    assert field.geometry.bias.grad[0].item() == pytest.approx(math.exp(15), rel=1e-5)


@pytest.mark.parametrize("density", [0.3, 3.0])
def test_a_slab_lets_through_what_the_law_of_beer_and_lambert_says(generator, density):
    """The whole box filled evenly, crossed along an axis: a transmittance of exp(-2 density)."""
    field = HashDensityField(HashDensityConfig(grid=GRID), generator)
    with torch.no_grad():
        field.geometry.weight[0] = 0
        field.geometry.bias[0] = math.log(density)
    rays = Rays(torch.tensor([[0.2, 0.1, -2.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
    occupancy = OccupancyGrid(4)
    found = render(field, rays, occupancy, step=0.01, jitter=torch.full((1,), 0.3))
    passed = math.exp(-2 * density)
    assert found.opacities.item() == pytest.approx(1 - passed, abs=1e-4)
    depth = 1 + (1 / density - (2 + 1 / density) * passed) / (1 - passed)
    assert found.depths.item() == pytest.approx(depth, abs=1e-3)


def test_a_speck_is_not_overlooked(generator):
    """A cell is looked into where one of eight places in it is dense."""
    field = HashDensityField(HashDensityConfig(grid=GRID), generator)
    centre = torch.tensor([0.25, 0.25, 0.25])
    field.density = lambda points: 50.0 * ((points - centre).abs() < 0.02).all(dim=1)
    at_speck, away = centre + 0.1, centre + 0.4
    assert field.may_hold_matter(torch.stack([at_speck, away]), 0.2).tolist() == [True, False]
