# SPDX-License-Identifier: Apache-2.0
"""Queries against a sphere in closed form, and against every triangle in turn."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import trimesh

from recon_node.engines.confidence import query_confidence
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh


def sphere(radius=0.1, subdivisions=3, **known) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(ball.vertices.astype(np.float32), ball.faces.astype(np.int32), **known)


def nearest_by_all(mesh: Mesh, point: np.ndarray) -> tuple[float, np.ndarray]:
    """Distance to, and barycentric weights (F, 3) on, each triangle (Ericson 2005, sec. 5.1.5).

    A plain twin: the nearest point of a triangle is its plane's foot point, or that of an edge.
    """
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    best = np.full(len(corners), np.inf)
    weights = np.zeros((len(corners), 3))

    def keep(candidates, distances, allowed):
        better = allowed & (distances < best)
        best[better], weights[better] = distances[better], candidates[better]

    a, b, c = corners.transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    doubled = np.einsum("fi,fi->f", normals, normals)
    foot = np.stack(
        [np.einsum("fi,fi->f", np.cross(v - u, point - u), normals) for u, v in ((b, c), (c, a))]
        + [np.einsum("fi,fi->f", np.cross(b - a, point - a), normals)],
        axis=1,
    )
    foot /= doubled[:, None]
    distance = np.abs(np.einsum("fi,fi->f", point - a, normals)) / np.sqrt(doubled)
    keep(foot, distance, (foot >= 0).all(axis=1))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        u, edge = corners[:, i], corners[:, j] - corners[:, i]
        along = np.einsum("fi,fi->f", point - u, edge) / np.einsum("fi,fi->f", edge, edge)
        along = np.clip(along, 0, 1)
        candidate = np.zeros((len(corners), 3))
        candidate[:, i], candidate[:, j] = 1 - along, along
        keep(candidate, np.linalg.norm(point - u - along[:, None] * edge, axis=1), True)
    return best, weights


def test_a_sphere_is_as_far_as_its_radius_says(device, rng):
    mesh = sphere(subdivisions=5)
    directions = rng.normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = rng.uniform(0.01, 0.3, (200, 1))
    known = query_confidence(mesh, directions * radii, device=device)
    # The faces of 2.7 degrees lie up to 0.03 % of the radius inside the sphere.
    np.testing.assert_allclose(known.distance, radii[:, 0] - 0.1, atol=1e-4)
    assert 40 < (known.distance < 0).sum() < 160


def test_answers_are_those_of_the_nearest_triangle(device, rng):
    """Against a plain twin that tries every triangle."""
    count = len(sphere(subdivisions=1).vertices)
    mesh = sphere(
        subdivisions=1,
        provenance=rng.integers(0, 3, count).astype(np.uint8),
        sigma=rng.uniform(0.001, 0.01, count).astype(np.float32),
    )
    points = rng.uniform(-0.2, 0.2, (100, 3))
    known = query_confidence(mesh, points, device=device)
    for i, point in enumerate(points):
        distances, weights = nearest_by_all(mesh, point)
        assert abs(known.distance[i]) == pytest.approx(distances.min(), abs=1e-6)
        # On an edge or a corner several faces are nearest, and any of them may answer.
        nearest = np.flatnonzero(distances < distances.min() + 1e-6)
        levels = mesh.provenance[mesh.faces[nearest]].min(axis=1)
        assert known.provenance[i] in levels
        sigmas = np.einsum("fk,fk->f", mesh.sigma[mesh.faces[nearest]], weights[nearest])
        assert np.abs(known.sigma[i] - sigmas).min() < 1e-5
    assert (known.provenance.dtype, known.sigma.dtype) == (np.uint8, np.float32)
    assert known.distance.dtype == np.float32
    assert set(known.provenance) == {0, 1, 2}


def test_a_face_counts_as_seen_as_its_least_seen_corner():
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    mesh = Mesh(vertices, np.int32([[0, 1, 2]]), provenance=np.uint8([2, 2, 1]))
    assert query_confidence(mesh, np.array([[0.01, 0.01, 0.5]])).provenance.tolist() == [1]


def test_nothing_is_claimed_of_a_bare_mesh():
    known = query_confidence(sphere(), np.zeros((2, 3)))
    assert known.provenance.tolist() == [0, 0]
    assert np.isinf(known.sigma).all()


@pytest.mark.parametrize(
    "points, words",
    [
        (np.zeros((3, 2)), "must be .N, 3"),
        (np.array([[0, np.nan, 0]]), "NaN or infinite coordinate"),
    ],
)
def test_what_is_no_point_is_refused(points, words):
    with pytest.raises(InvalidInputError, match=words):
        query_confidence(sphere(), points)


def test_a_mesh_is_kept_no_longer_than_by_its_users():
    """Its search tree is, while it is in use, and answers the same."""
    mesh, points = sphere(), np.array([[0.0, 0.0, 0.3], [0.0, 0.0, 0.01]])
    first, second = (query_confidence(mesh, points).distance for _ in range(2))
    np.testing.assert_array_equal(first, second)
    watched = weakref.ref(mesh)
    del mesh
    gc.collect()
    assert watched() is None


def ripples(side: int) -> Mesh:
    """An open sheet of 2 * (side - 1)**2 triangles."""
    x, y = (k.ravel() for k in np.mgrid[:side, :side].astype(np.float32) / side)
    a = np.arange(side * side, dtype=np.int32).reshape(side, side)[:-1, :-1].ravel()
    faces = [[a, a + side, a + 1], [a + 1, a + side, a + side + 1]]
    return Mesh(np.stack([x, y, 0.1 * np.sin(9 * x)], axis=1), np.concatenate(faces, axis=1).T)


def test_a_tree_that_is_built_holds_up_no_other_mesh():
    """Hundreds are answered meanwhile; some twenty at most before it holds them up, if it does."""
    small, large, points = ripples(20), ripples(300), np.zeros((1, 3))
    query_confidence(small, points)
    building = threading.Thread(target=query_confidence, args=(large, points))
    building.start()
    answered = 0
    while building.is_alive():
        query_confidence(small, points)
        answered += 1
    building.join()
    assert answered > 100


def test_threads_that_ask_a_new_mesh_at_once_get_the_same(rng):
    mesh, points = sphere(subdivisions=4), rng.uniform(-0.2, 0.2, (50, 3))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: query_confidence(mesh, points).distance, range(8)))
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])


LOAD_AND_QUERY = """
import os, pathlib
import numpy as np
from recon_node.engines.confidence import load_confidence, query_confidence
from recon_node.engines.mesh import Mesh
load_confidence()
cache = pathlib.Path(os.environ["WARP_CACHE_PATH"])
loaded = set(cache.rglob("*.o"))
mesh = Mesh(np.eye(3, dtype=np.float32), np.int32([[0, 1, 2]]))
query_confidence(mesh, np.ones((1, 3)))
print(len(loaded), "then", len(set(cache.rglob("*.o")) - loaded))
"""


@pytest.mark.slow
def test_nothing_is_left_to_compile_for_the_first_query(tmp_path):
    """With an empty cache, load what is needed, and nothing at the query."""
    environment = {**os.environ, "WARP_CACHE_PATH": str(tmp_path)}
    command = [sys.executable, "-c", LOAD_AND_QUERY]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.returncode, run.stdout) == (0, "1 then 0\n"), run.stderr
