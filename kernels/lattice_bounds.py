# SPDX-License-Identifier: Apache-2.0
"""What samples around points of a lattice say about a field of bounded slope there."""

import numpy as np
import warp as wp


@wp.kernel(enable_backward=False)
def _bounds_kernel(
    values: wp.array(dtype=wp.float32),
    points: wp.array(dtype=wp.int32),
    offsets: wp.array(dtype=wp.int32),
    changes: wp.array(dtype=wp.float32),
    lower: wp.array(dtype=wp.float32),
    upper: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    low = wp.float32(-wp.inf)
    high = wp.float32(wp.inf)
    for k in range(offsets.shape[0]):
        value = values[points[i] + offsets[k]]
        low = wp.max(low, value - changes[k])
        high = wp.min(high, value + changes[k])
    lower[i] = low
    upper[i] = high


def lattice_bounds(
    values: np.ndarray,
    points: np.ndarray,
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
        points: flat indices, i32 (N,).
        offsets: what to add to an index for each neighbour, i32 (K,). Every sum must be an index
            of `values`; this is not checked.
        changes: how much the field can change from a neighbour to the point, f32 (K,).
        device: Warp device name.
    """
    lower = wp.empty(len(points), dtype=wp.float32, device=device)
    upper = wp.empty(len(points), dtype=wp.float32, device=device)
    inputs = [wp.array(a, device=device, copy=False) for a in (values, points, offsets, changes)]
    wp.launch(_bounds_kernel, dim=len(points), inputs=inputs, outputs=[lower, upper], device=device)
    return lower.numpy(), upper.numpy()
