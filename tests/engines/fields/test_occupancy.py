# SPDX-License-Identifier: Apache-2.0
"""Occupied cells against all points of a ball's surface."""

import pytest
import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.surface_density import LaplaceDensity


@pytest.mark.parametrize("resolution", [8, 32, 64])
def test_every_cell_that_the_surface_crosses_is_occupied(generator, make_ball, resolution):
    grid = OccupancyGrid(resolution)
    assert grid.share == 1
    grid.update(make_ball(0.7, LaplaceDensity(1e-3)))
    directions = torch.nn.functional.normalize(torch.randn(5000, 3, generator=generator), dim=1)
    crossed = ((0.7 * directions + 1) * (resolution / 2)).long()
    assert grid.occupied[tuple(crossed.T)].all()
    assert grid.share < {8: 0.9, 32: 0.35, 64: 0.18}[resolution]


def test_it_follows_a_field_that_grows(make_ball):
    grid = OccupancyGrid(32)
    for radius in (0.3, 0.8):
        grid.update(make_ball(radius, LaplaceDensity(1e-3)))
        place = int((radius + 1) * 16)
        assert grid.occupied[place, 16, 16] and not grid.occupied[16, 16, 16]


def test_it_is_stored_and_restored(make_ball):
    grid, other = OccupancyGrid(16), OccupancyGrid(16)
    grid.update(make_ball(0.5, LaplaceDensity()))
    other.load_state_dict(grid.state_dict())
    assert torch.equal(grid.occupied, other.occupied) and not grid.occupied.all()


def test_a_resolution_that_cannot_be_halved_is_refused():
    with pytest.raises(InvalidInputError, match="cannot have 33 cells a side; choose 16, 32"):
        OccupancyGrid(33)
