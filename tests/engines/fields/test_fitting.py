# SPDX-License-Identifier: Apache-2.0
"""Fits to a ball, whose distances, normals and colours are known in closed form."""

import numpy as np
import pytest
import torch

from recon_node.engines.fields.fitting import fit_density, fit_sdf
from recon_node.engines.fields.hash_density import HashDensityConfig, HashDensityField
from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.surface_density import LaplaceDensity, laplace_density
from recon_node.engines.isosurface import extract_isosurface
from recon_node.engines.mesh import Mesh
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=4, features=4, table_size=1 << 13, base=8, finest=64)
CENTRE, RADIUS = np.array([0.1, -0.2, 0.15], np.float32), 0.6


def _distances(points):
    return np.linalg.norm(points - CENTRE, axis=1).astype(np.float32) - RADIUS


@pytest.fixture(scope="module")
def ball():
    """A ball beside the origin, blue below and red above."""
    surface = extract_isosurface(_distances, resolution=64)
    rgbs = np.clip(surface.vertices @ np.diag([0, 0, 1]) + 0.5, 0, 1)[:, [2, 0, 0]]
    rgbs[:, 2] = 1 - rgbs[:, 0]
    return Mesh(surface.vertices, surface.faces, (255 * rgbs).round().astype(np.uint8))


def _fitted(ball, **options):
    generator = torch.Generator().manual_seed(7)
    field = HashSdfField(HashSdfConfig(grid=GRID), LaplaceDensity(), generator)
    start = {name: value.clone() for name, value in field.state_dict().items()}
    return field, fit_sdf(field, ball, generator=generator, **options), start


@pytest.fixture(scope="module")
def fitted(ball):
    return _fitted(ball, steps=150, levels=3)


def test_the_field_is_near_the_ball_and_its_report_says_how_near(fitted, rng):
    field, report, _ = fitted
    directions = rng.normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    on_ball = torch.from_numpy((CENTRE + RADIUS * directions).astype(np.float32))
    anywhere = rng.uniform(-1, 1, (2000, 3)).astype(np.float32)
    with torch.no_grad():
        surface_error = field.sdf(on_ball).abs().median().item()
        far = field.sdf(torch.from_numpy(anywhere)).numpy() - _distances(anywhere)
        normals, rgbs = field.normals(on_ball).numpy(), field.colour(on_ball, on_ball).numpy()
    # The mesh itself is flat between its vertices.
    assert surface_error < 2e-3
    assert report.surface_error == pytest.approx(surface_error, abs=3e-4)
    box_error = np.median(np.abs(far))
    assert box_error < 0.01 and report.box_error == pytest.approx(box_error, rel=0.2)
    normal_error = np.median(np.arccos(np.clip((normals * directions).sum(1), -1, 1)))
    assert normal_error < np.radians(5)  # a grid's slopes jump from cell to cell
    assert report.normal_error == pytest.approx(normal_error, abs=np.radians(1))
    red = np.clip(on_ball[:, 2].numpy() + 0.5, 0, 1)
    colour_error = np.abs(rgbs - np.stack([red, 0.5 + 0 * red, 1 - red], axis=1)).mean()
    assert colour_error < 0.03
    assert report.colour_error == pytest.approx(colour_error, rel=0.3)
    assert report.seconds > 0


def test_a_hollow_object_stays_hollow():
    """The field starts as a sphere with matter where the hollow is."""
    shell = extract_isosurface(
        lambda p: np.abs(np.linalg.norm(p, axis=1) - 0.6).astype(np.float32) - 0.1, resolution=64
    )
    field, report, _ = _fitted(Mesh(shell.vertices, shell.faces), steps=150, levels=3)
    points = torch.zeros(50, 3)
    points[:, 0] = torch.linspace(-0.4, 0.4, 50)
    assert field.sdf(points).min() > 0.02
    assert report.surface_error < 5e-3


def test_finer_levels_and_the_density_are_left_alone(fitted):
    field, _, start = fitted
    first = sum(GRID.rows[:3])
    change = (field.layer.table - start["layer.table"]).abs()
    assert field.levels == 4
    assert change[first:].max() == 0 and change[:first].max() > 0.01
    assert torch.equal(field.conversion.log_beta, start["conversion.log_beta"])


def test_the_same_seed_gives_the_same_bits(ball):
    states = [_fitted(ball, steps=3, levels=2)[0].state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_mesh_without_colours_fits_too(ball):
    bare = Mesh(ball.vertices, ball.faces)
    _, report, _ = _fitted(bare, steps=3, levels=2)
    assert report.colour_error is None and report.surface_error < 0.3


def test_a_density_becomes_that_of_the_surface(ball, rng):
    generator = torch.Generator().manual_seed(7)
    field = HashDensityField(HashDensityConfig(grid=GRID), generator)
    report = fit_density(field, ball, generator=generator, steps=150, levels=3, beta=0.03)
    assert report.surface_error < 2e-3 and report.normal_error < np.radians(5)
    assert report.colour_error < 0.03
    directions = rng.normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for offset, tolerance in {-0.1: 0.3, -0.02: 0.15, 0.02: 0.15, 0.1: 0.15}.items():
        points = CENTRE + (RADIUS + offset) * directions
        with torch.no_grad():
            found = field.density(torch.from_numpy(points.astype(np.float32)))
        expected = laplace_density(torch.tensor(offset), torch.tensor(0.03))
        assert found.median().item() == pytest.approx(expected.item(), rel=tolerance), offset
