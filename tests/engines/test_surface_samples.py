# SPDX-License-Identifier: Apache-2.0
"""Points on a mesh: uniform by area, on their faces, with what the corners know."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.mesh import Mesh
from recon_node.engines.surface_samples import SurfacePoints, sample_surface


def triangle(**known) -> Mesh:
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    return Mesh(vertices, np.int32([[0, 1, 2]]), **known)


def test_a_sphere_is_covered_evenly(rng):
    """Mean and second moments of a uniform sphere are 0 and r^2 / 3 (closed form)."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=2.0)
    mesh = Mesh(sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32))
    samples = sample_surface(mesh, 20_000, rng=rng)
    radii = np.linalg.norm(samples.positions, axis=1)
    np.testing.assert_allclose(radii, 2, atol=5e-3)  # faces lie a little inside
    # Four standard deviations of the mean of 20 000 points.
    np.testing.assert_allclose(samples.positions.mean(axis=0), 0, atol=4 * 2 / np.sqrt(3 * 20_000))
    np.testing.assert_allclose(np.cov(samples.positions.T), np.eye(3) * 4 / 3, atol=0.05)
    cosines = np.sum(samples.normals * samples.positions, axis=1) / radii
    assert cosines.min() > 0.99


def test_faces_are_drawn_by_area(rng):
    vertices = np.float32([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 5], [1, 0, 5], [0, 1, 5]])
    mesh = Mesh(vertices, np.int32([[0, 1, 2], [3, 4, 5], [0, 0, 1]]))
    counts = np.bincount(sample_surface(mesh, 40_000, rng=rng).faces, minlength=3)
    assert counts[0] / counts.sum() == pytest.approx(0.75, abs=0.01)  # 4 standard deviations
    assert counts[2] == 0  # without area


def test_attributes_are_those_of_the_corners():
    mesh = triangle(
        colors=np.uint8([[0, 0, 0], [100, 0, 0], [0, 200, 0]]),
        provenance=np.uint8([2, 1, 2]),
        sigma=np.float32([0, 1, 2]),
    )
    weights = np.array([[0.5, 0.5, 0], [0.25, 0.25, 0.5], [0, 0, 1]])
    points = SurfacePoints(mesh, np.zeros(3, np.int32), weights)
    np.testing.assert_allclose(points.positions, [[0.5, 0, 0], [0.25, 0.5, 0], [0, 1, 0]])
    np.testing.assert_array_equal(points.normals, [[0, 0, 1]] * 3)
    np.testing.assert_array_equal(points.colors, [[50, 0, 0], [25, 100, 0], [0, 200, 0]])
    np.testing.assert_array_equal(points.provenance, [1, 1, 1])
    np.testing.assert_allclose(points.sigma, [0.5, 1.25, 2])
    assert (points.provenance.dtype, points.sigma.dtype) == (np.uint8, np.float32)


def test_nothing_is_claimed_of_a_bare_mesh(rng):
    points = sample_surface(triangle(), 4, rng=rng)
    assert points.colors is None
    np.testing.assert_array_equal(points.provenance, 0)
    np.testing.assert_array_equal(points.sigma, np.inf)


def test_the_same_state_draws_the_same_points():
    draws = [sample_surface(triangle(), 9, rng=np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(draws[0].positions, draws[1].positions)


def test_a_surface_without_area_is_refused(rng):
    flat = Mesh(np.zeros((3, 3), np.float32), np.int32([[0, 1, 2]]))
    with pytest.raises(EmptySurfaceError, match="no surface to sample .1 faces, total area 0"):
        sample_surface(flat, 10, rng=rng)
