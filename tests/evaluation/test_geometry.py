# SPDX-License-Identifier: Apache-2.0
"""Distances and volumes against closed forms."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.geometry import (
    OccupancySamples,
    SurfaceSamples,
    sample_surface,
    surface_distances,
    volume_iou,
    wall_thickness,
)
from recon_node.evaluation.solid import Solid


def sphere(radius: float, count: int, seed: int) -> SurfaceSamples:
    normals = np.random.default_rng(seed).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return SurfaceSamples(radius * normals, normals)


def occupancy_of_box(sides: tuple[float, ...], box: tuple[float, ...], rng) -> OccupancySamples:
    points = rng.uniform(-0.5, 0.5, (20_000, 3)) * box
    return OccupancySamples(points, np.all(np.abs(points) < np.array(sides) / 2, axis=1))


def test_samples_spread_by_area(make_box, rng):
    samples = sample_surface(make_box((4.0, 1.0, 1.0)), 20_000, rng=rng)
    ends = np.mean(np.abs(samples.points[:, 0]) > 2.0 - 1e-6)
    assert ends == pytest.approx(2 / 18, abs=0.01)
    on_faces = np.abs(samples.points * samples.normals).sum(axis=1)
    np.testing.assert_allclose(on_faces, np.where(np.abs(samples.normals[:, 0]) > 0.5, 2.0, 0.5))


def test_samples_do_not_depend_on_unused_vertices(make_box):
    box = make_box((1.0, 1.0, 1.0))
    padded = Mesh(np.concatenate([box.vertices, [[9, 9, 9]]]).astype(np.float32), box.faces)
    first = sample_surface(box, 100, rng=np.random.default_rng(1))
    second = sample_surface(padded, 100, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(first.points, second.points)


def test_a_mesh_without_area_is_refused(rng):
    line = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(EmptySurfaceError, match="total area 0"):
        sample_surface(line, 10, rng=rng)


def test_chamfer_of_concentric_spheres_is_the_difference_of_radii():
    distances = surface_distances(sphere(1.0, 20_000, 1), sphere(1.1, 20_000, 2))
    assert distances.chamfer == pytest.approx(0.1, rel=0.02)
    assert distances.fscore(0.12) == 1.0
    assert distances.fscore(0.09) == 0.0
    assert distances.normal_consistency > 0.99


def test_fscore_is_the_harmonic_mean_of_precision_and_recall():
    prediction = SurfaceSamples(np.array([[0.0, 0, 0], [5, 0, 0]]), np.tile([1.0, 0, 0], (2, 1)))
    truth = SurfaceSamples(np.array([[0.0, 0, 0.1]]), np.array([[0.0, 1, 0]]))
    distances = surface_distances(prediction, truth)
    assert distances.fscore(0.2) == pytest.approx(2 * 0.5 * 1.0 / 1.5)
    assert distances.normal_consistency == 0.0


points = st.lists(
    st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 3), min_size=1, max_size=12
).map(np.array)


@given(points, points)
def test_chamfer_is_symmetric_and_zero_on_itself(a, b):
    first, second = (SurfaceSamples(p, np.tile([0.0, 0, 1], (len(p), 1))) for p in (a, b))
    there = surface_distances(first, second)
    back = surface_distances(second, first)
    assert there.chamfer == pytest.approx(back.chamfer, abs=1e-12)
    assert there.fscore(0.3) == pytest.approx(back.fscore(0.3))
    assert surface_distances(first, first).chamfer == 0.0


def test_a_placement_acts_as_if_the_points_were_moved():
    prediction, truth = sphere(0.5, 2000, 1), sphere(1.1, 2000, 2)
    S = Similarity(2.0, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([0.1, 0.2, 0.0]))
    moved = SurfaceSamples(S.apply(prediction.points), prediction.normals @ S.R.T)
    placed, direct = surface_distances(prediction, truth, S), surface_distances(moved, truth)
    assert placed.chamfer == pytest.approx(direct.chamfer, rel=1e-9)
    assert placed.normal_consistency == pytest.approx(direct.normal_consistency, rel=1e-9)


def test_iou_of_half_overlapping_boxes_is_a_third(make_box, rng):
    truth = occupancy_of_box((1.0, 1.0, 1.0), (3.0, 1.2, 1.2), rng)
    prediction = Solid(make_box((1.0, 1.0, 1.0)))
    S = Similarity(1.0, np.eye(3), np.array([0.5, 0.0, 0.0]))
    assert volume_iou(prediction, truth, S, rng=rng) == pytest.approx(1 / 3, abs=0.02)
    assert volume_iou(prediction, truth, Similarity.identity(), rng=rng) > 0.999


def test_iou_counts_what_the_prediction_fills_outside_the_sampled_box(make_box, rng):
    truth = occupancy_of_box((1.0, 1.0, 1.0), (1.1, 1.1, 1.1), rng)
    tower = Solid(make_box((1.0, 1.0, 4.0)))
    assert volume_iou(tower, truth, Similarity.identity(), rng=rng) == pytest.approx(0.25, abs=0.02)
    half = Solid(make_box((0.5, 0.5, 2.0)))
    doubled = Similarity(2.0, np.eye(3), np.zeros(3))
    assert volume_iou(half, truth, doubled, rng=rng) == pytest.approx(0.25, abs=0.02)


def test_iou_does_not_depend_on_the_order_of_faces(make_box):
    truth = occupancy_of_box((1.0, 1.0, 1.0), (1.5, 1.5, 1.5), np.random.default_rng(0))
    box = make_box((1.0, 0.7, 1.2))
    shuffled = Mesh(box.vertices, np.roll(box.faces[::-1], 1, axis=1))
    first, second = (
        volume_iou(Solid(mesh), truth, Similarity.identity(), rng=np.random.default_rng(3))
        for mesh in (box, shuffled)
    )
    assert first == second


def test_a_prediction_elsewhere_has_no_iou(make_box, rng):
    truth = occupancy_of_box((1.0, 1.0, 1.0), (1.1, 1.1, 1.1), rng)
    away = Similarity(1.0, np.eye(3), np.array([10.0, 0.0, 0.0]))
    assert volume_iou(Solid(make_box((1.0, 1.0, 1.0))), truth, away, rng=rng) == 0.0


def test_wall_thickness_of_a_plate(make_box, rng):
    truth = occupancy_of_box((1.0, 1.0, 0.08), (1.1, 1.1, 0.18), rng)
    surface = sample_surface(make_box((1.0, 1.0, 0.08)), 20_000, rng=rng)
    assert wall_thickness(truth, surface) == pytest.approx(0.08, rel=0.15)


def test_occupancy_of_other_length_is_refused():
    with pytest.raises(InvalidInputError, match="as many flags"):
        OccupancySamples(np.zeros((3, 3)), np.zeros(2, bool))


def test_without_scipy_the_extra_to_install_is_named(tmp_path):
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from recon_node.engines.errors import MissingPackageError\n"
        "try:\n"
        "    import recon_node.evaluation.protocol\n"
        "except MissingPackageError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "pip install '.[evaluation]'" in run.stdout
