# SPDX-License-Identifier: Apache-2.0
"""A lattice of which only some bricks have samples: halving cells, changes of sign, crossed cells.

A brick is a cube of 2^shift samples a side. `pages` says for every brick of the lattice where its
samples begin in the flat array of all samples, or -1.
"""

from collections.abc import Callable

import numpy as np
import warp as wp

from recon_node.kernels.marching_cubes import polygonise

_EIGHTHS = np.argwhere(np.ones((2, 2, 2))).astype(np.int32)  # (8, 3)


@wp.func
def _place(pages: wp.array3d(dtype=wp.int32), shift: wp.int32, sample: wp.vec3i):
    """Where a sample of the lattice lies in the flat array; its brick must have samples."""
    rest = (1 << shift) - 1
    first = pages[sample[0] >> shift, sample[1] >> shift, sample[2] >> shift]
    inner = (((sample[0] & rest) << shift) + (sample[1] & rest)) << shift
    return first + inner + (sample[2] & rest)


@wp.kernel(enable_backward=False)
def _halve_kernel(
    pages: wp.array3d(dtype=wp.int32),
    shift: wp.int32,
    values: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.uint8),
    cells: wp.array(dtype=wp.vec3i),
    bounds: wp.array(dtype=wp.float32),
    half: wp.int32,
    wanted: wp.array(dtype=wp.uint8),
):
    i = wp.tid()
    for point in range(27):
        x = point / 9
        y = (point / 3) % 3
        z = point % 3
        place = _place(pages, shift, cells[i] + half * wp.vec3i(x, y, z))
        if known[place] == wp.uint8(0):
            total = wp.float32(0.0)
            count = wp.float32(0.0)
            for a in range(x / 2, (x + 1) / 2 + 1):
                for b in range(y / 2, (y + 1) / 2 + 1):
                    for c in range(z / 2, (z + 1) / 2 + 1):
                        corner = cells[i] + 2 * half * wp.vec3i(a, b, c)
                        total = total + values[_place(pages, shift, corner)]
                        count = count + 1.0
            # Corners themselves, of which some are interpolated, stay as they are.
            if count > 1.0:
                values[place] = total / count
                if wp.abs(total / count) <= bounds[i]:
                    wanted[place] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def _judge_kernel(
    pages: wp.array3d(dtype=wp.int32),
    shift: wp.int32,
    values: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.uint8),
    cells: wp.array(dtype=wp.vec3i),
    half: wp.int32,
    caution: wp.float32,
    margin: wp.float32,
    bounds: wp.array2d(dtype=wp.float32),
    is_open: wp.array2d(dtype=wp.uint8),
):
    i, part = wp.tid()
    first = cells[i] + half * wp.vec3i(part / 4, (part / 2) % 2, part % 2)
    bound = wp.float32(0.0)
    for axis in range(3):
        along = wp.vec3i(0, 0, 0)
        along[axis] = half
        bend = wp.float32(0.0)
        for line in range(4):
            start = first
            start[(axis + 1) % 3] = start[(axis + 1) % 3] + half * (line / 2)
            start[(axis + 2) % 3] = start[(axis + 2) % 3] + half * (line % 2)
            start[axis] = cells[i][axis]
            a = values[_place(pages, shift, start)]
            b = values[_place(pages, shift, start + along)]
            c = values[_place(pages, shift, start + along + along)]
            bend = wp.max(bend, wp.abs(a - 2.0 * b + c))
        bound = bound + bend
    bound = wp.max(caution * bound, margin)
    lowest = wp.float32(wp.inf)
    highest = wp.float32(-wp.inf)
    for corner in range(8):
        offset = half * wp.vec3i(corner / 4, (corner / 2) % 2, corner % 2)
        value = values[_place(pages, shift, first + offset)]
        lowest = wp.min(lowest, value)
        highest = wp.max(highest, value)
    bounds[i, part] = bound
    if lowest > bound or highest < -bound:
        # The rest of the cell's samples, but no corner of another: it takes part in no halving.
        for x in range(half + 1):
            for y in range(half + 1):
                for z in range(half + 1):
                    if x % half + y % half + z % half > 0:
                        place = _place(pages, shift, first + wp.vec3i(x, y, z))
                        if known[place] == wp.uint8(0):
                            values[place] = lowest
        is_open[i, part] = wp.uint8(0)
    else:
        is_open[i, part] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def _ends_kernel(
    pages: wp.array3d(dtype=wp.int32),
    shift: wp.int32,
    values: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.uint8),
    bricks: wp.array(dtype=wp.vec3i),
    wanted: wp.array(dtype=wp.uint8),
):
    i, inner = wp.tid()
    rest = (1 << shift) - 1
    local = wp.vec3i(inner >> (2 * shift), (inner >> shift) & rest, inner & rest)
    sample = (1 << shift) * bricks[i] + local
    here = _place(pages, shift, sample)
    for axis in range(3):
        beside = sample
        beside[axis] = beside[axis] + 1
        there = _place(pages, shift, beside)
        if (values[here] < 0.0) != (values[there] < 0.0):
            if known[here] == wp.uint8(0):
                wanted[here] = wp.uint8(1)
            if known[there] == wp.uint8(0):
                wanted[there] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def _crossed_kernel(
    pages: wp.array3d(dtype=wp.int32),
    shift: wp.int32,
    values: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.uint8),
    chosen: wp.array3d(dtype=wp.uint8),
    bricks: wp.array(dtype=wp.vec3i),
    crossed: wp.array2d(dtype=wp.uint8),
):
    i, inner = wp.tid()
    rest = (1 << shift) - 1
    local = wp.vec3i(inner >> (2 * shift), (inner >> shift) & rest, inner & rest)
    sample = (1 << shift) * bricks[i] + local
    case = wp.int32(0)
    for corner in range(8):
        offset = wp.vec3i(corner & 1, (corner >> 1) & 1, corner >> 2)
        if values[_place(pages, shift, sample + offset)] < 0.0:
            case = case | (1 << corner)
    code = wp.int32(0)
    if case != 0 and case != 255:
        code = wp.int32(1)
        for axis in range(3):
            # Corners on the face at the cell's start, one bit each.
            face = wp.int32(0)
            for corner in range(8):
                if ((corner >> axis) & 1) == 0:
                    face = face | (1 << corner)
            beside = bricks[i]
            if local[axis] == 0 and beside[axis] > 0:
                beside[axis] = beside[axis] - 1
                cut = case & face
                if chosen[beside[0], beside[1], beside[2]] == wp.uint8(0):
                    if cut != 0 and cut != face:
                        code = code | (2 << (2 * axis))
            beside = bricks[i]
            if local[axis] == rest and beside[axis] < chosen.shape[0] - 1:
                beside[axis] = beside[axis] + 1
                cut = case & (255 - face)
                if chosen[beside[0], beside[1], beside[2]] == wp.uint8(0):
                    if cut != 0 and cut != 255 - face:
                        code = code | (4 << (2 * axis))
    crossed[i, inner] = wp.uint8(code)


