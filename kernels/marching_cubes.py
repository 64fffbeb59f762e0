# SPDX-License-Identifier: Apache-2.0
"""Marching cubes over a sparse set of lattice cells: a welded, closed, outward mesh."""

import functools

import numpy as np
import warp as wp

from recon_node.kernels.cube_cases import CORNERS, EDGES, triangle_table

# Vertices keep this share of an edge away from its ends, so that no two of them ever coincide.
_CLEARANCE = wp.constant(wp.float32(1.0e-3))
# The corners of a block's first cell among its 3 x 3 x 3 samples, one bit each.
_CELL_OF_BLOCK = wp.constant(
    wp.int32(sum(1 << (9 * x + 3 * y + z) for x in (0, 1) for y in (0, 1) for z in (0, 1)))
)


@wp.func
def _closed_value(
    values: wp.array(dtype=wp.float32),
    sample: wp.int32,
    index: wp.vec3i,
    corner: wp.int32,
    shape: wp.vec3i,
    closed: wp.bool,
):
    """The sample at a cell's corner, zero where one to be closed at the border is negative."""
    value = values[sample]
    if closed and value < 0.0:
        for axis in range(3):
            k = index[axis] + ((corner >> axis) & 1)
            if k == 0 or k == shape[axis] - 1:
                return wp.float32(0.0)
    return value


@wp.kernel(enable_backward=False)
def _block_kernel(
    values: wp.array(dtype=wp.float32),
    shape: wp.vec3i,
    blocks: wp.array(dtype=wp.int32),
    crossed: wp.array(dtype=wp.uint8),
):
    i = wp.tid()
    inside = wp.int32(0)
    for x in range(3):
        for y in range(3):
            for z in range(3):
                if values[blocks[i] + (x * shape[1] + y) * shape[2] + z] < 0.0:
                    inside = inside | (1 << (9 * x + 3 * y + z))
    cells = wp.int32(0)
    for cell in range(8):
        first = 9 * (cell & 1) + 3 * ((cell >> 1) & 1) + (cell >> 2)
        corners = (inside >> first) & _CELL_OF_BLOCK
        if corners != 0 and corners != _CELL_OF_BLOCK:
            cells = cells | (1 << cell)
    crossed[i] = wp.uint8(cells)


