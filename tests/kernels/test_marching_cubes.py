# SPDX-License-Identifier: Apache-2.0
"""The surface kernel against cube logic, closed forms and its promise of a closed manifold."""

import numpy as np
import pytest

from recon_node.kernels.cube_cases import CORNERS, EDGES, triangle_table
from recon_node.kernels.marching_cubes import marching_cubes, polygonise


def directed_edges(faces: np.ndarray) -> np.ndarray:
    """All sides of all faces from start to end, (3F, 2)."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def assert_closed_manifold(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Every edge in two faces in opposite directions, and one fan of faces around each vertex."""
    edges = directed_edges(faces.astype(np.int64))
    keys = edges[:, 0] * len(vertices) + edges[:, 1]
    assert len(np.unique(keys)) == len(keys)
    assert np.array_equal(np.sort(keys), np.sort(edges[:, 1] * len(vertices) + edges[:, 0]))
    assert np.array_equal(np.unique(faces), np.arange(len(vertices)))
    # The face opposite a → b in the fan of a: from the side that leaves a to the one that enters.
    following = dict(zip(map(tuple, edges), np.roll(faces, 1, axis=1).T.ravel(), strict=True))
    fan_sizes = np.bincount(faces.ravel())
    for a, b in {a: b for a, b in following}.items():
        size, neighbour = 1, following[a, b]
        while neighbour != b:
            size, neighbour = size + 1, following[a, neighbour]
        assert size == fan_sizes[a]


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def lattice_points(side: int) -> np.ndarray:
    """Samples (side, side, side, 3) of [-1, 1]³."""
    axis = np.linspace(-1.0, 1.0, side)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def sample_sphere(side: int, radius: float) -> np.ndarray:
    return (np.linalg.norm(lattice_points(side), axis=-1) - radius).astype(np.float32)


def test_every_case_cuts_all_crossed_edges_and_no_other():
    starts, edges = triangle_table()
    for case in range(256):
        used = set(edges[starts[case] : starts[case + 1]].ravel().tolist())
        crossed = {e for e, (c, a) in enumerate(EDGES) if (case >> c ^ case >> (c | 1 << a)) & 1}
        assert used == crossed


def sides_of_case(case: int) -> set[tuple[int, int]]:
    """All sides of a case's triangles, from cube edge to cube edge; each occurs once."""
    starts, edges = triangle_table()
    rows = directed_edges(edges[starts[case] : starts[case + 1]])
    sides = [tuple(side) for side in rows.tolist()]
    assert len(set(sides)) == len(sides)
    return set(sides)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cubes_draw_the_same_segments_on_a_common_face_in_opposite_directions(axis):
    """With the next test, a proof that no lattice gives an open or overfull edge."""

    def segments(case: int, high: int) -> set[tuple]:
        middles = [np.array(CORNERS[c]) + 0.5 * (np.arange(3) == a) for c, a in EDGES]
        on_face = [e for e, m in enumerate(middles) if m[axis] == high]
        across = {e: tuple(np.delete(middles[e], axis)) for e in on_face}
        return {(across[a], across[b]) for a, b in sides_of_case(case) if {a, b} <= {*on_face}}

    for pattern in range(16):
        seen = set()
        for case in range(256):
            for high in (0, 1):
                corners = [c for c in range(8) if CORNERS[c][axis] == high]
                if sum((case >> c & 1) << i for i, c in enumerate(corners)) == pattern:
                    drawn = segments(case, high)
                    seen.add(frozenset((b, a) for a, b in drawn) if high else frozenset(drawn))
        assert len(seen) == 1


def test_other_sides_of_triangles_cancel_within_the_cube():
    middles = np.array([np.array(CORNERS[c]) + 0.5 * (np.arange(3) == a) for c, a in EDGES])
    for case in range(256):
        sides = sides_of_case(case)
        for a, b in sides:
            same_face = ((middles[a] == middles[b]) & (middles[a] != 0.5)).any()
            assert ((b, a) in sides) != same_face


def test_every_case_alone_in_a_lattice_is_closed_and_outward():
    for case in range(1, 256):
        values = np.ones((4, 4, 4), np.float32)
        for c, corner in enumerate(CORNERS):
            if case >> c & 1:
                values[tuple(np.array(corner) + 1)] = -1.0
        vertices, faces = marching_cubes(values)
        assert_closed_manifold(vertices, faces)
        assert signed_volume(vertices, faces) > 0.1


def test_no_change_of_sign_gives_an_empty_mesh():
    vertices, faces = marching_cubes(np.ones((4, 4, 4), np.float32))
    assert vertices.shape == (0, 3) and faces.shape == (0, 3)


def test_inside_corners_on_a_face_diagonal_stay_apart():
    values = np.ones((4, 4, 3), np.float32)
    values[1, 1, 1] = values[2, 2, 1] = -1.0
    vertices, faces = marching_cubes(values)
    assert_closed_manifold(vertices, faces)
    euler = len(vertices) - len(directed_edges(faces)) // 2 + len(faces)
    assert euler == 4  # two spheres


@pytest.mark.parametrize("seed", range(10))
def test_random_fields_give_closed_manifolds(seed):
    values = np.random.default_rng(seed).normal(size=(9, 8, 7)).astype(np.float32)
    vertices, faces = marching_cubes(values)
    assert len(faces) > 500
    assert_closed_manifold(vertices, faces)


