# SPDX-License-Identifier: Apache-2.0
"""Multi-resolution hash encoding of points (Müller et al. 2022), with adjoints by hand.

Level l has N_l = floor(base · b^l) cells along each axis of the unit cube, with
b = (finest / base)^(1 / (levels - 1)) (eqs. 2 and 3). Vertex i of an axis lies at i / N_l: there is
no offset between levels, and the faces of the cube are vertices of each. A position outside the
cube is moved to the nearest one inside; along that axis the gradient is zero.

A level whose (N_l + 1)³ vertices fit into the table size has a row for each, x fastest. Another has
as many rows as the table size, and vertex (x, y, z) has row (x·1 ^ y·2654435761 ^ z·805459861) mod
table size, in unsigned 32 bits (eq. 4). Between vertices interpolation is trilinear.

With w_c(x) the weight and t_c the row of corner c, a level's features are Σ w_c t_c. Threads are
numbered by level first, so that a level's rows stay in a core's cache: on a CPU that takes a third
of the time of looping over levels in each sample's thread. Positions that are no numbers count
as 0.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
import warp as wp

from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.torch_launch import check_tensor, launch

_PRIME_Y = wp.constant(wp.uint32(2654435761))
_PRIME_Z = wp.constant(wp.uint32(805459861))

_Corners = wp.types.vector(length=8, dtype=wp.float32)  # corner c is (c & 1, (c >> 1) & 1, c >> 2)
_Places = wp.types.vector(length=8, dtype=wp.int32)


@wp.struct
class _Levels:
    """Of each level: cells along an axis, first row, and the hash's mask (0: dense)."""

    resolutions: wp.array(dtype=wp.int32)
    firsts: wp.array(dtype=wp.int32)
    masks: wp.array(dtype=wp.uint32)


@wp.func
def _scaled(position: wp.vec3, resolution: wp.int32):
    """The position in cells; what is no number becomes 0, lest rows beyond the table be met."""
    inside = wp.vec3(0.0, 0.0, 0.0)
    for axis in range(3):
        inside[axis] = wp.min(wp.max(position[axis], 0.0), 1.0) * wp.float32(resolution)
    return inside


@wp.func
def _cell(scaled: wp.vec3, resolution: wp.int32):
    last = resolution - 1
    x = wp.min(wp.int32(scaled[0]), last)
    y = wp.min(wp.int32(scaled[1]), last)
    z = wp.min(wp.int32(scaled[2]), last)
    return wp.vec3i(x, y, z)


@wp.func
def _within(scaled: wp.vec3, cell: wp.vec3i):
    x = scaled[0] - wp.float32(cell[0])
    y = scaled[1] - wp.float32(cell[1])
    z = scaled[2] - wp.float32(cell[2])
    return wp.vec3(x, y, z)


@wp.func
def _places(cell: wp.vec3i, levels: _Levels, level: wp.int32):
    """Rows of the cell's corners."""
    places = _Places()
    first = levels.firsts[level]
    mask = levels.masks[level]
    if mask == wp.uint32(0):
        stride = levels.resolutions[level] + 1
        corner = first + cell[0] + stride * (cell[1] + stride * cell[2])
        for c in range(8):
            places[c] = corner + c % 2 + stride * ((c / 2) % 2 + stride * (c / 4))
    else:
        for c in range(8):
            x = wp.uint32(cell[0] + c % 2)
            y = wp.uint32(cell[1] + (c / 2) % 2) * _PRIME_Y
            z = wp.uint32(cell[2] + c / 4) * _PRIME_Z
            places[c] = first + wp.int32((x ^ y ^ z) & mask)
    return places


@wp.func
def _products(low: wp.vec3, high: wp.vec3):
    """For each corner the product of its three axes' factors."""
    products = _Corners()
    for c in range(8):
        x = wp.where(c % 2 == 0, low[0], high[0])
        y = wp.where((c / 2) % 2 == 0, low[1], high[1])
        z = wp.where(c / 4 == 0, low[2], high[2])
        products[c] = x * y * z
    return products


@wp.func
def _weights(within: wp.vec3):
    return _products(wp.vec3(1.0, 1.0, 1.0) - within, within)