@wp.kernel(enable_backward=False)
def _classify_kernel(
    values: wp.array(dtype=wp.float32),
    shape: wp.vec3i,
    closed: wp.bool,
    corners: wp.array2d(dtype=wp.int32),
    indices: wp.array(dtype=wp.vec3i),
    triangle_starts: wp.array(dtype=wp.int32),
    cases: wp.array(dtype=wp.int32),
    rank_of_cell: wp.array(dtype=wp.int32),
    vertex_counts: wp.array(dtype=wp.int32),
    face_counts: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    case = wp.int32(0)
    index = indices[i]
    for corner in range(8):
        if _closed_value(values, corners[i, corner], index, corner, shape, closed) < 0.0:
            case = case | (1 << corner)
    cases[i] = case
    rank_of_cell[corners[i, 0]] = i + 1
    # A cell owns the vertices on the three edges at its first corner.
    first = case & 1
    vertex_counts[i] = (
        (first ^ ((case >> 1) & 1)) + (first ^ ((case >> 2) & 1)) + (first ^ ((case >> 4) & 1))
    )
    face_counts[i] = triangle_starts[case + 1] - triangle_starts[case]
    for axis in range(3):
        if index[axis] == shape[axis] - 1:
            face_counts[i] = 0  # beyond the lattice: such a cell only owns vertices on its border


@wp.kernel(enable_backward=False)
def _vertex_kernel(
    values: wp.array(dtype=wp.float32),
    shape: wp.vec3i,
    closed: wp.bool,
    corners: wp.array2d(dtype=wp.int32),
    indices: wp.array(dtype=wp.vec3i),
    cases: wp.array(dtype=wp.int32),
    vertex_ends: wp.array(dtype=wp.int32),
    origin: wp.vec3,
    spacing: wp.float32,
    vertices: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    case = cases[i]
    if case == 0 or case == 255:
        return
    row = wp.int32(0)
    if i > 0:
        row = vertex_ends[i - 1]
    index = indices[i]
    start = origin + spacing * wp.vec3(
        wp.float32(index[0]), wp.float32(index[1]), wp.float32(index[2])
    )
    a = _closed_value(values, corners[i, 0], index, 0, shape, closed)
    for axis in range(3):
        if (case & 1) != ((case >> (1 << axis)) & 1):
            end = 1 << axis
            b = _closed_value(values, corners[i, end], index, end, shape, closed)
            p = start
            p[axis] = p[axis] + spacing * wp.clamp(a / (a - b), _CLEARANCE, 1.0 - _CLEARANCE)
            vertices[row] = p
            row = row + 1


@wp.kernel(enable_backward=False)
def _face_kernel(
    corners: wp.array2d(dtype=wp.int32),
    cases: wp.array(dtype=wp.int32),
    rank_of_cell: wp.array(dtype=wp.int32),
    vertex_ends: wp.array(dtype=wp.int32),
    face_ends: wp.array(dtype=wp.int32),
    triangle_starts: wp.array(dtype=wp.int32),
    triangle_edges: wp.array(dtype=wp.int32),
    faces: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    case = cases[i]
    begin = 3 * triangle_starts[case]
    row = wp.int32(0)
    if i > 0:
        row = 3 * face_ends[i - 1]
    for k in range(begin, begin + 3 * face_ends[i] - row):
        corner = triangle_edges[k] >> 2
        axis = triangle_edges[k] & 3
        owner = rank_of_cell[corners[i, corner]] - 1
        vertex = wp.int32(-1)
        if owner >= 0:
            # The owner's later edges come after this one, so count back from its last vertex.
            vertex = vertex_ends[owner] - 1
            for later in range(axis + 1, 3):
                vertex = vertex - ((cases[owner] & 1) ^ ((cases[owner] >> (1 << later)) & 1))
        faces[row + k - begin] = vertex


@functools.cache
def _device_table(device: str) -> tuple[wp.array, wp.array]:
    """The table on a device, each edge packed as 4 · first corner + axis."""
    starts, edges = triangle_table()
    packed = np.array([4 * corner + axis for corner, axis in EDGES], np.int32)[edges.ravel()]
    return wp.array(starts, device=device), wp.array(packed, device=device)


def crossed_cells(values: np.ndarray, blocks: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    """The cells in blocks of 2 x 2 x 2 with a change of sign, first corners i32 (N,) in order.

    Args:
        values: samples, negative inside, f32 (X, Y, Z).
        blocks: flat indices into `values` of the first corners of the blocks, i32 (M,).
        device: Warp device name.
    """
    crossed = wp.empty(len(blocks), dtype=wp.uint8, device=device)
    wp.launch(
        _block_kernel,
        dim=len(blocks),
        inputs=[
            wp.array(values.ravel(), device=device, copy=False),
            wp.vec3i(*values.shape),
            wp.array(blocks, device=device, copy=False),
        ],
        outputs=[crossed],
        device=device,
    )
    block, cell = np.nonzero(crossed.numpy()[:, None] >> np.arange(8, dtype=np.uint8) & 1)
    offsets = np.array(CORNERS, np.int32) @ np.array(
        [values.shape[1] * values.shape[2], values.shape[2], 1], np.int32
    )
    return np.sort(blocks[block] + offsets[cell])


def marching_cubes(
    values: np.ndarray,
    *,
    cells: np.ndarray | None = None,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    spacing: float = 1.0,
    closed: bool = True,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """The surface where samples change sign, as (vertices f32 (V, 3), faces i32 (F, 3)).

    Marching cubes (Lorensen and Cline 1987) with the cases of `cube_cases.triangle_table`: every
    edge of the result is in exactly two faces, in opposite directions, for any input. Vertices
    sit where the linear interpolation along a lattice edge is zero, one vertex per edge.

    Args:
        values: Samples, negative inside, f32 (X, Y, Z).
        cells: Flat indices into `values` of the first corners of the cells to visit, i32 (N,),
            each at most once. They must hold all cells that the surface crosses; more do no harm.
            Without it all cells are visited.
        origin: Position of values[0, 0, 0].
        spacing: Distance between samples.
        closed: In the outermost layer negative samples count as zero, and zero is outside.
            Without it a surface that leaves the lattice has its edge on the border, and `cells`
            needs the samples of the last layers too, for they own the vertices there.
        device: Warp device name.

    Returns:
        Vertices, and faces counter-clockwise seen from outside; both empty without a sign change.

    Raises:
        ValueError: `values` is not a 3-D array of fewer than 2³¹ samples, or `cells` lacks a cell
            that the surface crosses.
    """
    if values.ndim != 3 or min(values.shape) < 2 or values.size >= 2**31:
        raise ValueError(f"values need three axes of 2 or more samples, got shape {values.shape}")
    if cells is None:
        cells = _crossed(values, closed=closed)
    size = np.array(values.shape, np.int32)
    columns = cells // size[2]
    rows = columns // size[1]
    indices = np.stack([rows, columns - rows * size[1], cells - columns * size[2]], axis=1)
    ends = np.minimum(indices[:, None] + np.array(CORNERS, np.int32), size - 1)  # (N, 8, 3)
    corners = (ends[..., 0] * size[1] + ends[..., 1]) * size[2] + ends[..., 2]
    vertices, triangles = polygonise(
        values.ravel(),
        corners,
        indices,
        shape=values.shape,
        origin=origin,
        spacing=spacing,
        closed=closed,
        device=device,
    )
    if len(triangles) and triangles.min() < 0:
        raise ValueError("cells lack a cell that the surface crosses; pass all that may be crossed")
    return vertices, triangles


def _crossed(values: np.ndarray, *, closed: bool) -> np.ndarray:
    """The cells of a lattice with corners on both sides, first corners i32 (N,) in order."""
    inside = values < 0.0
    if closed:
        for axis in range(3):
            np.moveaxis(inside, axis, 0)[[0, -1]] = False
    every, some = inside, inside
    for axis in range(3):
        last = np.take(every, [-1], axis), np.take(some, [-1], axis)
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        every = every & np.concatenate([every[ahead], last[0]], axis)
        some = some | np.concatenate([some[ahead], last[1]], axis)
    return np.flatnonzero(some & ~every).astype(np.int32)


def polygonise(
    values: np.ndarray,
    corners: np.ndarray,
    indices: np.ndarray,
    *,
    shape: tuple[int, int, int],
    origin: tuple[float, float, float],
    spacing: float,
    closed: bool = True,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces as of `marching_cubes`, of cells whose samples lie in any order.

    Args:
        values: Samples, negative inside, f32 (S,).
        corners: Where the eight corners of each cell lie in `values`, i32 (N, 8), numbered as in
            `cube_cases.CORNERS`. Where a cell reaches beyond the lattice, the last sample within.
        indices: Lattice coordinates of the cells' first corners, i32 (N, 3).
        shape: Samples of the whole lattice along its axes.
        origin: Position of the lattice's first sample.
        spacing: As for `marching_cubes`.
        closed: As for `marching_cubes`.
        device: Warp device name.

    Returns:
        Vertices and faces; -1 stands for a vertex of a cell that is not among those given.
    """
    count = len(corners)
    if count == 0:
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)

    def launch(kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        wp.launch(kernel, dim=count, inputs=inputs, outputs=outputs, device=device)

    def integers(size: int) -> wp.array:
        return wp.empty(size, dtype=wp.int32, device=device)

    samples = wp.array(values.astype(np.float32, copy=False), device=device, copy=False)
    corners = wp.array(np.ascontiguousarray(corners, np.int32), device=device, copy=False)
    indices = np.ascontiguousarray(indices, np.int32)
    indices = wp.array(indices, dtype=wp.vec3i, device=device, copy=False)
    lattice = [samples, wp.vec3i(*shape), closed, corners, indices]
    starts, edges = _device_table(device)
    cases, vertex_ends, face_ends = (integers(count) for _ in range(3))
    rank_of_cell = wp.array(np.zeros(values.size, np.int32), device=device, copy=False)
    launch(_classify_kernel, [*lattice, starts], [cases, rank_of_cell, vertex_ends, face_ends])
    for counts in (vertex_ends, face_ends):
        wp.utils.array_scan(counts, counts, inclusive=True)
    vertices = wp.empty(int(vertex_ends[-1:].numpy()[0]), dtype=wp.vec3, device=device)
    faces = integers(3 * int(face_ends[-1:].numpy()[0]))
    launch(_vertex_kernel, [*lattice, cases, vertex_ends, wp.vec3(*origin), spacing], [vertices])
    launch(
        _face_kernel,
        [corners, cases, rank_of_cell, vertex_ends, face_ends, starts, edges],
        [faces],
    )
    return vertices.numpy(), faces.numpy().reshape(-1, 3)
