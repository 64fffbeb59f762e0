# SPDX-License-Identifier: Apache-2.0
"""What stands between the camera and an object, told by the depth around its mask."""

from collections.abc import Iterator

import numpy as np

from recon_node.engines.components import component_labels

DEPTH_GAP = 0.02  # between two surfaces, relative to the depth, and
SMALLEST_GAP = 0.01  # at least [m]; beyond the noise of a depth camera
_REACH = 2  # pixels over which mask and neighbour are compared: a rim pixel often has no depth
_FEWEST_STEPS = 0.25  # of the pixels where an occluder meets the mask without a step


def occluder_pixels(mask: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Pixels outside the mask that show something in front of the object.

    A surface outside the mask that is nearer than the object by a step where the two meet cuts
    the mask off there: what the pixels behind it would show is not known. The table that an object
    stands on is nearer too, further down in the picture, but meets the object without a step; so
    does a part of the object that the mask has missed.

    Args:
        mask: bool (H, W), the object.
        depth: f32 (H, W) [m] along z, NaN unknown.

    Returns:
        bool (H, W): the pixels of those surfaces that are nearer than the far side of the object,
        and single ones at a step.
    """
    seen = mask & np.isfinite(depth)
    steps, touching = np.zeros_like(mask), np.zeros_like(mask)
    for here, there in _neighbours(mask.shape):
        meets = mask[there] & ~mask[here]
        in_front = depth[there] - depth[here] > depth_gap(depth[there])
        steps[here] |= meets & in_front
        touching[here] |= meets & ~in_front & np.isfinite(depth[here])
    if not steps.any():
        return steps
    labels = _surfaces(~mask & (depth < np.percentile(depth[seen], 95)), depth)
    counts = [
        np.bincount(labels[each & (labels >= 0)], minlength=depth.size)
        for each in (steps, touching & ~steps)
    ]
    in_front = (counts[0] > 0) & (counts[0] >= _FEWEST_STEPS * counts[1])
    return steps | ((labels >= 0) & in_front[labels])


def hidden_pixels(mask: np.ndarray, depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels of the mask beside an unknown pixel that is nearer than they are by a step.

    Args:
        mask: bool (H, W), the object.
        depth: f32 (H, W) [m] along z, NaN unknown.
        known: bool (H, W), false on occluders.

    Returns:
        bool (H, W).
    """
    hidden = np.zeros_like(mask)
    for here, there in _neighbours(mask.shape):
        in_front = depth[there] - depth[here] > depth_gap(depth[there])
        hidden[there] |= mask[there] & ~mask[here] & ~known[here] & in_front
    return hidden


def depth_gap(depth: np.ndarray) -> np.ndarray:
    """The smallest step [m] that parts two surfaces at a depth [m]."""
    return np.maximum(DEPTH_GAP * depth, SMALLEST_GAP)


def _neighbours(shape: tuple[int, int]) -> Iterator[tuple[tuple, tuple]]:
    """Index pairs (here, there) of all pixels that are some pixels apart along a side."""
    height, width = shape
    for shift in range(1, _REACH + 1):
        for dy, dx in ((0, shift), (0, -shift), (shift, 0), (-shift, 0)):
            rows = slice(max(dy, 0), height + min(dy, 0))
            columns = slice(max(dx, 0), width + min(dx, 0))
            other_rows = slice(max(-dy, 0), height + min(-dy, 0))
            other_columns = slice(max(-dx, 0), width + min(-dx, 0))
            yield (rows, columns), (other_rows, other_columns)


def _surfaces(chosen: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The unbroken surface that every chosen pixel belongs to: i64 (H, W), -1 elsewhere."""
    numbers = np.arange(depth.size).reshape(depth.shape)
    later, earlier, whole = slice(1, None), slice(-1), slice(None)
    edges = []
    for a, b in (((whole, later), (whole, earlier)), ((later, whole), (earlier, whole))):
        nearer = np.minimum(depth[a], depth[b])
        joined = (np.abs(depth[a] - depth[b]) < depth_gap(nearer)) & chosen[a] & chosen[b]
        edges.append(np.column_stack([numbers[a][joined], numbers[b][joined]]))
    labels = component_labels(depth.size, np.concatenate(edges)).reshape(depth.shape)
    return np.where(chosen, labels, -1)
