# SPDX-License-Identifier: Apache-2.0
"""What samples around points of a lattice say about a field of bounded slope there."""

from collections.abc import Sequence

import numpy as np
import warp as wp


@wp.kernel(enable_backward=False)
def _bounds_kernel(
    values: wp.array(dtype=wp.float32),
    points: wp.array(dtype=wp.int32),
    ends: wp.array(dtype=wp.int32),
    offsets: wp.array2d(dtype=wp.int32),
    changes: wp.array(dtype=wp.float32),
    lower: wp.array(dtype=wp.float32),
    upper: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    group = wp.int32(0)
    while i >= ends[group]:
        group = group + 1
    point = points[i]
    low = wp.float32(-wp.inf)
    high = wp.float32(wp.inf)
    # Branches, for on a CPU they take half the time of wp.min and wp.max.
    for k in range(changes.shape[0]):
        value = values[point + offsets[group, k]]
        change = changes[k]
        if value - change > low:
            low = value - change
        if value + change < high:
            high = value + change
    lower[i] = low
    upper[i] = high


def lattice_bounds(
    values: np.ndarray,
    groups: Sequence[np.ndarray],
    offsets: np.ndarray,
    changes: np.ndarray,
    *,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of a field at points, lower and upper f32 (N,) each, from samples around them.

    lower = max over k of values[point + offsets[k]] - changes[k], and
    upper = min over k of values[point + offsets[k]] + changes[k].
    With changes of zero these are the largest and the smallest sample.

    Args:
        values: samples in flat order, f32 (S,).
        groups: flat indices of points, G arrays i32 of N in all, each group with neighbours of
            its own; one call for all of them, since a call costs as much as thousands of points.
        offsets: what to add to an index for each neighbour, i32 (G, K). Every sum must be an
            index of `values`; this is not checked.
        changes: how much the field can change from a neighbour to the point, f32 (K,).
        device: Warp device name.

    Returns:
        Lower and upper bounds, those of the first group first.
    """
    points = np.concatenate(groups)
    ends = np.cumsum([len(group) for group in groups], dtype=np.int32)
    lower = wp.empty(len(points), dtype=wp.float32, device=device)
    upper = wp.empty(len(points), dtype=wp.float32, device=device)
    arrays = (values, points, ends, offsets, changes)
    inputs = [wp.array(a, device=device, copy=False) for a in arrays]
    wp.launch(_bounds_kernel, dim=len(points), inputs=inputs, outputs=[lower, upper], device=device)
    return lower.numpy(), upper.numpy()
