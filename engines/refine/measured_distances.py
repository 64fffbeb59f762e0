# SPDX-License-Identifier: Apache-2.0
"""Signed distances that keyframes measured, fused (Curless and Levoy 1996)."""

from collections.abc import Sequence

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.surroundings import beside
from recon_node.engines.transforms import invert, transform_points


def measured_distances(
    points: np.ndarray, keyframes: Sequence[Keyframe], truncation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean truncated signed distance along the rays [m] f64 (N,), and how many views say so (N,).

    A view says min(s, truncation) of a point s in front of what it measured, nothing of one that
    lies more than the truncation behind, and the truncation of one beside the object.

    Args:
        points: f64 (N, 3) [m, world].
        keyframes: Views, with depth or without.
        truncation: Largest distance [m].
    """
    total, worth = np.zeros(len(points)), np.zeros(len(points))
    for keyframe in keyframes:
        said, counts = _said(points, keyframe, truncation)
        total[counts] += keyframe.weight * said[counts]
        worth[counts] += keyframe.weight
    return total / np.maximum(worth, 1e-9), worth


def _said(points: np.ndarray, keyframe: Keyframe, truncation: float) -> tuple:
    """What one view says of each point [m], and whether it says anything, (N,) each."""
    view = keyframe.view
    local = transform_points(invert(view.camera.T_world_camera), points)
    columns, rows, in_picture = _pixels(view, local)
    mask = view.mask[rows, columns]
    outside = in_picture & keyframe.known[rows, columns] & beside(view.mask)[rows, columns]
    said = np.full(len(points), truncation)
    if view.depth is None:
        return said, outside
    ahead = view.depth[rows, columns] - local[:, 2]
    with np.errstate(invalid="ignore"):
        measured = in_picture & mask & (ahead > -truncation)
    said[measured] = np.minimum(ahead[measured], truncation)
    return said, outside | measured


def _pixels(view: View, local: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows of points in a picture, and whether they lie in it, (N,) each."""
    pixels = np.nan_to_num(view.camera.project(local), nan=-1.0)
    columns, rows = np.floor(pixels).astype(np.int64).T
    in_picture = (columns >= 0) & (rows >= 0)
    in_picture &= (columns < view.camera.width) & (rows < view.camera.height)
    clip = np.clip
    return (
        clip(columns, 0, view.camera.width - 1),
        clip(rows, 0, view.camera.height - 1),
        in_picture,
    )
