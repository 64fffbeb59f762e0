# SPDX-License-Identifier: Apache-2.0
"""Mesh: closed forms on boxes and spheres, and what is refused."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity

TURNED = Similarity(2.0, np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]), np.array([5.0, -1, 2]))


def mesh_of(shape, **rest):
    return Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32), **rest)


def box(extents=(1, 2, 3), centre=(0, 0, 0), inside_out=False):
    shape = trimesh.creation.box(extents)
    shape.apply_translation(centre)
    if inside_out:
        shape.invert()
    return shape


def joined(*shapes):
    return mesh_of(trimesh.util.concatenate(shapes))


def test_a_box_has_the_volume_area_and_extents_of_a_box():
    mesh = mesh_of(box((1, 2, 3), centre=(100, 0, 0)))
    assert mesh.volume == pytest.approx(6, rel=1e-5)
    assert mesh.area == pytest.approx(22, rel=1e-5)
    np.testing.assert_allclose(mesh.extents, (1, 2, 3), rtol=1e-5)
    assert mesh.is_watertight


def test_volumes_do_not_depend_on_the_place_even_of_an_open_mesh():
    shape = box()
    vertices, faces = shape.vertices.astype(np.float32), shape.faces.astype(np.int32)[1:]
    here, there = Mesh(vertices, faces), Mesh(vertices + np.float32(64), faces)
    np.testing.assert_allclose(here.face_volumes(), there.face_volumes(), atol=1e-9)


def test_extents_leave_out_vertices_without_a_face():
    shape = box((1, 1, 1))
    vertices = np.vstack([shape.vertices, [[9, 9, 9]]]).astype(np.float32)
    np.testing.assert_allclose(Mesh(vertices, shape.faces.astype(np.int32)).extents, 1)


def test_an_inside_out_box_has_a_negative_volume_and_is_still_closed():
    mesh = mesh_of(box(inside_out=True))
    assert mesh.volume == pytest.approx(-6) and mesh.is_watertight


def test_a_sphere_is_within_its_faceting_of_the_closed_form():
    mesh = mesh_of(trimesh.creation.icosphere(4, radius=0.1))
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.1**3, rel=0.005)
    assert mesh.area == pytest.approx(4 * np.pi * 0.1**2, rel=0.003)
    outward = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert (mesh.vertex_normals() * outward).sum(axis=1).min() > 0.9999


def test_vertex_normals_weigh_faces_by_area():
    # At the corner of a box each of the three sides counts by the area of its triangles there.
    mesh = mesh_of(box((1, 2, 3)))
    expected = np.zeros((8, 3))
    for face, normal in zip(mesh.faces, mesh.face_normals(), strict=True):
        a, b, c = mesh.vertices[face]
        expected[face] += normal * np.linalg.norm(np.cross(b - a, c - a))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(mesh.vertex_normals(), expected, atol=1e-6)


@pytest.mark.parametrize("keep", [slice(1, None), slice(None, -1)])
def test_a_hole_is_seen(keep):
    shape = box()
    faces = shape.faces.astype(np.int32)[keep]
    assert not Mesh(shape.vertices.astype(np.float32), faces).is_watertight


def test_a_flipped_face_a_double_face_and_a_degenerate_face_are_not_closed():
    shape = box()
    vertices, faces = shape.vertices.astype(np.float32), shape.faces.astype(np.int32)
    flipped = faces.copy()
    flipped[0] = flipped[0, ::-1]
    double = np.vstack([faces, faces])
    for broken in (flipped, double):
        assert not Mesh(vertices, broken).is_watertight
    apart = np.vstack([faces, [[8, 8, 9]]]).astype(np.int32)
    assert not Mesh(np.vstack([vertices, vertices[:2]]), apart).is_watertight


def test_transformed_moves_points_and_scales_sigma():
    shape = box()
    mesh = mesh_of(shape, sigma=np.full(8, 0.1, np.float32), colors=np.full((8, 3), 7, np.uint8))
    moved = mesh.transformed(TURNED)
    np.testing.assert_allclose(moved.vertices, TURNED.apply(mesh.vertices), atol=1e-6)
    np.testing.assert_allclose(moved.sigma, 0.2)
    assert moved.volume == pytest.approx(8 * 6, rel=1e-5)
    np.testing.assert_allclose(moved.face_normals(), mesh.face_normals() @ TURNED.R.T, atol=1e-6)
    back = moved.transformed(TURNED.inverse())
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=1e-6)


def test_transformed_takes_a_rigid_matrix():
    T = np.eye(4)
    T[:3, 3] = 1, 2, 3
    mesh = mesh_of(box())
    np.testing.assert_allclose(mesh.transformed(T).vertices, mesh.vertices + [1, 2, 3], atol=1e-6)


def test_components_are_counted_by_shared_vertices():
    mesh = joined(box(), box(centre=(9, 0, 0)), box(centre=(0, 9, 0)))
    labels = mesh.face_components()
    assert labels.tolist() == [0] * 12 + [1] * 12 + [2] * 12


def test_real_parts_stay_and_specks_and_cavities_go():
    body = box((2, 2, 2))
    lid = box((1, 1, 1), centre=(5, 0, 0))  # 12 % of the body
    speck = box((0.5, 0.5, 0.5), centre=(0, 5, 0))  # 1.6 %
    cavity = box((1.5, 1.5, 1.5), inside_out=True)  # 42 %, seen from inside
    kept = joined(speck, body, cavity, lid).keep_large_components()
    assert kept.volume == pytest.approx(9)
    assert len(kept.faces) == 24 and len(kept.vertices) == 16
    assert kept.is_watertight


def test_attributes_stay_with_their_vertices():
    shape = trimesh.util.concatenate([box((0.1, 0.1, 0.1), centre=(5, 0, 0)), box()])
    tag = np.arange(16, dtype=np.uint8)
    mesh = mesh_of(
        shape,
        colors=np.repeat(tag[:, None], 3, axis=1),
        provenance=tag % 3,
        sigma=tag.astype(np.float32),
    )
    kept = mesh.keep_large_components()
    assert kept.sigma.tolist() == list(range(8, 16))
    assert kept.colors[:, 1].tolist() == list(range(8, 16))
    assert kept.provenance.tolist() == [i % 3 for i in range(8, 16)]
    np.testing.assert_array_equal(kept.vertices, mesh.vertices[8:])


def test_nothing_is_copied_where_everything_stays():
    mesh = mesh_of(box())
    assert mesh.keep_large_components() is mesh


def test_an_inside_out_body_keeps_itself_not_its_cavity():
    mesh = joined(box((2, 2, 2), inside_out=True), box((1, 1, 1)))
    assert mesh.keep_large_components().volume == pytest.approx(-8)


TRIANGLE = {"vertices": np.eye(3, dtype=np.float32), "faces": np.array([[0, 1, 2]], np.int32)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vertices", np.eye(3), "Mesh.vertices has dtype float64"),
        ("vertices", np.full((3, 3), np.nan, np.float32), "NaN or infinite"),
        ("faces", np.array([[0, 1, 2]]), "Mesh.faces has dtype int64"),
        ("faces", np.array([[0, 1, 3]], np.int32), "indices 0 to 3, but there are 3 vertices"),
        ("faces", np.array([[0, 1, -1]], np.int32), "indices -1 to 1"),
        ("faces", np.zeros((0, 3), np.int32), "no faces"),
        ("faces", None, "Mesh.faces must be a numpy array"),
        ("colors", np.zeros((2, 3), np.uint8), r"Mesh.colors has shape \(2, 3\)"),
        ("colors", np.zeros((3, 4), np.uint8), r"Mesh.colors has shape \(3, 4\)"),
        ("provenance", np.array([0, 1, 3], np.uint8), "value 3; known: 0, 1, 2"),
        ("sigma", np.array([0, -1, 0], np.float32), "negative or NaN"),
        ("sigma", np.array([0, np.nan, 0], np.float32), "negative or NaN"),
    ],
)
def test_what_is_no_mesh_is_refused(name, value, message):
    with pytest.raises(InvalidInputError, match=message):
        Mesh(**{**TRIANGLE, name: value})


def test_a_mesh_owns_its_arrays():
    vertices = TRIANGLE["vertices"].copy()
    mesh = Mesh(vertices, TRIANGLE["faces"])
    vertices[:] = 7
    assert mesh.vertices.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0, 0] = 7
