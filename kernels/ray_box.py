# SPDX-License-Identifier: Apache-2.0
"""Where rays enter and leave a box along the axes (Kay and Kajiya 1986)."""

from collections.abc import Sequence

import torch
import warp as wp

from recon_node.kernels.torch_launch import check_tensor, launch


@wp.kernel(enable_backward=False)
def _box_kernel(
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    lower: wp.vec3,
    upper: wp.vec3,
    near: wp.float32,
    t_entries: wp.array(dtype=wp.float32),
    t_exits: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    entry = near
    leave = wp.float32(wp.inf)
    for axis in range(3):
        origin = origins[i][axis]
        direction = directions[i][axis]
        if direction == 0.0:
            if not (origin >= lower[axis] and origin <= upper[axis]):
                leave = -wp.inf
        else:
            first = (lower[axis] - origin) / direction
            second = (upper[axis] - origin) / direction
            entry = wp.max(entry, wp.min(first, second))
            leave = wp.min(leave, wp.max(first, second))
    met = entry < leave and leave < wp.inf
    t_entries[i] = wp.where(met, entry, near)
    t_exits[i] = wp.where(met, leave, near)


def ray_box(
    origins: torch.Tensor,
    directions: torch.Tensor,
    *,
    lower: Sequence[float],
    upper: Sequence[float],
    near: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ray parameters at which rays enter and leave a box, f32 (N,) each.

    A ray that starts inside enters at `near`. One that misses the box, or leaves it before `near`,
    has an interval without length: both are `near`. No gradients.

    Args:
        origins: Where rays start, f32 (N, 3).
        directions: Of any length but zero, which is the unit of the answer, f32 (N, 3).
        lower: The box's corner of least coordinates.
        upper: The opposite corner.
        near: Nothing before this is met, in lengths of the direction.

    Raises:
        ValueError: if an argument has another shape, type or device.
    """
    device = origins.device
    check_tensor("origins", origins, (None, 3), device=device)
    check_tensor("directions", directions, (len(origins), 3), device=device)
    t_entries, t_exits = origins.new_empty(2, len(origins))
    arrays = [
        wp.from_torch(origins.detach().contiguous(), dtype=wp.vec3),
        wp.from_torch(directions.detach().contiguous(), dtype=wp.vec3),
        wp.vec3(*lower),
        wp.vec3(*upper),
        float(near),
        wp.from_torch(t_entries),
        wp.from_torch(t_exits),
    ]
    launch(_box_kernel, len(origins), arrays, device=device)
    return t_entries, t_exits