@pytest.mark.parametrize("fill", [-1.0, 0.0])
def test_samples_of_zero_and_a_full_lattice_stay_closed(fill):
    values = np.full((5, 5, 5), fill, np.float32)
    values[2, 2, 2] = -1.0
    vertices, faces = marching_cubes(values)
    assert_closed_manifold(vertices, faces)
    assert len(np.unique(vertices, axis=0)) == len(vertices)


def test_vertices_are_the_zeros_of_the_linear_interpolation():
    x = np.arange(6, dtype=np.float32)
    values = np.broadcast_to((x - 2.3)[:, None, None], (6, 6, 6))
    vertices, _ = marching_cubes(values)
    plane = vertices[(vertices > 1.01).all(axis=1) & (vertices[:, 1:] < 3.99).all(axis=1)]
    assert len(plane) == 4
    np.testing.assert_allclose(plane[:, 0], 2.3, atol=1e-6)


@pytest.mark.parametrize("side", [33, 65])
def test_sphere_has_the_area_and_volume_of_the_closed_form(side):
    radius, spacing = 0.7, 2.0 / (side - 1)
    vertices, faces = marching_cubes(
        sample_sphere(side, radius), origin=(-1.0, -1.0, -1.0), spacing=spacing
    )
    # Chords lie inside a sphere by up to h²/8r, in two directions.
    tolerance = (spacing / radius) ** 2
    assert_closed_manifold(vertices, faces)
    assert signed_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * radius**3, rel=tolerance)
    assert area(vertices, faces) == pytest.approx(4 * np.pi * radius**2, rel=tolerance)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    assert (np.einsum("ij,ij->i", normals, a + b + c) > 0).mean() > 0.999


@pytest.mark.parametrize("side", [33, 65])
def test_the_area_of_a_sphere_grows_as_its_closed_form(side):
    """Compare the extracted area's central difference by the radius with 8 pi r."""
    radius, change, spacing = 0.7, 0.01, 2.0 / (side - 1)
    lattice = {"origin": (-1.0, -1.0, -1.0), "spacing": spacing}
    smaller, larger = (
        area(*marching_cubes(sample_sphere(side, radius + sign * change), **lattice))
        for sign in (-1, 1)
    )
    slope = (larger - smaller) / (2 * change)
    # What chords take from the area, about 3 h², is the same at all radii.
    assert slope == pytest.approx(8 * np.pi * radius, rel=5e-4)


def test_a_subset_of_cells_gives_the_same_mesh():
    values = sample_sphere(33, 0.6)
    index = np.arange(values.size, dtype=np.int32).reshape(values.shape)
    near = index[:-1, :-1, :-1][np.abs(values[:-1, :-1, :-1]) < 0.15]
    assert len(near) < 0.5 * values.size
    whole, part = marching_cubes(values), marching_cubes(values, cells=near)
    np.testing.assert_array_equal(whole[0], part[0])
    np.testing.assert_array_equal(whole[1], part[1])


def test_missing_cells_are_refused():
    values = sample_sphere(17, 0.6)
    cells = np.arange(8 * 17 * 17, dtype=np.int32)
    with pytest.raises(ValueError, match="lack a cell that the surface crosses"):
        marching_cubes(values, cells=cells)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="three axes"):
        marching_cubes(np.ones(shape, np.float32))


def test_an_open_surface_ends_at_the_border_and_is_the_closed_one_within():
    values = np.pad(sample_sphere(12, 1.3), ((0, 0), (0, 3), (0, 0)), mode="edge")
    vertices, faces = marching_cubes(values, closed=False)
    edges = directed_edges(faces.astype(np.int64))
    keys = edges[:, 0] * len(vertices) + edges[:, 1]
    unpaired = edges[~np.isin(keys, edges[:, 1] * len(vertices) + edges[:, 0])]
    last = np.array(values.shape) - 1
    on_border = ((vertices == 0) | (vertices == last)).any(axis=1)
    assert len(unpaired) > 50 and on_border[unpaired].all()
    assert np.array_equal(np.unique(faces), np.arange(len(vertices)))
    # Beyond the border the surface goes on, and closes there.
    grown = np.pad(values, 1, mode="edge")
    whole, _ = marching_cubes(grown, origin=(-1.0, -1.0, -1.0))
    within = whole[((whole >= 0) & (whole <= last)).all(axis=1)]
    np.testing.assert_allclose(
        vertices[np.lexsort(vertices.T)], within[np.lexsort(within.T)], atol=1e-6
    )


def test_cells_whose_samples_lie_in_any_order_give_the_same_surface():
    values = sample_sphere(9, 0.7)
    rng = np.random.default_rng(1)
    place = rng.permutation(values.size).astype(np.int32)
    scattered = np.empty(values.size, np.float32)
    scattered[place] = values.ravel()
    indices = np.argwhere(np.ones((8, 8, 8))).astype(np.int32)
    ends = indices[:, None] + np.array(CORNERS, np.int32)
    corners = place[np.ravel_multi_index(np.moveaxis(ends, -1, 0), values.shape)]
    lattice = {"origin": (0.0, 0.0, 0.0), "spacing": 1.0}
    vertices, faces = polygonise(scattered, corners, indices, shape=values.shape, **lattice)
    expected = marching_cubes(values, **lattice)
    np.testing.assert_array_equal(vertices, expected[0])
    np.testing.assert_array_equal(faces, expected[1])
