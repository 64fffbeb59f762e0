# SPDX-License-Identifier: Apache-2.0
"""Multi-resolution hash encoding of points (Müller et al. 2022), with adjoints by hand.

Level l has N_l = floor(base · b^l) cells along each axis of the unit cube, with
b = (finest / base)^(1 / (levels - 1)) (eqs. 2 and 3). Vertex i of an axis lies at i / N_l: there is
no offset between levels, and the faces of the cube are vertices of each. A position outside the
cube is moved to the nearest one inside; along that axis the gradient is zero.

A level whose (N_l + 1)³ vertices fit into the table size has a row for each, x fastest. Another has
as many rows as the table size, and vertex (x, y, z) has row (x·1 ^ y·2654435761 ^ z·805459861) mod
table size, in unsigned 32 bits (eq. 4). Between vertices interpolation is trilinear.

With w_c(x) the weight and t_c the row of corner c, a level's features are Σ w_c t_c. On CUDA there
is a thread per level and sample. On a CPU there is one per level that walks the samples, for the
level's rows stay in the core's cache; a thread per sample that loops over levels takes four times
as long there. Positions that are no numbers count as 0.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
import warp as wp

from recon_node.kernels.hash_grid_cells import (
    Corners,
    GridLevels,
    cell_of,
    cells_per_length,
    corner_bend,
    corner_coefficients,
    corner_rows,
    corner_slope,
    place_in_cell,
    scaled_position,
)
from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.torch_launch import check_tensor, launch


@wp.kernel(enable_backward=False, module="unique")
def _gather_kernel(
    levels: GridLevels,
    positions: wp.array(dtype=wp.vec3),
    tangents: wp.array(dtype=wp.vec3),
    table: wp.array(dtype=Any),
    features: wp.array2d(dtype=Any),
    threads: wp.int32,
):
    level, thread = wp.tid()
    resolution = levels.resolutions[level]
    for i in range(thread, positions.shape[0], threads):
        scaled = scaled_position(positions[i], resolution)
        cell = cell_of(scaled, resolution)
        within = place_in_cell(scaled, cell)
        coefficients = corner_coefficients(positions[i], within, resolution, tangents, i)
        places = corner_rows(cell, levels, level)
        total = coefficients[0] * type(features[i, level])(table[places[0]])
        for c in range(1, 8):
            total += coefficients[c] * type(total)(table[places[c]])
        features[i, level] = total


@wp.kernel(enable_backward=False, module="unique")
def _scatter_kernel(
    levels: GridLevels,
    positions: wp.array(dtype=wp.vec3),
    tangents: wp.array(dtype=wp.vec3),
    cotangents: wp.array2d(dtype=Any),
    rows: wp.array(dtype=Any),
    threads: wp.int32,
):
    level, thread = wp.tid()
    resolution = levels.resolutions[level]
    for i in range(thread, positions.shape[0], threads):
        scaled = scaled_position(positions[i], resolution)
        cell = cell_of(scaled, resolution)
        within = place_in_cell(scaled, cell)
        coefficients = corner_coefficients(positions[i], within, resolution, tangents, i)
        places = corner_rows(cell, levels, level)
        cotangent = cotangents[i, level]
        for c in range(8):  # on a CPU, whose threads take turns, a plain addition
            wp.atomic_add(rows, places[c], coefficients[c] * cotangent)


@wp.kernel(enable_backward=False, module="unique")
def _slope_kernel(
    levels: GridLevels,
    positions: wp.array(dtype=wp.vec3),
    tangents: wp.array(dtype=wp.vec3),
    table: wp.array(dtype=Any),
    cotangents: wp.array2d(dtype=Any),
    slopes: wp.array(dtype=wp.vec3),
    threads: wp.int32,
):
    level, thread = wp.tid()
    resolution = levels.resolutions[level]
    for i in range(thread, positions.shape[0], threads):
        scaled = scaled_position(positions[i], resolution)
        cell = cell_of(scaled, resolution)
        within = place_in_cell(scaled, cell)
        places = corner_rows(cell, levels, level)
        cotangent = cotangents[i, level]
        heights = Corners()
        for c in range(8):
            heights[c] = wp.dot(type(cotangent)(table[places[c]]), cotangent)
        speed = cells_per_length(positions[i], resolution)
        if tangents:
            bend = corner_bend(heights, within, wp.cw_mul(speed, tangents[i]))
            wp.atomic_add(slopes, i, wp.cw_mul(speed, bend))
        else:
            wp.atomic_add(slopes, i, wp.cw_mul(speed, corner_slope(heights, within)))


_ANY = {
    _gather_kernel: ("table", "features"),
    _scatter_kernel: ("cotangents", "rows"),
    _slope_kernel: ("table", "cotangents"),
}


@functools.cache
def _levels_on(config: HashGridConfig, device: torch.device) -> GridLevels:
    """The levels' constants, which stay on the device."""
    place = wp.device_from_torch(device)
    rows = config.rows
    firsts = [sum(rows[:level]) for level in range(config.levels)]
    masks = [0 if dense else config.table_size - 1 for dense in config.dense]
    levels = GridLevels()
    levels.resolutions = wp.array(config.resolutions, dtype=wp.int32, device=place)
    levels.firsts = wp.array(firsts, dtype=wp.int32, device=place)
    levels.masks = wp.array(masks, dtype=wp.uint32, device=place)
    return levels


