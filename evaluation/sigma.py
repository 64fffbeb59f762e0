# SPDX-License-Identifier: Apache-2.0
"""Honesty of a mesh's sigma: how often the truth lies within the interval it promises."""

import numpy as np

from recon_node.engines.transforms import Similarity
from recon_node.evaluation.solid import Solid

HALF_WIDTH_90 = 1.6448536  # 95th percentile of the standard normal: |x| <= it with probability 0.9


def interval_coverage_90(
    prediction: Solid,
    truth: Solid,
    S_truth_prediction: Similarity,
    *,
    rng: np.random.Generator,
    count: int = 2000,
) -> float | None:
    """Share of the surface whose distance to the truth is within 1.645 sigma; 0.9 is honest.

    Vertices are drawn by the area around them. The distance is that to the closest true point,
    which along the normal is the same to first order and else the smaller.

    Args:
        prediction: The prediction; its `sigma` [m] is in its own frame.
        truth: The true mesh.
        S_truth_prediction: Places the prediction; its scale applies to sigma too.
        rng: Draws the vertices.
        count: Vertices drawn.

    Returns:
        Share in [0, 1], None where the mesh has no sigma.
    """
    mesh = prediction.mesh
    if mesh.sigma is None:
        return None
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    areas = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    weights = np.bincount(mesh.faces.ravel(), np.repeat(areas, 3), minlength=len(mesh.vertices))
    drawn = rng.choice(len(weights), count, p=weights / weights.sum())
    distances = truth.caster.closest(S_truth_prediction.apply(mesh.vertices[drawn])).distances
    return float(np.mean(distances <= HALF_WIDTH_90 * S_truth_prediction.scale * mesh.sigma[drawn]))