@wp.kernel(enable_backward=False)
def _corners_kernel(
    pages: wp.array3d(dtype=wp.int32),
    shift: wp.int32,
    cells: wp.array(dtype=wp.vec3i),
    corners: wp.array2d(dtype=wp.int32),
):
    i, corner = wp.tid()
    offset = wp.vec3i(corner & 1, (corner >> 1) & 1, corner >> 2)
    corners[i, corner] = _place(pages, shift, cells[i] + offset)


@wp.kernel(enable_backward=False)
def _put_kernel(
    places: wp.array(dtype=wp.int32),
    given: wp.array(dtype=wp.float32),
    values: wp.array(dtype=wp.float32),
    known: wp.array(dtype=wp.uint8),
):
    i = wp.tid()
    values[places[i]] = given[i]
    known[places[i]] = wp.uint8(1)


class BrickLattice:
    """Samples of a lattice in bricks, negative inside, each known or interpolated.

    Places are indices into the samples in the order of the bricks, indices are coordinates in the
    lattice. A cell is given by its first corner. Cells of the finest level have a sample a side.

    Args:
        brick_count: Bricks along each axis; those at the end only hold the border of others.
        shift: Bricks have 2^shift samples a side.
        device: Warp device name.
    """

    def __init__(self, brick_count: int, *, shift: int, device: str = "cpu"):
        self._shift = shift
        self._device = device
        self._pages = np.full((brick_count,) * 3, -1, np.int32)
        self._bricks = np.empty((0, 3), np.int32)  # in the order of their samples
        self._values, self._known = self._sent(np.empty(0, np.float32), np.empty(0, np.uint8))

    def add(self, bricks: np.ndarray, firsts: np.ndarray) -> None:
        """Gives bricks samples, where they have none yet.

        Args:
            bricks: Their coordinates, i32 (B, 3), each once.
            firsts: The field at their first samples, f32 (B,).
        """
        new = self._pages[tuple(bricks.T)] < 0
        bricks, size = bricks[new], 8**self._shift
        before = len(self._bricks)
        places = size * np.arange(before, before + len(bricks), dtype=np.int32)
        self._pages[tuple(bricks.T)] = places
        self._bricks = np.concatenate([self._bricks, bricks])
        grown = np.zeros(size * len(bricks), np.float32), np.zeros(size * len(bricks), np.uint8)
        self._values, self._known = self._sent(
            np.concatenate([self._values.numpy(), grown[0]]),
            np.concatenate([self._known.numpy(), grown[1]]),
        )
        (self._sent_pages,) = self._sent(self._pages)
        self.put(places, firsts[new])

    def put(self, places: np.ndarray, values: np.ndarray) -> None:
        """Makes the field's values f32 (N,) known at places i32 (N,)."""
        inputs = self._sent(places, values)
        self._launch(_put_kernel, len(places), inputs, [self._values, self._known])

    def indices(self, places: np.ndarray) -> np.ndarray:
        """Lattice coordinates i32 (N, 3) of places i32 (N,)."""
        brick, inner = places >> 3 * self._shift, places & (8**self._shift - 1)
        return (self._bricks[brick] << self._shift) + self._inner(inner)

    def halve(self, cells: np.ndarray, bounds: np.ndarray, half: int) -> np.ndarray:
        """Interpolates halfway between corners of cells; returns the places of open sign, i32 (N,).

        The middles of edges, faces and cells become the means of the corners around them, where
        they are not known. Their sign is open if the mean is within the bound.

        Args:
            cells: i32 (M, 3), their corners known or interpolated.
            bounds: How far the field may be from its interpolation in each cell, f32 (M,).
            half: Half the side of a cell [samples].
        """
        return self._wanted(_halve_kernel, len(cells), *self._sent(cells, bounds), half)

    def judge(
        self, cells: np.ndarray, half: int, *, caution: float, margin: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The open ones among the eighths of halved cells, i32 (N, 3), and their bounds f32 (N,).

        An eighth's bound is caution times the sum over the axes of |a - 2 b + c|, where a, b, c
        are samples in a row of the cell and the largest of the four rows along the eighth counts;
        but at least the margin. The surface may cross the eighth unless all its corners are
        beyond the bound on one side; then its other samples get that sign.

        Args:
            cells: i32 (M, 3).
            half: Half the side of a cell [samples].
            caution: Factor of the bounds.
            margin: Least bound.
        """
        count = len(cells)
        bounds, is_open = self._sent(
            np.empty((count, 8), np.float32), np.empty((count, 8), np.uint8)
        )
        inputs = [*self._samples(), *self._sent(cells), half, caution, margin]
        self._launch(_judge_kernel, (count, 8), inputs, [bounds, is_open])
        chosen = is_open.numpy() == 1
        return (cells[:, None] + half * _EIGHTHS)[chosen], bounds.numpy()[chosen]

    def open_ends(self, bricks: np.ndarray) -> np.ndarray:
        """Places not known at ends of crossed lattice edges, i32 (N,), in bricks i32 (B, 3)."""
        return self._wanted(_ends_kernel, (len(bricks), 8**self._shift), *self._sent(bricks))

    def crossed(self, bricks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The finest cells that the surface crosses in bricks, and the bricks it goes on to.

        Args:
            bricks: All of which all samples are known or interpolated, i32 (B, 3).

        Returns:
            Cells i32 (N, 3) in the order of the lattice, and bricks not among those given, beside
            them, that the surface enters, i32 (E, 3), each once.
        """
        chosen = np.zeros(self._pages.shape, np.uint8)
        chosen[tuple(bricks.T)] = 1
        codes = np.empty((len(bricks), 8**self._shift), np.uint8)
        sent, of_bricks, codes = self._sent(chosen, bricks, codes)
        self._launch(_crossed_kernel, codes.shape, [*self._samples(), sent, of_bricks], [codes])
        codes = codes.numpy()
        entered = []
        for axis in range(3):
            for bit, step in ((2, -1), (4, 1)):
                left = (codes & np.uint8(bit << 2 * axis)).any(axis=1)
                entered.append(bricks[left] + step * np.eye(3, dtype=np.int32)[axis])
        brick, inner = np.nonzero(codes)
        cells = (bricks[brick] << self._shift) + self._inner(inner.astype(np.int32))
        order = np.ravel_multi_index(cells.T, (len(chosen) << self._shift,) * 3).argsort()
        entered = np.concatenate(entered)
        inside = (entered < len(chosen) - 1).all(axis=1)
        return cells[order], np.unique(entered[inside], axis=0)

    def polygonise(
        self,
        cells: np.ndarray,
        *,
        transform: Callable[[np.ndarray], np.ndarray],
        side: int,
        origin: float,
        spacing: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and faces of the surface in cells, open at the border of the lattice.

        Args:
            cells: All that the surface crosses, i32 (N, 3).
            transform: Applied to the samples first; it keeps their signs.
            side: Samples of the lattice along each axis.
            origin: Each coordinate of the first sample.
            spacing: Distance between samples.
        """
        (corners,) = self._sent(np.empty((len(cells), 8), np.int32))
        inputs = [self._sent_pages, self._shift, *self._sent(cells)]
        self._launch(_corners_kernel, corners.shape, inputs, [corners])
        return polygonise(
            transform(self._values.numpy()),
            corners.numpy(),
            cells,
            shape=(side,) * 3,
            origin=(origin,) * 3,
            spacing=spacing,
            closed=False,
            device=self._device,
        )

    def _inner(self, inner: np.ndarray) -> np.ndarray:
        """Coordinates in a brick, i32 (N, 3), of places counted from its first one."""
        shifts = self._shift * np.arange(2, -1, -1, dtype=np.int32)
        return inner[:, None] >> shifts & ((1 << self._shift) - 1)

    def _samples(self) -> list:
        return [self._sent_pages, self._shift, self._values, self._known]

    def _wanted(self, kernel: wp.Kernel, dim: int | tuple[int, int], *inputs: object) -> np.ndarray:
        """Places that a kernel marks, i32 (N,)."""
        (wanted,) = self._sent(np.zeros(self._values.size, np.uint8))
        self._launch(kernel, dim, [*self._samples(), *inputs], [wanted])
        return np.flatnonzero(wanted.numpy()).astype(np.int32)

    def _sent(self, *arrays: np.ndarray) -> list[wp.array]:
        """Arrays on the device; rows of three integers as vectors."""
        sent = []
        for array in arrays:
            vectors = array.dtype == np.int32 and array.ndim == 2 and array.shape[1] == 3
            kind = {"dtype": wp.vec3i} if vectors else {}
            array = np.ascontiguousarray(array)
            sent.append(wp.array(array, device=self._device, copy=False, **kind))
        return sent

    def _launch(self, kernel: wp.Kernel, dim: object, inputs: list, outputs: list) -> None:
        wp.launch(kernel, dim=dim, inputs=inputs, outputs=outputs, device=self._device)
