# SPDX-License-Identifier: Apache-2.0
"""Rays and points against meshes whose hits, distances and insides are known in closed form."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from recon_node.kernels.ray_cast import RayCaster

HALF_SIDES = np.array([0.5, 0.3, 0.2])


def box_caster(device: str = "cpu", **options) -> RayCaster:
    box = trimesh.creation.box(extents=2 * HALF_SIDES)
    return RayCaster(box.vertices, box.faces, device=device, **options)


def box_distance(points: np.ndarray) -> np.ndarray:
    """Signed distance to the box (Quilez 2008), (N,)."""
    beyond = np.abs(points) - HALF_SIDES
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
    return outside + np.minimum(beyond.max(axis=1), 0)


def box_entry(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Ray parameter at which rays from outside enter the box, inf where they miss it, (N,)."""
    with np.errstate(divide="ignore"):
        slabs = (np.stack([-HALF_SIDES, HALF_SIDES]) - origins[:, None]) / directions[:, None]
    first, last = slabs.min(axis=1).max(axis=1), slabs.max(axis=1).min(axis=1)
    return np.where((first <= last) & (last > 0), first, np.inf)


def winding_number(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Generalised winding number by solid angles (Van Oosterom and Strackee 1983), (N,)."""
    a, b, c = (vertices[None, faces[:, k]] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    volume = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    dots = [np.einsum("nfi,nfi->nf", u, v) for u, v in ((a, b), (b, c), (c, a))]
    angles = np.arctan2(volume, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)
    return angles.sum(axis=1) / (2 * np.pi)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def corners_at(mesh: trimesh.Trimesh, hits) -> np.ndarray:
    """The points that the hits' triangles and barycentric weights name, (N, 3)."""
    return np.einsum("nk,nkc->nc", hits.barycentric, mesh.vertices[mesh.faces[hits.faces]])


def test_rays_enter_a_box_where_slabs_say(device, rng):
    origins = unit(rng.normal(size=(500, 3))) * rng.uniform(1, 4, (500, 1))
    directions = unit(rng.uniform(-0.6, 0.6, (500, 3)) - origins)
    hits = box_caster(device).cast(origins, directions)
    expected = box_entry(origins, directions)
    assert 100 < np.isfinite(expected).sum() < 400
    np.testing.assert_allclose(hits.distances, expected, rtol=1e-5)
    np.testing.assert_array_equal(hits.faces >= 0, np.isfinite(expected))
    np.testing.assert_array_equal(hits.faces[np.isinf(expected)], -1)


def test_rays_meet_a_sphere_between_its_inscribed_and_its_true_radius(device, rng):
    sphere = trimesh.creation.icosphere(subdivisions=4)
    inscribed = np.abs(np.sum(sphere.face_normals * sphere.triangles[:, 0], axis=1)).min()
    directions = -unit(rng.normal(size=(500, 3)))
    origins = -3 * directions
    hits = RayCaster(sphere.vertices, sphere.faces, device=device).cast(origins, directions)
    points = origins + hits.distances[:, None] * directions
    radii = np.linalg.norm(points, axis=1)
    assert inscribed > 0.998
    assert np.all((radii > inscribed - 1e-6) & (radii < 1 + 1e-6))
    np.testing.assert_allclose(corners_at(sphere, hits), points, atol=1e-6)
    np.testing.assert_allclose(hits.barycentric.sum(axis=1), 1, atol=1e-6)


def brute_force(
    triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First hits by asking every triangle of every ray (Möller and Trumbore 1997).

    Args:
        triangles: f64 (F, 3, 3).
        origins: f64 (N, 3).
        directions: f64 (N, 3).

    Returns:
        Ray parameters (N,), inf for none; triangles (N,); distance of the hit from the triangle's
        border in barycentric weight, or of the nearest miss, (N,).
    """
    a, e1, e2 = triangles[:, 0], *(triangles[:, k] - triangles[:, 0] for k in (1, 2))
    p = np.cross(directions[:, None], e2)
    volume = np.einsum("fi,nfi->nf", e1, p)
    s = origins[:, None] - a
    q = np.cross(s, e1)
    u = np.einsum("nfi,nfi->nf", s, p) / volume
    v = np.einsum("ni,nfi->nf", directions, q) / volume
    t = np.einsum("fi,nfi->nf", e2, q) / volume
    inner = np.minimum(np.minimum(u, v), 1 - u - v)
    t = np.where((inner >= 0) & (t >= 0), t, np.inf)
    return t.min(axis=1), t.argmin(axis=1), np.abs(inner).min(axis=1)


def test_rays_through_a_heap_of_triangles_meet_what_brute_force_finds(device, rng):
    triangles = rng.uniform(-1, 1, (300, 1, 3)) + rng.normal(0, 0.2, (300, 3, 3))
    origins, directions = rng.uniform(-1.5, 1.5, (400, 3)), rng.normal(size=(400, 3))
    faces = np.arange(900).reshape(300, 3)
    hits = RayCaster(triangles.reshape(-1, 3), faces, device=device, signed=False).cast(
        origins, directions
    )
    distances, first, margins = brute_force(triangles, origins, directions)
    sure = margins > 1e-5  # not through an edge, where rounding decides
    assert sure.sum() > 350 and 100 < np.isfinite(distances[sure]).sum() < 390
    np.testing.assert_allclose(hits.distances[sure], distances[sure], rtol=1e-4, atol=1e-5)
    met = sure & np.isfinite(distances)
    np.testing.assert_array_equal(hits.faces[met], first[met])
    points = origins + distances[:, None] * directions
    corners = np.einsum("nk,nkc->nc", hits.barycentric[met], triangles[first[met]])
    np.testing.assert_allclose(corners, points[met], atol=1e-4)


def test_the_first_of_several_surfaces_is_met_from_either_side():
    inner, outer = trimesh.creation.box(extents=(1, 1, 1)), trimesh.creation.box(extents=(3, 3, 3))
    both = trimesh.util.concatenate([inner, outer])
    caster = RayCaster(both.vertices, both.faces)
    origins = np.array([[0, 0, -5], [0, 0, -1], [0, 0, 0]])
    hits = caster.cast(origins, np.tile([0.1, 0.05, 1.0], (3, 1)))
    np.testing.assert_allclose(hits.distances, [3.5, 0.5, 0.5], atol=1e-6)
    assert (hits.faces < len(inner.faces)).tolist() == [False, True, True]


@given(st.floats(1e-3, 1e3))
def test_the_ray_parameter_counts_lengths_of_the_direction(length):
    hits = box_caster().cast(np.array([[0.1, 0.05, -2.0]]), np.array([[0.0, 0.0, length]]))
    np.testing.assert_allclose(hits.distances, 1.8 / length, rtol=1e-5)


def test_signed_distance_to_a_box_is_its_closed_form(device, rng):
    points = rng.uniform(-0.8, 0.8, (2000, 3))
    expected = box_distance(points)
    assert 100 < (expected < 0).sum() < 1900
    distances = box_caster(device).signed_distance(points)
    np.testing.assert_allclose(distances, expected, atol=1e-6)


def test_signed_distance_to_a_sphere_is_its_closed_form(device, rng):
    sphere = trimesh.creation.icosphere(subdivisions=4)
    points = unit(rng.normal(size=(1000, 3))) * rng.uniform(0, 2, (1000, 1))
    distances = RayCaster(sphere.vertices, sphere.faces, device=device).signed_distance(points)
    # The facets lie up to 2e-3 of the radius inside the sphere.
    np.testing.assert_allclose(distances, np.linalg.norm(points, axis=1) - 1, atol=2e-3)


def test_the_closest_point_is_the_box_clamped(device, rng):
    box = trimesh.creation.box(extents=2 * HALF_SIDES)
    points = rng.uniform(-2, 2, (500, 3))
    points = points[box_distance(points) > 0]
    caster = RayCaster(box.vertices, box.faces, device=device)
    for hits in (caster.closest(points), caster.signed_closest(points)):
        expected = np.clip(points, -HALF_SIDES, HALF_SIDES)
        np.testing.assert_allclose(corners_at(box, hits), expected, atol=1e-6)
        np.testing.assert_allclose(hits.distances, box_distance(points), atol=1e-6)


def test_nothing_beyond_the_reach_is_met(rng):
    points = rng.uniform(-1, 1, (500, 3))
    caster = box_caster(signed=False)
    everything, near = caster.closest(points), caster.closest(points, reach=0.5)
    within = np.abs(box_distance(points)) < 0.5
    assert 50 < within.sum() < 450
    np.testing.assert_array_equal(near.distances[within], everything.distances[within])
    np.testing.assert_array_equal(near.faces[within], everything.faces[within])
    assert np.isinf(near.distances[~within]).all()
    assert (near.faces[~within] == -1).all()


def open_box() -> tuple[np.ndarray, np.ndarray]:
    """A box without its lid."""
    box = trimesh.creation.box(extents=(1, 1, 1)).subdivide()
    return box.vertices, box.faces[box.face_normals[:, 2] < 0.5]


def open_hemisphere() -> tuple[np.ndarray, np.ndarray]:
    """The lower half of a sphere, open at the top."""
    sphere = trimesh.creation.icosphere(subdivisions=3)
    return sphere.vertices, sphere.faces[sphere.triangles_center[:, 2] < 0]


@pytest.mark.parametrize("surface", [open_box, open_hemisphere])
def test_an_open_surface_has_the_inside_of_its_winding_number(surface, device, rng):
    vertices, faces = surface()
    points = rng.uniform(-1.2, 1.2, (3000, 3))
    number = winding_number(vertices, faces, points)
    # Warp sums far triangles in groups, which moves the number by up to a few hundredths.
    sure = np.abs(number - 0.5) > 0.05
    assert sure.mean() > 0.8
    distances = RayCaster(vertices, faces, device=device).signed_distance(points)
    assert 50 < (distances < 0).sum() < 1500
    np.testing.assert_array_equal((distances < 0)[sure], (number > 0.5)[sure])


def test_the_bottom_of_an_open_box_is_inside_and_the_air_above_it_is_not():
    distances = RayCaster(*open_box()).signed_distance(np.array([[0, 0, -0.4], [0, 0, 0.7]]))
    np.testing.assert_allclose(distances, [-0.1, np.hypot(0.5, 0.2)], atol=1e-6)


def test_no_query_gives_no_answer():
    """Shadow rays of a picture without a lit pixel."""
    none, caster = np.zeros((0, 3), np.float32), box_caster()
    for hits in (caster.cast(none, none), caster.closest(none), caster.signed_closest(none)):
        assert (len(hits.distances), len(hits.faces), hits.barycentric.shape) == (0, 0, (0, 3))


def test_a_caster_without_winding_numbers_refuses_signs():
    caster = box_caster(signed=False)
    with pytest.raises(ValueError, match="signed=False; make it with signed=True"):
        caster.signed_distance(np.zeros((1, 3)))
    np.testing.assert_allclose(caster.closest(np.zeros((1, 3))).distances, 0.2, atol=1e-6)


def test_a_mesh_without_faces_is_refused():
    with pytest.raises(ValueError, match="without faces cannot be queried"):
        RayCaster(np.zeros((3, 3)), np.zeros((0, 3)))
