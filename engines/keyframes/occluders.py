# SPDX-License-Identifier: Apache-2.0
"""What stands between the camera and an object, told by the depth around its mask."""

import numpy as np

from recon_node.engines.components import component_labels

DEPTH_GAP = 0.02  # between two surfaces, relative to the depth, and
SMALLEST_GAP = 0.01  # at least [m]; beyond the noise of a depth camera
_REACH = 2  # pixels over which mask and neighbour are compared: a rim pixel often has no depth


def occluder_pixels(mask: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Pixels outside the mask that show something in front of the object.

    A surface outside the mask that is nearer than the object by a step where the two meet cuts
    the mask off there: what the pixels behind it would show is not known. The table that an object
    stands on is nearer too, further down in the picture, but meets the object without a step.

    Args:
        mask: bool (H, W), the object.
        depth: f32 (H, W) [m] along z, NaN unknown.

    Returns:
        bool (H, W): the pixels of those surfaces that are nearer than the far side of the object.
    """
    seen = mask & np.isfinite(depth)
    if not seen.any():
        return np.zeros_like(mask)
    steps = _steps_in_front(mask, depth)
    if not steps.any():
        return steps
    labels = _surfaces(~mask & (depth < np.percentile(depth[seen], 95)), depth)
    hit = np.unique(labels[steps])
    return np.isin(labels, hit[hit >= 0]) | steps


def _steps_in_front(mask: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Pixels outside the mask, beside it, that are nearer than it by a step; bool (H, W)."""
    object_depth = np.where(mask, depth, np.nan)
    steps = np.zeros_like(mask)
    height, width = mask.shape
    for shift in range(1, _REACH + 1):
        for dy, dx in ((0, shift), (0, -shift), (shift, 0), (-shift, 0)):
            here = (slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0)))
            there = (slice(max(-dy, 0), height + min(-dy, 0)),) + (
                slice(max(-dx, 0), width + min(-dx, 0)),
            )
            behind = object_depth[there]
            nearer = behind - depth[here] > np.maximum(DEPTH_GAP * behind, SMALLEST_GAP)
            steps[here] |= nearer & ~mask[here]
    return steps


def _surfaces(chosen: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The unbroken surface that every chosen pixel belongs to: i64 (H, W), -1 elsewhere."""
    numbers = np.arange(depth.size).reshape(depth.shape)
    edges = []
    for a, b in (
        ((slice(None), slice(1, None)), (slice(None), slice(-1))),
        (slice(1, None), slice(-1)),
    ):
        near = np.minimum(depth[a], depth[b])
        joined = np.abs(depth[a] - depth[b]) < np.maximum(DEPTH_GAP * near, SMALLEST_GAP)
        joined &= chosen[a] & chosen[b]
        edges.append(np.column_stack([numbers[a][joined], numbers[b][joined]]))
    labels = component_labels(depth.size, np.concatenate(edges)).reshape(depth.shape)
    return np.where(chosen, labels, -1)