def _run(
    kernel: wp.Kernel,
    config: HashGridConfig,
    positions: torch.Tensor,
    tangents: torch.Tensor | None,
    *others: torch.Tensor,
) -> None:
    """Launches the kernel with a thread per sample and level, on a CPU with one per level.

    Args:
        kernel: One of `_ANY`.
        config: Sizes.
        positions: (N, 3).
        tangents: (N, 3) or None.
        others: The kernel's further arrays, the two of `_ANY` first.
    """
    threads = len(positions) if positions.is_cuda else min(1, len(positions))
    moves = None if tangents is None else _vectors(tangents)
    levels = _levels_on(config, positions.device)
    arrays = [_vectors(tensor) for tensor in others]
    arguments = [levels, _vectors(positions), moves, *arrays, threads]
    typed = _typed(kernel, *((_vector(tensor), tensor.dim() - 1) for tensor in others[:2]))
    launch(typed, (config.levels, threads), arguments, device=positions.device)


@functools.cache
def _typed(kernel: wp.Kernel, *arrays: tuple[type, int]) -> wp.Kernel:
    """The kernel for two arrays of such vectors and numbers of axes, where it says Any.

    Warp would find it by itself, but look at all arguments of every launch.
    """
    names = _ANY[kernel]
    types = (wp.array(dtype=vector, ndim=axes) for vector, axes in arrays)
    return wp.overload(kernel, dict(zip(names, types, strict=True)))


def _vector(tensor: torch.Tensor) -> type:
    """Warp's type of the tensor's last axis."""
    return wp.types.vector(length=tensor.shape[-1], dtype=wp.dtype_from_torch(tensor.dtype))


def _vectors(tensor: torch.Tensor) -> object:
    """The tensor's last axis as one vector each: a descriptor, which takes less time to make."""
    whole = tensor.detach().contiguous()
    return wp.from_torch(whole, dtype=_vector(tensor), return_ctype=True)


def _by_level(features: torch.Tensor, config: HashGridConfig) -> torch.Tensor:
    """Features of points, (N, L, F)."""
    return features.reshape(len(features), config.levels, config.features)


def _gather(
    positions: torch.Tensor,
    table: torch.Tensor,
    config: HashGridConfig,
    tangents: torch.Tensor | None = None,
) -> torch.Tensor:
    """Σ w_c t_c, or with tangents its derivative along them, (N, W)."""
    features = positions.new_empty(len(positions), config.levels, config.features)
    _run(_gather_kernel, config, positions, tangents, table, features)
    return features.flatten(1)


