# SPDX-License-Identifier: Apache-2.0
"""Samples of rays in those cells of a grid that may hold matter, packed one ray after another.

Three passes give every sample its place whatever the order of threads: count the samples of each
ray, sum the counts up, write (as nerfacc and instant-ngp pack them, but without atomic counters).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import warp as wp

from recon_node.kernels.torch_launch import check_tensor, launch

_DOUBT = wp.constant(wp.float32(1e-3))  # of a step, within which rounding may misplace a middle


@dataclass(frozen=True, eq=False)
class RaySamples:
    """M intervals of N rays, those of one ray together and in order.

    Attributes:
        t_starts: Where each begins, in lengths of its ray's direction, f32 (M,).
        t_ends: Where each ends, f32 (M,).
        ray_indices: Its ray, ascending, i64 (M,).
        packed_info: Of each ray the place of its first sample and their number, i64 (N, 2).
    """

    t_starts: torch.Tensor
    t_ends: torch.Tensor
    ray_indices: torch.Tensor
    packed_info: torch.Tensor


@wp.struct
class _Grid:
    """Cells of a box: which may hold matter, the box's corner, a cell's sides, and 1 / sides."""

    occupied: wp.array3d(dtype=wp.bool)
    lower: wp.vec3
    lengths: wp.vec3
    per_length: wp.vec3


@wp.func
def _boundary(k: wp.int32, t_near: wp.float32, t_far: wp.float32, step: wp.float32, jitter: float):
    """Where interval k ends and the next begins; interval 0 begins at -1's end."""
    return wp.min(t_near + wp.max(wp.float32(k) + jitter, 0.0) * step, t_far)


@wp.func
def _cell(grid: _Grid, point: wp.vec3):
    cell = wp.vec3i(0, 0, 0)
    scaled = wp.cw_mul(point - grid.lower, grid.per_length)
    for axis in range(3):
        last = wp.float32(grid.occupied.shape[axis] - 1)
        cell[axis] = wp.int32(wp.min(wp.max(scaled[axis], 0.0), last))
    return cell


@wp.func
def _cell_exit(grid: _Grid, cell: wp.vec3i, origin: wp.vec3, inverse: wp.vec3):
    """Ray parameter at which the ray leaves the cell; `inverse` is 0 where the direction is."""
    leave = wp.float32(wp.inf)
    for axis in range(3):
        if inverse[axis] != 0.0:
            side = wp.where(inverse[axis] > 0.0, cell[axis] + 1, cell[axis])
            plane = grid.lower[axis] + wp.float32(side) * grid.lengths[axis]
            leave = wp.min(leave, (plane - origin[axis]) * inverse[axis])
    return leave


@wp.kernel(enable_backward=False)
def _march_kernel(
    grid: _Grid,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    t_nears: wp.array(dtype=wp.float32),
    t_fars: wp.array(dtype=wp.float32),
    jitter: wp.array(dtype=wp.float32),
    step: wp.float32,
    firsts: wp.array(dtype=wp.int64),
    counts: wp.array(dtype=wp.int64),
    t_starts: wp.array(dtype=wp.float32),
    t_ends: wp.array(dtype=wp.float32),
    ray_indices: wp.array(dtype=wp.int64),
):
    i = wp.tid()
    t_near = t_nears[i]
    t_far = t_fars[i]
    count = wp.int64(0)
    k = wp.int32(0)
    start = t_near
    inverse = wp.vec3(0.0, 0.0, 0.0)
    for axis in range(3):
        if directions[i][axis] != 0.0:
            inverse[axis] = 1.0 / directions[i][axis]
    while start < t_far and t_far < wp.inf:
        start = _boundary(k - 1, t_near, t_far, step, jitter[i])
        end = _boundary(k, t_near, t_far, step, jitter[i])
        k = k + 1
        if start < end:
            point = origins[i] + 0.5 * (start + end) * directions[i]
            cell = _cell(grid, point)
            if grid.occupied[cell[0], cell[1], cell[2]]:
                if firsts:
                    place = firsts[i] + count
                    t_starts[place] = start
                    t_ends[place] = end
                    ray_indices[place] = wp.int64(i)
                count = count + wp.int64(1)
            else:
                # To the first interval whose middle may lie beyond this cell.
                leave = wp.min(_cell_exit(grid, cell, origins[i], inverse), t_far)
                last = (leave - t_near) / step - jitter[i] + 0.5
                k = wp.max(k, wp.int32(last - _DOUBT) + 1)
    counts[i] = count


