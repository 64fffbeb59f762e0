# SPDX-License-Identifier: Apache-2.0
"""Rendered meshes: where they lie in the picture, and what colour they have."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.transforms import look_at

RADIUS, DISTANCE, Q, SIZE = 0.05, 0.4, 0.2, 160


def sphere(*, color=(150, 90, 60), provenance=None):
    """A fine sphere at the origin."""
    ball = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    vertices = np.asarray(ball.vertices, np.float32)
    colors = np.broadcast_to(np.array(color, np.uint8), vertices.shape).copy()
    faces = np.asarray(ball.faces, np.int32)
    return Mesh(vertices, faces, colors, None if provenance is None else provenance(vertices))


@pytest.fixture
def viewpoint():
    """From +x, z up."""
    return Viewpoint(look_at((DISTANCE, 0, 0), (0, 0, 0), (0, 0, 1)), Q)


def test_silhouette_of_a_sphere(viewpoint):
    """Cover the area of the tangent cone: pi (r / sqrt(d^2 - r^2) / q * S/2)^2 pixels."""
    picture = MeshPicture(sphere()).draw(viewpoint, SIZE)
    radius = RADIUS / np.sqrt(DISTANCE**2 - RADIUS**2) / Q * SIZE / 2
    assert picture[..., 3].sum() / 255 == pytest.approx(np.pi * radius**2, rel=2e-3)
    assert ((picture[..., 3] > 0) & (picture[..., 3] < 255)).sum() > radius  # antialiased


def test_projection_agrees_with_the_picture(viewpoint):
    """Draw a small sphere off the axis where its centre projects."""
    mesh = sphere()
    offset = np.array([0.0, 0.03, 0.02], np.float32)
    small = Mesh(0.2 * mesh.vertices + offset, mesh.faces, mesh.colors)
    alpha = MeshPicture(small).draw(viewpoint, SIZE)[..., 3].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    found = np.array([(alpha * columns).sum(), (alpha * rows).sum()]) / alpha.sum()
    expected = 0.5 * SIZE * (viewpoint.project(offset[None].astype(float))[0] + 1)
    np.testing.assert_allclose(found, expected, atol=0.25)
    assert expected[0] > SIZE / 2 and expected[1] < SIZE / 2  # +y right, +z up


def test_colour_is_that_of_the_vertices(viewpoint):
    """Change the brightness of a vertex colour by light, not its hue."""
    picture = MeshPicture(sphere(color=(160, 80, 40))).draw(viewpoint, SIZE)
    middle = slice(SIZE // 2 - 9, SIZE // 2 + 9)
    linear = (picture[middle, middle, :3] / 255) ** 2.2
    ratios = linear.mean((0, 1)) / (np.array([160, 80, 40]) / 255) ** 2.2
    assert ratios.max() / ratios.min() < 1.06
    assert 0.5 < ratios.mean() < 1.3


def test_light_comes_from_above(viewpoint):
    """Make the upper half of a ball brighter than the lower."""
    picture = MeshPicture(sphere()).draw(viewpoint, SIZE).astype(float)
    lit = picture[..., :3].sum(-1) * (picture[..., 3] == 255)
    assert lit[: SIZE // 2].sum() > 1.15 * lit[SIZE // 2 :].sum()


def test_seam_marks_the_border_of_what_was_seen(viewpoint):
    """Draw a line where provenance changes, and none where it does not."""

    def right_half(vertices):
        return (vertices[:, 1] > 0).astype(np.uint8)

    plain = MeshPicture(sphere()).draw(viewpoint, SIZE).astype(int)
    halves = MeshPicture(sphere(provenance=right_half)).draw(viewpoint, SIZE).astype(int)
    changed = np.abs(plain - halves).sum(-1) > 30
    rows, columns = np.nonzero(changed)
    assert len(rows) > 60
    assert np.abs(columns - SIZE / 2).max() < 4

    def everywhere(vertices):
        return np.ones(len(vertices), np.uint8)

    seen = MeshPicture(sphere(provenance=everywhere)).draw(viewpoint, SIZE)
    assert np.array_equal(seen, plain)


def test_specks_of_provenance_draw_no_seam(viewpoint, rng):
    """Let single stray flags vanish."""

    def stray(vertices):
        return (rng.random(len(vertices)) > 0.02).astype(np.uint8)

    plain = MeshPicture(sphere()).draw(viewpoint, SIZE)
    assert np.array_equal(MeshPicture(sphere(provenance=stray)).draw(viewpoint, SIZE), plain)


def test_edges_of_a_box_stay_sharp(viewpoint):
    """Shade each face of a box evenly: its corners share no normals."""
    box = trimesh.creation.box((0.06, 0.06, 0.06))
    mesh = Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32))
    picture = MeshPicture(mesh).draw(viewpoint, SIZE)
    middle = picture[SIZE // 2 - 20 : SIZE // 2 + 20, SIZE // 2 - 20 : SIZE // 2 + 20, :3]
    assert np.ptp(middle.astype(int), axis=(0, 1)).max() <= 6


def test_mesh_outside_the_picture(viewpoint):
    """Return an empty picture where the mesh is not in sight."""
    mesh = sphere()
    aside = Mesh(mesh.vertices + np.array([0, 5, 0], np.float32), mesh.faces)
    assert not MeshPicture(aside).draw(viewpoint, SIZE).any()
