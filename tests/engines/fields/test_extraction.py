# SPDX-License-Identifier: Apache-2.0
"""Meshes of fields whose surfaces are spheres."""

import numpy as np
import pytest
import torch

from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.fields.extraction import density_mesh, sdf_mesh
from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.surface_density import LaplaceDensity, laplace_density
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=2, features=2, table_size=1 << 9, base=4, finest=8)


class _Shell(torch.nn.Module):
    """A density around a sphere; its colour is the direction it is seen along."""

    def __init__(self, radius, beta):
        super().__init__()
        self.radius, self.beta = torch.nn.Parameter(torch.tensor(radius)), torch.tensor(beta)

    def density(self, points):
        return laplace_density(points.norm(dim=1) - self.radius, self.beta)

    def colour(self, points, directions):
        return 0.5 + 0.5 * directions


def test_a_sphere_comes_back_as_a_closed_mesh(generator):
    field = HashSdfField(HashSdfConfig(grid=GRID, radius=0.6), LaplaceDensity(), generator)
    with torch.no_grad():
        field.rgb[2].weight.zero_()
        field.rgb[2].bias.copy_(torch.logit(torch.tensor([0.2, 0.4, 1.0]), eps=1e-4))
    mesh = sdf_mesh(field, resolution=32)
    assert mesh.is_watertight and mesh.volume > 0
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 0.6, atol=2e-3)
    assert (mesh.colors == [51, 102, 255]).all()


def test_a_density_comes_back_where_it_passes_the_level():
    beta, iso = 0.05, 5.0
    mesh = density_mesh(_Shell(0.5, beta), iso=iso, resolution=64)
    assert mesh.is_watertight and mesh.volume > 0
    radius = 0.5 - beta * np.log(2 * beta * iso)  # where exp(-d / beta) / (2 beta) = iso
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), radius, atol=2e-3)
    seen_along = mesh.colors / 127.5 - 1
    cosines = (seen_along * mesh.vertices).sum(1) / np.linalg.norm(mesh.vertices, axis=1)
    assert cosines.max() < -0.95


def test_nothing_is_no_mesh():
    with pytest.raises(EmptySurfaceError, match="passes 50 nowhere"):
        density_mesh(_Shell(0.5, 0.05), iso=50.0, resolution=32)
