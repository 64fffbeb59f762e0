# SPDX-License-Identifier: Apache-2.0
"""How good a mesh of several keyframes is: where it stands in the world, nothing aligned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.geometry import (
    OccupancySamples,
    SurfaceSamples,
    sample_surface,
    volume_iou,
)
from recon_node.evaluation.mesh_rendering import psnr, render_on_white
from recon_node.evaluation.pictured_object import Shot
from recon_node.evaluation.solid import Solid
from recon_node.kernels.ray_cast import RayCaster

SURFACE_COUNT = 10_000
_NEAR = 2e-3  # of the distance to the camera: a point this close behind the first hit is seen


@dataclass(frozen=True, eq=False)
class RefinementTruth:
    """What is known of an object and of the places it was seen from.

    Attributes:
        T_world_object: (4, 4) [m].
        longest: Longest side [m].
        mesh: The true mesh in the world [m].
        surface: Samples of it, object frame.
        occupancy: Samples of its volume, object frame.
        cameras: The keyframes' with their true poses.
        held_out: Pictures from between them.
    """

    T_world_object: np.ndarray
    longest: float
    mesh: Mesh
    surface: SurfaceSamples
    occupancy: OccupancySamples
    cameras: Sequence[Camera]
    held_out: Sequence[Shot]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances from samples of each surface to the triangles of the other.

    To triangles, because to samples they have a floor: 10,000 samples of a box lie 0.7 % of its
    side apart, and what is good here is nearer.

    Attributes:
        to_truth: From predicted samples, f32 (N,) [m].
        to_prediction: From true samples, f32 (M,) [m].
    """

    to_truth: np.ndarray
    to_prediction: np.ndarray

    @property
    def chamfer(self) -> float:
        """Mean of the two means [m]; infinite where a side has no sample."""
        if len(self.to_truth) == 0 or len(self.to_prediction) == 0:
            return np.inf
        return 0.5 * float(self.to_truth.mean() + self.to_prediction.mean())

    def fscore(self, threshold: float) -> float:
        """Harmonic mean of precision and recall at a distance [m] (Knapitsch 2017, eq. 3-5)."""
        if len(self.to_truth) == 0 or len(self.to_prediction) == 0:
            return 0.0
        precision = float(np.mean(self.to_truth <= threshold))
        recall = float(np.mean(self.to_prediction <= threshold))
        return 2 * precision * recall / max(precision + recall, 1e-9)


@dataclass(frozen=True)
class RefinementScores:
    """Scores of one mesh; lengths relative to the longest side are named so.

    Attributes:
        chamfer_mm: Mean of the two mean distances between the surfaces [mm].
        chamfer_rel: The same relative to the longest side.
        accuracy_rel: Mean distance from the prediction to the truth, relative.
        missing_rel: Mean distance from the truth to the prediction, relative.
        fscore_2pct: F-score of the whole object at 2 % of the longest side; likewise at 5 %.
        completeness_2pct: Share of the true surface within 2 % of the prediction; likewise at 5 %.
        seen_fscore_2pct: F-score of the seen surface at 2 %: recall of the true samples that a
            keyframe sees, precision of the predicted samples that a keyframe would see; likewise
            at 5 %, and at 1 %.
        seen_chamfer_rel: Mean of the two mean nearest distances of those samples, relative.
        iou: Volume intersection over union by the generalised winding number.
        scale_error: |ratio of root mean square radii - 1|.
        psnr: Mean over the held-out pictures, over the object's box, before white [dB].
        watertight: Every edge in exactly two faces.
        face_count: Triangles.
    """

    chamfer_mm: float
    chamfer_rel: float
    accuracy_rel: float
    missing_rel: float
    fscore_2pct: float
    fscore_5pct: float
    completeness_2pct: float
    completeness_5pct: float
    seen_fscore_1pct: float
    seen_fscore_2pct: float
    seen_fscore_5pct: float
    seen_chamfer_rel: float
    iou: float
    scale_error: float
    psnr: float
    watertight: bool
    face_count: int