@wp.func
def _slopes(within: wp.vec3, along: wp.int32):
    """Derivatives of the weights along one axis of the cell."""
    low = wp.vec3(1.0, 1.0, 1.0) - within
    high = within
    low[along] = -1.0
    high[along] = 1.0
    return _products(low, high)


@wp.func
def _bends(within: wp.vec3, still: wp.int32):
    """Mixed derivatives of the weights along the two other axes; those along one axis are zero."""
    low = wp.vec3(-1.0, -1.0, -1.0)
    high = wp.vec3(1.0, 1.0, 1.0)
    low[still] = 1.0 - within[still]
    high[still] = within[still]
    return _products(low, high)


@wp.func
def _per_cell(position: wp.vec3, resolution: wp.int32):
    """How fast the place in the cell follows the position; not at all outside the cube."""
    speed = wp.vec3(0.0, 0.0, 0.0)
    for axis in range(3):
        if position[axis] >= 0.0 and position[axis] <= 1.0:
            speed[axis] = wp.float32(resolution)
    return speed


@wp.func
def _coefficients(
    position: wp.vec3,
    within: wp.vec3,
    resolution: wp.int32,
    tangents: wp.array(dtype=wp.vec3),
    i: wp.int32,
):
    """The weights, or where there are tangents the weights' derivatives along tangent i."""
    if not tangents:
        return _weights(within)
    along = wp.cw_mul(_per_cell(position, resolution), tangents[i])
    slopes = along[0] * _slopes(within, 0)
    slopes += along[1] * _slopes(within, 1)
    slopes += along[2] * _slopes(within, 2)
    return slopes


@wp.func
def _slope(
    heights: _Corners,
    position: wp.vec3,
    within: wp.vec3,
    resolution: wp.int32,
    tangents: wp.array(dtype=wp.vec3),
    i: wp.int32,
):
    """Gradient in the cell of what has these heights at its corners, or that along tangent i."""
    slope = wp.vec3(0.0, 0.0, 0.0)
    if not tangents:
        for axis in range(3):
            slope[axis] = wp.dot(heights, _slopes(within, axis))
        return slope
    along = wp.cw_mul(_per_cell(position, resolution), tangents[i])
    xy = wp.dot(heights, _bends(within, 2))
    xz = wp.dot(heights, _bends(within, 1))
    yz = wp.dot(heights, _bends(within, 0))
    slope[0] = xy * along[1] + xz * along[2]
    slope[1] = xy * along[0] + yz * along[2]
    slope[2] = xz * along[0] + yz * along[1]
    return slope


@wp.kernel(enable_backward=False, module="unique")
def _gather_kernel(
    levels: _Levels,
    positions: wp.array(dtype=wp.vec3),
    tangents: wp.array(dtype=wp.vec3),
    table: wp.array(dtype=Any),
    features: wp.array2d(dtype=Any),
    threads: wp.int32,
):
    level, thread = wp.tid()
    resolution = levels.resolutions[level]
    for i in range(thread, positions.shape[0], threads):
        scaled = _scaled(positions[i], resolution)
        cell = _cell(scaled, resolution)
        within = _within(scaled, cell)
        coefficients = _coefficients(positions[i], within, resolution, tangents, i)
        places = _places(cell, levels, level)
        total = coefficients[0] * table[places[0]]
        for c in range(1, 8):
            total += coefficients[c] * table[places[c]]
        features[i, level] = total


@wp.kernel(enable_backward=False, module="unique")
def _adjoint_kernel(
    levels: _Levels,
    positions: wp.array(dtype=wp.vec3),
    tangents: wp.array(dtype=wp.vec3),
    table: wp.array(dtype=Any),
    cotangents: wp.array2d(dtype=Any),
    slopes: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=Any),
    threads: wp.int32,
):
    level, thread = wp.tid()
    resolution = levels.resolutions[level]
    for i in range(thread, positions.shape[0], threads):
        scaled = _scaled(positions[i], resolution)
        cell = _cell(scaled, resolution)
        within = _within(scaled, cell)
        places = _places(cell, levels, level)
        cotangent = cotangents[i, level]
        if slopes:
            heights = _Corners()
            for c in range(8):
                heights[c] = wp.dot(table[places[c]], cotangent)
            slope = _slope(heights, positions[i], within, resolution, tangents, i)
            wp.atomic_add(slopes, i, wp.cw_mul(_per_cell(positions[i], resolution), slope))
        if rows:
            coefficients = _coefficients(positions[i], within, resolution, tangents, i)
            for c in range(8):  # on a CPU, whose threads take turns, a plain addition
                wp.atomic_add(rows, places[c], coefficients[c] * cotangent)