def _adjoint(
    positions: torch.Tensor,
    table: torch.Tensor,
    cotangents: torch.Tensor,
    config: HashGridConfig,
    wanted: Sequence[bool],
    tangents: torch.Tensor | None = None,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The adjoints of `_gather` in positions (N, 3) and table (T, F), those that are wanted."""
    features, slopes, rows = _by_level(cotangents, config), None, None
    if wanted[0]:
        slopes = torch.zeros_like(positions)
        _run(_slope_kernel, config, positions, tangents, table, features, slopes)
    if wanted[1]:
        sums = torch.zeros_like(table, dtype=torch.float32)
        _run(_scatter_kernel, config, positions, tangents, features, sums)
        rows = sums.to(table.dtype)
    return slopes, rows


class _Encode(torch.autograd.Function):
    """E(x, t) = Σ w_c(x) t_c."""

    @staticmethod
    def forward(ctx, positions, table, config):
        ctx.config = config
        ctx.save_for_backward(positions, table)
        return _gather(positions, table, config)

    @staticmethod
    def backward(ctx, cotangents):
        wanted = ctx.needs_input_grad[:2]
        return *_Adjoint.apply(*ctx.saved_tensors, cotangents, ctx.config, wanted), None


class _Adjoint(torch.autograd.Function):
    """P = ∂⟨g, E(x, t)⟩/∂x and S = ∂⟨g, E(x, t)⟩/∂t; S does not depend on t."""

    @staticmethod
    def forward(ctx, positions, table, cotangents, config, wanted):
        ctx.config = config
        ctx.save_for_backward(positions, table, cotangents)
        ctx.set_materialize_grads(False)
        return _adjoint(positions, table, cotangents, config, wanted)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, tangents, towards):
        """Adjoints of P along the tangents, and of ⟨u, S⟩ = ⟨g, E(x, u)⟩ with u = `towards`."""
        positions, table, cotangents = ctx.saved_tensors
        config, wanted = ctx.config, ctx.needs_input_grad
        bends, features, rows = [], [], None
        if tangents is not None:
            bent, rows = _adjoint(positions, table, cotangents, config, wanted[:2], tangents)
            bends.append(bent)
            features.append(_gather(positions, table, config, tangents))
        if towards is not None:
            bent, _ = _adjoint(positions, towards, cotangents, config, (wanted[0], False))
            bends.append(bent)
            features.append(_gather(positions, towards, config))
        return sum(bends) if wanted[0] else None, rows, sum(features), None, None


def _check(positions: torch.Tensor, table: torch.Tensor, config: HashGridConfig) -> None:
    check_tensor("positions", positions, (None, 3), device=positions.device)
    dtype = torch.float16 if table.dtype == torch.float16 else torch.float32
    check_tensor("table", table, config.table_shape, device=positions.device, dtype=dtype)


def hash_encode(
    positions: torch.Tensor, table: torch.Tensor, *, config: HashGridConfig
) -> torch.Tensor:
    """Features of points, f32 (N, W), those of the coarsest level first.

    Gradients reach the positions and the table, and these gradients have exact gradients in turn.
    Across the faces of cells those to the positions jump. On a CPU sums have a fixed order; on CUDA
    the order in which threads add to a row, and with it the last bits, changes.

    A table of halves (on CUDA, to read half as many bytes) is summed in single precision, as is its
    gradient, which is then rounded to halves: keep the master in single precision and pass
    `master.half()`. Below 6e-8 that gradient is zero unless the loss is scaled up.

    Args:
        positions: Points in the unit cube, f32 (N, 3).
        table: Rows of all levels, f32 or f16 `config.table_shape`.
        config: Sizes, W = `config.width`.

    Raises:
        ValueError: if an argument has another shape, type or device.
    """
    _check(positions, table, config)
    return _Encode.apply(positions, table, config)


def hash_slopes(
    positions: torch.Tensor,
    table: torch.Tensor,
    cotangents: torch.Tensor,
    *,
    config: HashGridConfig,
) -> torch.Tensor:
    """Gradients of ⟨cotangents, features⟩ in each position, f32 (N, 3).

    The same as `torch.autograd.grad(hash_encode(...), positions, cotangents, create_graph=True)`
    without the table's gradient, which that one makes too.
    With the gradient of an SDF in the features as cotangents these are the SDF's gradients in
    space, and a loss on them has exact gradients in the positions, the table and the cotangents.

    Args:
        positions: Points in the unit cube, f32 (N, 3).
        table: Rows of all levels, f32 or f16 `config.table_shape`.
        cotangents: Gradients of a scalar per point in its features, f32 (N, W).
        config: Sizes, W = `config.width`.

    Raises:
        ValueError: if an argument has another shape, type or device.
    """
    device, shape = positions.device, (len(positions), config.width)
    _check(positions, table, config)
    check_tensor("cotangents", cotangents, shape, device=device)
    return _Adjoint.apply(positions, table, cotangents, config, (True, False))[0]