def score_refinement(
    mesh: Mesh,
    truth: RefinementTruth,
    *,
    seed: int = 0,
    render: Callable[[Camera], np.ndarray] | None = None,
) -> RefinementScores:
    """All scores of a mesh in the world.

    Args:
        mesh: The prediction, world frame [m].
        truth: What it is compared with.
        seed: Seeds every sampling.
        render: Pictures before white, sRGB (H, W, 3) in [0, 1], of a method that draws its own;
            otherwise the mesh's colours are drawn.
    """
    rng = np.random.default_rng(seed)
    S_world_object = Similarity.from_transform(truth.T_world_object)
    samples = sample_surface(mesh, SURFACE_COUNT, rng=rng)
    true_points = S_world_object.apply(truth.surface.points)
    caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
    true_caster = RayCaster(truth.mesh.vertices, truth.mesh.faces, signed=False)
    distances = SurfaceDistances(
        true_caster.closest(samples.points).distances, caster.closest(true_points).distances
    )
    seen = SurfaceDistances(
        distances.to_truth[seen_points(samples.points, caster, truth.cameras)],
        distances.to_prediction[seen_points(true_points, true_caster, truth.cameras)],
    )
    length = truth.longest
    return RefinementScores(
        chamfer_mm=1000.0 * distances.chamfer,
        chamfer_rel=distances.chamfer / length,
        accuracy_rel=float(distances.to_truth.mean()) / length,
        missing_rel=float(distances.to_prediction.mean()) / length,
        fscore_2pct=distances.fscore(0.02 * length),
        fscore_5pct=distances.fscore(0.05 * length),
        completeness_2pct=float(np.mean(distances.to_prediction <= 0.02 * length)),
        completeness_5pct=float(np.mean(distances.to_prediction <= 0.05 * length)),
        seen_fscore_1pct=seen.fscore(0.01 * length),
        seen_fscore_2pct=seen.fscore(0.02 * length),
        seen_fscore_5pct=seen.fscore(0.05 * length),
        seen_chamfer_rel=seen.chamfer / length,
        iou=volume_iou(Solid(mesh), truth.occupancy, S_world_object.inverse(), rng=rng),
        scale_error=abs(samples.rms_radius / truth.surface.rms_radius - 1.0),
        psnr=_held_out_psnr(mesh, caster, truth.held_out, render),
        watertight=mesh.is_watertight,
        face_count=len(mesh.faces),
    )


def seen_points(points: np.ndarray, caster: RayCaster, cameras: Sequence[Camera]) -> np.ndarray:
    """Which surface points (N, 3) [m] at least one camera sees, bool (N,).

    Args:
        points: On the caster's mesh, world frame.
        caster: Of the mesh that may hide them.
        cameras: In the same world.
    """
    seen = np.zeros(len(points), bool)
    for camera in cameras:
        eye = camera.T_world_camera[:3, 3]
        away = points - eye
        in_camera = away @ camera.T_world_camera[:3, :3]
        pixels = np.nan_to_num(camera.project(in_camera), nan=-1.0)
        framed = np.all((pixels >= 0) & (pixels < (camera.width, camera.height)), axis=1)
        hits = caster.cast(np.broadcast_to(eye, away.shape), away)  # distance 1 at the point
        seen |= framed & (hits.distances > 1.0 - _NEAR)
    return seen


def _held_out_psnr(
    mesh: Mesh,
    caster: RayCaster,
    held_out: Sequence[Shot],
    render: Callable[[Camera], np.ndarray] | None,
) -> float:
    values = []
    for shot in held_out:
        rows, columns = np.nonzero(shot.coverage > 0)
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        if render is None:
            picture = render_on_white(mesh, caster, shot.camera)
        else:
            picture = render(shot.camera)
        values.append(psnr(picture, shot.on_white(), box))
    return float(np.mean(values))
