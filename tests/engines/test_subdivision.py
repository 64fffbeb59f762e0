# SPDX-License-Identifier: Apache-2.0
"""Splitting: edges become short, the surface stays where it is, closed meshes stay closed."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.camera import Camera, View
from recon_node.engines.hull import HullEngine
from recon_node.engines.mesh import Mesh
from recon_node.engines.subdivision import split_long_edges


def edge_lengths(vertices, faces):
    """(F, 3)."""
    corners = vertices[faces]
    return np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)


@given(
    sides=st.tuples(*[st.floats(0.01, 3.0)] * 3),
    length=st.floats(0.05, 4.0),
    turn=st.integers(0, 1000),
)
def test_splits_boxes(sides, length, turn):
    """Keep volume, area, orientation and closedness of a box, at any length of edge."""
    box = trimesh.creation.box(
        sides,
        transform=trimesh.transformations.random_rotation_matrix(
            np.random.default_rng(turn).random(3)
        ),
    )
    vertices, faces = split_long_edges(box.vertices, box.faces, length)
    assert edge_lengths(vertices, faces).max() <= length
    assert np.array_equal(vertices[: len(box.vertices)], box.vertices)
    mesh = Mesh(vertices.astype(np.float32), faces)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(box.volume, rel=1e-4)
    assert mesh.area == pytest.approx(box.area, rel=1e-4)


def test_leaves_short_edges_alone():
    """Return the mesh as it is where nothing is too long."""
    ball = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = split_long_edges(ball.vertices, ball.faces, 10.0)
    assert np.array_equal(vertices, ball.vertices) and np.array_equal(faces, ball.faces)


@pytest.mark.parametrize("shift", range(-14, 15))
def test_hulls_of_discs_survive(shift):
    """Reconstruct discs beside the middle: with some of them manifold3d's refinement crashed."""
    rows, columns = np.mgrid[:72, :96] + 0.5
    mask = (columns - 48 - shift) ** 2 + (rows - 36) ** 2 < 256
    depth = np.where(mask, 0.5, 0.8).astype(np.float32)
    camera = Camera(np.array([[90.0, 0, 48], [0, 90, 36], [0, 0, 1]]), 96, 72)
    view = View(np.full((72, 96, 3), 200, np.uint8), mask, camera, depth)
    mesh = HullEngine().reconstruct([view]).mesh
    assert mesh.is_watertight and mesh.volume > 0
