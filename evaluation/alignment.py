# SPDX-License-Identifier: Apache-2.0
"""Alignment of a predicted surface with the true one: scale and translation, or ICP."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.transforms import Similarity
from recon_node.evaluation.geometry import SurfaceSamples


@dataclass(frozen=True)
class Freedom:
    """What an alignment may change besides translation."""

    scale: bool
    rotation: bool


SCALE_TRANSLATION = Freedom(scale=True, rotation=False)
RIGID = Freedom(scale=False, rotation=True)
SIMILARITY = Freedom(scale=True, rotation=True)

SHORTEST = 1e-3  # distance below which a pair weighs no more / root mean square radius
STILL = 1e-4  # a step that moves no point by more, relative to the size, ends the alignment


def fit_similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray, freedom: Freedom
) -> Similarity:
    """The similarity S that minimises the sum of w |q - S p|^2 over paired points.

    Rotation by the singular value decomposition of the weighted covariance, scale and translation
    in closed form from it (Umeyama 1991, eq. 40 to 42).

    Args:
        source: Points p, (N, 3).
        target: Points q, (N, 3).
        weights: w > 0, (N,).
        freedom: What may change besides translation.
    """
    weights = weights / weights.sum()
    source_centre, target_centre = weights @ source, weights @ target
    p, q = source - source_centre, target - target_centre
    covariance = (weights[:, None] * q).T @ p
    R = np.eye(3)
    if freedom.rotation:
        U, _, Vt = np.linalg.svd(covariance)
        R = U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    scale = 1.0
    if freedom.scale:
        scale = float(np.sum(covariance * R) / (weights @ np.sum(p**2, axis=1)))
    return Similarity(scale, R, target_centre - scale * (R @ source_centre))


def align_surfaces(
    prediction: SurfaceSamples,
    truth: SurfaceSamples,
    S_truth_prediction: Similarity,
    freedom: Freedom,
    *,
    iterations: int = 30,
    count: int = 1000,
) -> Similarity:
    """The similarity near `S_truth_prediction` with the least Chamfer distance.

    Iterated closest points (Besl 1992) with pairs taken both ways, from each predicted sample to
    its nearest true one and back, so that neither a shrunken nor a partial match pays. Each pair
    weighs 1 / its distance, which makes the fit of squares a descent step on the Chamfer distance
    itself (iteratively reweighted least squares, Weiszfeld 1937). With free scale and no rotation
    the start does not depend on the given scale and place: centroids and root mean square radii
    are matched first. No randomness enters; the best of all iterates is returned.

    Args:
        prediction: Samples in the prediction's frame, in random order.
        truth: Samples in the truth's frame, in random order.
        S_truth_prediction: Where to start.
        freedom: What may change besides translation.
        iterations: Upper bound.
        count: Samples of each surface used for the fit.
    """
    p, q = prediction.first(count), truth.first(count)
    S = S_truth_prediction
    if freedom == SCALE_TRANSLATION:
        S = _match_size(prediction, truth, S.R)
    best, best_chamfer = S, np.inf
    for _ in range(iterations):
        moved = S.apply(p.points)
        forward, nearest_truth = q.tree.query(moved)
        backward, nearest_prediction = p.tree.query(S.inverse().apply(q.points))
        distances = np.concatenate([forward, backward * S.scale])
        if distances.mean() < best_chamfer:
            best, best_chamfer = S, distances.mean()
        step = fit_similarity(
            np.concatenate([moved, moved[nearest_prediction]]),
            np.concatenate([q.points[nearest_truth], q.points]),
            1.0 / np.maximum(distances, SHORTEST * truth.rms_radius),
            freedom,
        )
        if _is_still(step, truth.rms_radius):
            break
        S = step @ S
    return best


def _match_size(prediction: SurfaceSamples, truth: SurfaceSamples, R: np.ndarray) -> Similarity:
    """Scale and translation that match root mean square radii and centroids under a rotation."""
    scale = truth.rms_radius / prediction.rms_radius
    centre = prediction.points.mean(axis=0)
    return Similarity(scale, R, truth.points.mean(axis=0) - scale * (R @ centre))


def _is_still(step: Similarity, size: float) -> bool:
    """Whether a step moves a point at distance `size` [m] from the origin by < STILL of it."""
    change = np.linalg.norm(step.scale * step.R - np.eye(3)) + np.linalg.norm(step.t) / size
    return bool(change < STILL)