@functools.cache
def _levels_on(config: HashGridConfig, device: torch.device) -> _Levels:
    """The levels' constants, which stay on the device."""
    place = wp.device_from_torch(device)
    rows = config.rows
    firsts = [sum(rows[:level]) for level in range(config.levels)]
    masks = [0 if dense else config.table_size - 1 for dense in config.dense]
    levels = _Levels()
    levels.resolutions = wp.array(config.resolutions, dtype=wp.int32, device=place)
    levels.firsts = wp.array(firsts, dtype=wp.int32, device=place)
    levels.masks = wp.array(masks, dtype=wp.uint32, device=place)
    return levels


def _run(
    kernel: wp.Kernel,
    config: HashGridConfig,
    positions: torch.Tensor,
    tangents: torch.Tensor | None,
    *others: wp.array,
) -> None:
    """Launches the kernel with a thread per sample and level, on a CPU with one per level."""
    threads = len(positions) if positions.is_cuda else min(1, len(positions))
    moves = None if tangents is None else _vectors(tangents)
    levels = _levels_on(config, positions.device)
    arguments = [levels, _vectors(positions), moves, *others, threads]
    launch(kernel, (config.levels, threads), arguments, device=positions.device)


def _vectors(tensor: torch.Tensor) -> wp.array:
    """The tensor's last axis as one vector each."""
    vector = wp.types.vector(length=tensor.shape[-1], dtype=wp.float32)
    return wp.from_torch(tensor.detach().contiguous(), dtype=vector)


def _by_level(features: torch.Tensor, config: HashGridConfig) -> wp.array:
    """Features of points as vectors (N, L)."""
    return _vectors(features.reshape(len(features), config.levels, config.features))


def _gather(
    positions: torch.Tensor,
    table: torch.Tensor,
    config: HashGridConfig,
    tangents: torch.Tensor | None = None,
) -> torch.Tensor:
    """Σ w_c t_c, or with tangents its derivative along them, (N, W)."""
    features = positions.new_empty(len(positions), config.levels, config.features)
    arrays = _vectors(table), _vectors(features)
    _run(_gather_kernel, config, positions, tangents, *arrays)
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
    slopes = positions.new_zeros(positions.shape if wanted[0] else (0, 3))
    rows = table.new_zeros(table.shape if wanted[1] else (0, config.features))
    arrays = _vectors(table), _by_level(cotangents, config), _vectors(slopes), _vectors(rows)
    _run(_adjoint_kernel, config, positions, tangents, *arrays)
    return slopes if wanted[0] else None, rows if wanted[1] else None


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


def hash_encode(
    positions: torch.Tensor, table: torch.Tensor, *, config: HashGridConfig
) -> torch.Tensor:
    """Features of points, f32 (N, W), those of the coarsest level first.

    Gradients reach the positions and the table, and these gradients have exact gradients in turn.
    Across the faces of cells those to the positions jump. On a CPU sums have a fixed order; on CUDA
    the order in which threads add to a row, and with it the last bits, changes.

    Args:
        positions: Points in the unit cube, f32 (N, 3).
        table: Rows of all levels, f32 `config.table_shape`.
        config: Sizes, W = `config.width`.

    Raises:
        ValueError: if an argument has another shape, type or device.
    """
    check_tensor("positions", positions, (None, 3), device=positions.device)
    check_tensor("table", table, config.table_shape, device=positions.device)
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
        table: Rows of all levels, f32 `config.table_shape`.
        cotangents: Gradients of a scalar per point in its features, f32 (N, W).
        config: Sizes, W = `config.width`.

    Raises:
        ValueError: if an argument has another shape, type or device.
    """
    device, shape = positions.device, (len(positions), config.width)
    check_tensor("positions", positions, (None, 3), device=device)
    check_tensor("table", table, config.table_shape, device=device)
    check_tensor("cotangents", cotangents, shape, device=device)
    return _Adjoint.apply(positions, table, cotangents, config, (True, False))[0]