def _grid(occupied: torch.Tensor, lower: Sequence[float], upper: Sequence[float]) -> _Grid:
    grid = _Grid()
    grid.occupied = wp.from_torch(occupied.contiguous())
    grid.lower = wp.vec3(*lower)
    axes = list(zip(occupied.shape, lower, upper, strict=True))
    grid.lengths = wp.vec3(*((high - low) / cells for cells, low, high in axes))
    grid.per_length = wp.vec3(*(cells / (high - low) for cells, low, high in axes))
    return grid


def ray_march(
    origins: torch.Tensor,
    directions: torch.Tensor,
    t_nears: torch.Tensor,
    t_fars: torch.Tensor,
    occupied: torch.Tensor,
    *,
    lower: Sequence[float],
    upper: Sequence[float],
    step: float,
    jitter: torch.Tensor,
) -> RaySamples:
    """Intervals of rays whose middle lies in an occupied cell, without gradients.

    Between t_near and t_far a ray is cut at t_near + (k + jitter)·step, k = 0, 1, …, so that the
    intervals cover it without gaps; the first and the last are shorter than a step. With no cell
    empty their lengths add up to t_far - t_near.

    Args:
        origins: Where rays start, f32 (N, 3).
        directions: f32 (N, 3); their length is the unit of all ray parameters.
        t_nears: Where to begin, such as the first answer of `ray_box`, f32 (N,).
        t_fars: Where to end, f32 (N,); a ray with t_far <= t_near, or infinite, has no samples.
        occupied: Whether a cell may hold matter, indexed [x, y, z], bool (X, Y, Z). A point outside
            the grid belongs to the nearest cell.
        lower: The grid's corner of least coordinates.
        upper: The opposite corner.
        step: Length of an interval, in lengths of the direction; more than zero.
        jitter: Of each ray, from [0, 1), f32 (N,); zero for none.

    Raises:
        ValueError: if an argument has another shape, type or device, or the step is not positive.
    """
    device, count = origins.device, len(origins)
    check_tensor("origins", origins, (None, 3), device=device)
    check_tensor("directions", directions, (count, 3), device=device)
    for name, tensor in {"t_nears": t_nears, "t_fars": t_fars, "jitter": jitter}.items():
        check_tensor(name, tensor, (count,), device=device)
    check_tensor("occupied", occupied, (None, None, None), device=device, dtype=torch.bool)
    if not step > 0:
        raise ValueError(f"step = {step} leads nowhere; choose a length above zero")
    rays = [
        _grid(occupied, lower, upper),
        *(wp.from_torch(t.detach().contiguous(), dtype=wp.vec3) for t in (origins, directions)),
        *(wp.from_torch(t.detach().contiguous()) for t in (t_nears, t_fars, jitter)),
        float(step),
    ]
    counts = torch.empty(count, dtype=torch.int64, device=device)
    launch(_march_kernel, count, [*rays, None, wp.from_torch(counts), *3 * [None]], device=device)
    firsts = counts.cumsum(0) - counts
    total = int(counts.sum())
    t_starts, t_ends = origins.new_empty(2, total)
    ray_indices = counts.new_empty(total)
    written = [wp.from_torch(t) for t in (firsts, counts, t_starts, t_ends, ray_indices)]
    launch(_march_kernel, count, [*rays, *written], device=device)
    return RaySamples(t_starts, t_ends, ray_indices, torch.stack([firsts, counts], dim=1))
