# SPDX-License-Identifier: Apache-2.0
"""Scores of refined meshes: closed forms on boxes, nothing aligned, and the seen told apart."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.evaluation.geometry import OccupancySamples, sample_surface
from recon_node.evaluation.keyframe_sets import KeyframeScene
from recon_node.evaluation.mesh_rendering import psnr, render_on_white
from recon_node.evaluation.refinement_scores import (
    RefinementTruth,
    SurfaceDistances,
    score_refinement,
    seen_points,
)
from recon_node.kernels.ray_cast import RayCaster

SIDES = np.array([0.10, 0.08, 0.06])  # [m]


@dataclass(frozen=True, eq=False)
class White:
    """Light from everywhere that leaves colours as they are."""

    sun_direction: np.ndarray = field(default_factory=lambda: np.array([0, 0, 1], np.float32))
    sun: np.ndarray = field(default_factory=lambda: np.zeros(3, np.float32))

    def irradiance_at(self, normals: np.ndarray) -> np.ndarray:
        return np.ones((len(normals), 3), np.float32)


def _box(sides: np.ndarray) -> Mesh:
    box = trimesh.creation.box(extents=sides)
    colors = np.full((8, 3), (180, 90, 60), np.uint8)
    return Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32), colors)


@pytest.fixture(scope="module")
def scene() -> KeyframeScene:
    return KeyframeScene("crate", _box(SIDES), White())


@pytest.fixture(scope="module")
def truth(scene) -> RefinementTruth:
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.6, 0.6, (8000, 3)) * SIDES
    return RefinementTruth(
        T_world_object=scene.T_world_object,
        longest=0.10,
        mesh=scene.mesh,
        surface=sample_surface(_box(SIDES), 10_000, rng=rng),
        occupancy=OccupancySamples(points, np.all(np.abs(points) < SIDES / 2, axis=1)),
        cameras=[shot.camera for shot in scene.shots(2)],
        held_out=scene.held_out()[:2],
    )


def test_the_truth_scores_full_marks(scene, truth):
    scores = score_refinement(scene.mesh, truth)
    assert scores.chamfer_mm < 1e-3  # f32 at 0.5 m from the origin
    assert scores.fscore_2pct == scores.completeness_2pct == scores.seen_fscore_1pct == 1
    assert scores.iou > 0.99 and scores.scale_error < 0.02
    assert scores.watertight and scores.face_count == 12


def test_a_shift_is_not_aligned_away(scene, truth):
    """1 cm along the longest axis of the box, of which two of six sides move off themselves."""
    shift = 0.01 * scene.T_world_object[:3, 0]
    moved = Mesh(scene.mesh.vertices + shift.astype(np.float32), scene.mesh.faces)
    scores = score_refinement(moved, truth)
    assert scores.iou == pytest.approx(0.09 / 0.11, abs=0.03)
    # The ends are off by 10 mm; elsewhere only the strip of 1 cm beyond the other box's end is.
    ends = 2 * SIDES[1] * SIDES[2]
    sides = 2 * SIDES[0] * (SIDES[1] + SIDES[2])
    shares = np.array([ends / 2, ends / 2, sides * 0.1]) / (ends + sides)
    near_end = 0.01 * shares[0] + shares[2] * 0.005
    assert scores.chamfer_mm == pytest.approx(1000 * (near_end + self_gap(shares)), rel=0.2)
    assert scores.scale_error < 0.02


def self_gap(shares: np.ndarray) -> float:
    """Mean distance [m] of the end that sank into the other box: to its nearest wall, <= 10 mm.

    The nearest wall is the end itself at 10 mm or a side nearer than that.
    """
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.5, 0.5, (100_000, 2)) * SIDES[1:]
    walls = (SIDES[1:] / 2 - np.abs(points)).min(axis=1)
    return float(shares[1] * np.minimum(walls, 0.01).mean())


def test_what_is_missing_on_the_far_side_costs_completeness_but_not_the_seen(scene, truth):
    """Keep only the triangles that the two cameras see."""
    corners = scene.mesh.vertices[scene.mesh.faces].astype(np.float64)
    caster = RayCaster(scene.mesh.vertices, scene.mesh.faces)
    seen = seen_points(corners.mean(axis=1), caster, truth.cameras)
    assert 4 <= seen.sum() < 12
    half = Mesh(scene.mesh.vertices, np.ascontiguousarray(scene.mesh.faces[seen]))
    scores = score_refinement(half, truth)
    assert scores.seen_fscore_1pct == 1
    assert scores.completeness_2pct < 0.8
    assert scores.accuracy_rel < 1e-4 and scores.missing_rel > 0.02


def test_own_colours_give_the_held_out_pictures(scene, truth):
    """Under even light the picture is the albedo times the exposure, 0.75."""
    shot = truth.held_out[0]
    inside = shot.coverage == 1
    colour = np.round(shot.image[inside].mean(axis=0)).astype(np.uint8)
    painted = Mesh(scene.mesh.vertices, scene.mesh.faces, np.tile(colour, (8, 1)))
    assert score_refinement(painted, truth).psnr > 38
    assert score_refinement(scene.mesh, truth).psnr < 30


def test_a_method_may_draw_its_own_pictures(scene, truth):
    truths = {id(shot.camera): shot.on_white() for shot in truth.held_out}
    scores = score_refinement(scene.mesh, truth, render=lambda camera: truths[id(camera)])
    assert scores.psnr == pytest.approx(100)


def test_rendered_coverage_is_that_of_the_shot(scene):
    shot = scene.held_out()[0]
    caster = RayCaster(scene.mesh.vertices, scene.mesh.faces)
    black = Mesh(scene.mesh.vertices, scene.mesh.faces, np.zeros((8, 3), np.uint8))
    picture = render_on_white(black, caster, shot.camera)
    np.testing.assert_allclose(1 - picture[..., 0], shot.coverage, atol=1e-6)


def test_psnr_counts_its_box_alone():
    truth = np.zeros((8, 8, 3))
    picture = truth.copy()
    picture[:4] = 0.1
    assert psnr(picture, truth, (slice(0, 4), slice(0, 8))) == pytest.approx(20)
    assert psnr(picture, truth, (slice(4, 8), slice(0, 8))) == pytest.approx(100)


def test_no_sample_on_a_side_is_the_worst_score():
    distances = SurfaceDistances(np.zeros(0), np.zeros(3))
    assert distances.chamfer == np.inf and distances.fscore(1.0) == 0
