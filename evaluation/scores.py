# SPDX-License-Identifier: Apache-2.0
"""Scores of one prediction: agreement of shape as placed and after ICP, scale, closure, sigma."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.alignment import align_surfaces
from recon_node.evaluation.case import Condition
from recon_node.evaluation.dataset import EvaluationObject
from recon_node.evaluation.geometry import (
    OccupancySamples,
    SurfaceSamples,
    sample_surface,
    surface_distances,
    volume_iou,
)
from recon_node.evaluation.grasp import grasp_transfer
from recon_node.evaluation.sigma import interval_coverage_90
from recon_node.evaluation.solid import Solid

SURFACE_COUNT = 10_000  # samples of each surface
VOLUME_COUNT = 8_000  # points of the truth's box: the IoU of a view is good to about 0.01


@dataclass(frozen=True)
class ShapeScores:
    """Agreement of a prediction, as placed, with the true shape.

    Attributes:
        iou: Volume intersection over union.
        chamfer_mm: Mean of the two mean nearest distances [mm].
        chamfer_rel: The same relative to the longest side of the true object.
        fscore_2mm: F-score at 2 mm; likewise at 5 and 10 mm.
        fscore_5pct: F-score at 5 % of the longest side of the true object.
        normal_consistency: Mean |cosine| between normals of nearest points.
    """

    iou: float
    chamfer_mm: float
    chamfer_rel: float
    fscore_2mm: float
    fscore_5mm: float
    fscore_10mm: float
    fscore_5pct: float
    normal_consistency: float

    @classmethod
    def of_failure(cls) -> "ShapeScores":
        """The worst value of every measure: what a view without a mesh scores."""
        return cls(0.0, np.inf, np.inf, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class PredictionScores:
    """All scores of one prediction.

    Attributes:
        shape: As placed by the engine (`depth`) or after scale and translation (`rgb`).
        shape_icp: After ICP as well.
        scale_error: |ratio of root mean square radii - 1|, None where the engine claims no scale.
        watertight: Every edge in exactly two faces.
        sigma_coverage_90: Share of the surface within its 90 % interval, None without sigma.
        grasp_transfer: Share of the prediction's grasps that hold on the truth, None where there
            is no metric scale or no grasp was found.
        face_count: Triangles of the prediction.
    """

    shape: ShapeScores
    shape_icp: ShapeScores
    scale_error: float | None
    watertight: bool
    sigma_coverage_90: float | None
    grasp_transfer: float | None
    face_count: int

    def to_json(self) -> Mapping[str, float | bool | None]:
        """One flat mapping; the ICP-aligned shape scores carry the suffix `_icp`."""
        rest = {k: v for k, v in vars(self).items() if k not in ("shape", "shape_icp")}
        aligned = {f"{key}_icp": value for key, value in asdict(self.shape_icp).items()}
        return {**asdict(self.shape), **aligned, **rest}

    @classmethod
    def of_failure(cls) -> "PredictionScores":
        """What a view without a mesh scores."""
        worst = ShapeScores.of_failure()
        return cls(worst, worst, None, False, None, None, 0)


def score_prediction(
    mesh: Mesh,
    S_object_mesh: Similarity,
    truth: EvaluationObject,
    condition: Condition,
    *,
    is_metric: bool,
    seed: int,
) -> PredictionScores:
    """All scores of a mesh that an engine placed in the frame of the true object.

    Args:
        mesh: The prediction.
        S_object_mesh: Places it in the object's frame.
        truth: The true object.
        condition: Says what is aligned before the first scores, and what ICP may change.
        is_metric: Whether the engine claims a scale in metres.
        seed: Seeds every sampling.
    """
    rng = np.random.default_rng(seed)
    surface = truth.surface.first(SURFACE_COUNT)
    samples = sample_surface(mesh, SURFACE_COUNT, rng=rng)
    occupancy = truth.occupancy.first(VOLUME_COUNT)
    prediction = Solid(mesh)

    S_placed = _align(samples, surface, S_object_mesh, condition)
    S_icp = align_surfaces(samples, surface, S_placed, condition.icp)
    placements = [
        _score_shape(prediction, samples, surface, occupancy, S, truth.longest, rng)
        for S in (S_placed, S_icp)
    ]
    scale_error = transfer = None
    if is_metric:
        size = samples.rms_radius * S_object_mesh.scale
        scale_error = abs(size / surface.rms_radius - 1.0)
        transfer = grasp_transfer(prediction, truth.solid, S_object_mesh, rng=rng)
    return PredictionScores(
        shape=placements[0],
        shape_icp=placements[1],
        scale_error=scale_error,
        watertight=mesh.is_watertight,
        sigma_coverage_90=interval_coverage_90(prediction, truth.solid, S_placed, rng=rng),
        grasp_transfer=transfer,
        face_count=len(mesh.faces),
    )


def place_prediction(
    mesh: Mesh,
    S_object_mesh: Similarity,
    truth: EvaluationObject,
    condition: Condition,
    *,
    seed: int,
) -> Similarity:
    """`S_object_mesh` after the condition's alignment: where `score_prediction` scores the shape.

    Args:
        mesh: The prediction.
        S_object_mesh: Where the engine placed it.
        truth: The true object.
        condition: Says what is aligned.
        seed: The seed of the scores.
    """
    samples = sample_surface(mesh, SURFACE_COUNT, rng=np.random.default_rng(seed))
    return _align(samples, truth.surface.first(SURFACE_COUNT), S_object_mesh, condition)


def _align(
    samples: SurfaceSamples, surface: SurfaceSamples, S: Similarity, condition: Condition
) -> Similarity:
    if condition.alignment is None:
        return S
    return align_surfaces(samples, surface, S, condition.alignment)


def _score_shape(
    prediction: Solid,
    samples: SurfaceSamples,
    surface: SurfaceSamples,
    occupancy: OccupancySamples,
    S_object_mesh: Similarity,
    longest: float,
    rng: np.random.Generator,
) -> ShapeScores:
    distances = surface_distances(samples, surface, S_object_mesh)
    return ShapeScores(
        iou=volume_iou(prediction, occupancy, S_object_mesh, rng=rng),
        chamfer_mm=1000.0 * distances.chamfer,
        chamfer_rel=distances.chamfer / longest,
        fscore_2mm=distances.fscore(0.002),
        fscore_5mm=distances.fscore(0.005),
        fscore_10mm=distances.fscore(0.010),
        fscore_5pct=distances.fscore(0.05 * longest),
        normal_consistency=distances.normal_consistency,
    )
