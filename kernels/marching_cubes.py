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
def _corner_offset(corner: wp.int32, shape: wp.vec3i):
    """Distance in the flat lattice from a cell's first corner to its corner of that number."""
    return ((corner & 1) * shape[1] + ((corner >> 1) & 1)) * shape[2] + ((corner >> 2) & 1)


@wp.func
def _lattice_index(cell: wp.int32, shape: wp.vec3i):
    """Lattice coordinates of a cell's first corner."""
    column = cell / shape[2]
    x = column / shape[1]
    return wp.vec3i(x, column - x * shape[1], cell - column * shape[2])


@wp.func
def _closed_value(
    values: wp.array(dtype=wp.float32),
    cell: wp.int32,
    index: wp.vec3i,
    corner: wp.int32,
    shape: wp.vec3i,
):
    """The sample at a cell's corner, zero where a sample of the outermost layer is negative."""
    value = values[cell + _corner_offset(corner, shape)]
    if value < 0.0:
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
    cells: wp.array(dtype=wp.int32),
    triangle_starts: wp.array(dtype=wp.int32),
    cases: wp.array(dtype=wp.int32),
    rank_of_cell: wp.array(dtype=wp.int32),
    vertex_counts: wp.array(dtype=wp.int32),
    face_counts: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    case = wp.int32(0)
    index = _lattice_index(cells[i], shape)
    for corner in range(8):
        if _closed_value(values, cells[i], index, corner, shape) < 0.0:
            case = case | (1 << corner)
    cases[i] = case
    rank_of_cell[cells[i]] = i + 1
    # A cell owns the vertices on the three edges at its first corner.
    first = case & 1
    vertex_counts[i] = (
        (first ^ ((case >> 1) & 1)) + (first ^ ((case >> 2) & 1)) + (first ^ ((case >> 4) & 1))
    )
    face_counts[i] = triangle_starts[case + 1] - triangle_starts[case]


@wp.kernel(enable_backward=False)
def _vertex_kernel(
    values: wp.array(dtype=wp.float32),
    shape: wp.vec3i,
    cells: wp.array(dtype=wp.int32),
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
    index = _lattice_index(cells[i], shape)
    start = origin + spacing * wp.vec3(
        wp.float32(index[0]), wp.float32(index[1]), wp.float32(index[2])
    )
    a = _closed_value(values, cells[i], index, 0, shape)
    for axis in range(3):
        if (case & 1) != ((case >> (1 << axis)) & 1):
            b = _closed_value(values, cells[i], index, 1 << axis, shape)
            p = start
            p[axis] = p[axis] + spacing * wp.clamp(a / (a - b), _CLEARANCE, 1.0 - _CLEARANCE)
            vertices[row] = p
            row = row + 1


@wp.kernel(enable_backward=False)
def _face_kernel(
    shape: wp.vec3i,
    cells: wp.array(dtype=wp.int32),
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
    end = 3 * triangle_starts[case + 1]
    row = 3 * face_ends[i] - (end - begin)
    for k in range(begin, end):
        corner = triangle_edges[k] >> 2
        axis = triangle_edges[k] & 3
        owner = rank_of_cell[cells[i] + _corner_offset(corner, shape)] - 1
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
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """The surface where samples change sign, as (vertices f32 (V, 3), faces i32 (F, 3)).

    Marching cubes (Lorensen and Cline 1987) with the cases of `cube_cases.triangle_table`: every
    edge of the result is in exactly two faces, in opposite directions, for any input. Vertices
    sit where the linear interpolation along a lattice edge is zero, one vertex per edge.

    Args:
        values: Samples, negative inside, f32 (X, Y, Z). In the outermost layer negative samples
            count as zero, and zero is outside.
        cells: Flat indices into `values` of the first corners of the cells to visit, i32 (N,),
            each at most once. They must hold all cells that the surface crosses; more do no harm.
            Without it all cells are visited.
        origin: Position of values[0, 0, 0].
        spacing: Distance between samples.
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
        corners = np.arange(values.size, dtype=np.int32).reshape(values.shape)
        cells = corners[:-1, :-1, :-1].ravel()
    if len(cells) == 0:
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)

    vertices, triangles = _polygonise(values, cells, origin, spacing, device)
    if len(triangles) and triangles.min() < 0:
        raise ValueError("cells lack a cell that the surface crosses; pass all that may be crossed")
    return vertices, triangles


def _polygonise(
    values: np.ndarray,
    cells: np.ndarray,
    origin: tuple[float, float, float],
    spacing: float,
    device: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces as of `marching_cubes`; -1 stands for a vertex of a cell not visited."""

    def launch(kernel: wp.Kernel, inputs: list, outputs: list) -> None:
        wp.launch(kernel, dim=len(cells), inputs=inputs, outputs=outputs, device=device)

    def integers(count: int) -> wp.array:
        return wp.empty(count, dtype=wp.int32, device=device)

    shape = wp.vec3i(*values.shape)
    samples = wp.array(values.astype(np.float32, copy=False).ravel(), device=device, copy=False)
    visited = wp.array(np.ascontiguousarray(cells, np.int32), device=device, copy=False)
    starts, edges = _device_table(device)
    cases, vertex_ends, face_ends = (integers(len(cells)) for _ in range(3))
    rank_of_cell = wp.array(np.zeros(values.size, np.int32), device=device, copy=False)
    launch(
        _classify_kernel,
        [samples, shape, visited, starts],
        [cases, rank_of_cell, vertex_ends, face_ends],
    )
    for counts in (vertex_ends, face_ends):
        wp.utils.array_scan(counts, counts, inclusive=True)
    vertices = wp.empty(int(vertex_ends[-1:].numpy()[0]), dtype=wp.vec3, device=device)
    faces = integers(3 * int(face_ends[-1:].numpy()[0]))
    launch(
        _vertex_kernel,
        [samples, shape, visited, cases, vertex_ends, wp.vec3(*origin), spacing],
        [vertices],
    )
    launch(
        _face_kernel,
        [shape, visited, cases, rank_of_cell, vertex_ends, face_ends, starts, edges],
        [faces],
    )
    return vertices.numpy(), faces.numpy().reshape(-1, 3)
