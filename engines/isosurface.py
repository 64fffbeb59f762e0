# SPDX-License-Identifier: Apache-2.0
"""The surface of a signed distance field, found with few evaluations of the field."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, ReconstructionError
from recon_node.kernels.lattice_bounds import lattice_bounds
from recon_node.kernels.marching_cubes import marching_cubes

SignedDistance = Callable[[np.ndarray], np.ndarray]

_CUBE = np.array(list(itertools.product((0, 1), repeat=3)), np.int32)  # (8, 3)
_AXES = np.vstack([np.eye(3, dtype=np.int32), -np.eye(3, dtype=np.int32)])  # (6, 3)


@dataclass(frozen=True, eq=False)
class Isosurface:
    """A closed surface in the canonical cube.

    Attributes:
        vertices: f32 (V, 3) [canonical].
        faces: i32 (F, 3), counter-clockwise seen from outside.
        query_count: number of points at which the field was evaluated.
    """

    vertices: np.ndarray
    faces: np.ndarray
    query_count: int

    def __post_init__(self) -> None:
        self.vertices.flags.writeable = False
        self.faces.flags.writeable = False


class _Samples:
    """The field on the finest lattice, as far as it is known.

    A value of 0 means not known yet. Any other value has the sign of the field, and is either the
    field itself or certified: a bound that the field exceeds in magnitude. The lattice covers the
    cube and `margin` layers around it, never known, that neighbours of its faces fall on.
    """

    def __init__(
        self, sdf: SignedDistance, *, resolution: int, margin: int, lipschitz: float
    ) -> None:
        side = resolution + 1 + 2 * margin
        self.spacing = 2.0 / resolution
        self.slope = lipschitz * self.spacing
        self.margin = margin
        self.shape = (side, side, side)
        self.values = np.zeros(side**3, np.float32)
        self.evaluated = np.zeros(side**3, bool)
        self.query_count = 0
        self._strides = np.array([side * side, side, 1], np.int32)
        self._axis = ((np.arange(side) - margin) * self.spacing - 1.0).astype(np.float32)
        self._cut = np.float32(lipschitz) * (np.abs(self._axis) - np.float32(1 - self.spacing / 2))
        self._sdf = sdf

    def lattice(self, side: int, step: int) -> np.ndarray:
        """Flat indices i32 (side, side, side) of every step-th sample from the cube's corner on."""
        i, j, k = (self.margin + step * np.arange(side, dtype=np.int32)) * self._strides[:, None]
        return i[:, None, None] + j[:, None] + k

    def bounds(
        self, points: np.ndarray, steps: np.ndarray, distances: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of the field at points, f32 (N,) each, from known samples.

        f(p) ≥ f(q) - L |p - q| and f(p) ≤ f(q) + L |p - q|.

        Args:
            points: flat indices, i32 (N,).
            steps: from each point to the samples q, i32 (K, 3).
            distances: |p - q| [samples], (K,).
        """
        changes = (self.slope * distances).astype(np.float32)
        return lattice_bounds(self.values, points, self.offset(steps), changes)

    def extrema(self, points: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest known sample, f32 (N,) each, at steps (K, 3) from points."""
        highest, lowest = self.bounds(points, steps, np.zeros(len(steps)))
        return lowest, highest

    def offset(self, steps: np.ndarray) -> np.ndarray:
        """Distances in flat order, i32 (K,), of steps (K, 3) along the axes."""
        return (steps @ self._strides).astype(np.int32)

    def evaluate(self, points: np.ndarray) -> None:
        """Ask the field for its values at points, flat indices i32 (N,)."""
        if len(points) == 0:
            return
        side = self._strides[1]
        column = points // side
        i = column // side
        index = (i, column - i * side, points - column * side)
        positions = np.empty((len(points), 3), np.float32)
        for axis in range(3):
            positions[:, axis] = self._axis[index[axis]]
        field = np.asarray(self._sdf(positions), np.float32)
        if field.shape != (len(points),) or not np.isfinite(field).all():
            raise ReconstructionError(
                f"the field gave {field.shape} values for {len(points)} points, or some that are "
                "not finite; the weights of its model may be damaged: install them again"
            )
        # The field is cut by a cube half a sample smaller, which closes surfaces that leave it.
        # The cut is as steep as the field may be, so bounds hold for both.
        for axis in range(3):
            field = np.maximum(field, self._cut[index[axis]])
        field[field == 0.0] = np.finfo(np.float32).tiny
        self.values[points] = field
        self.evaluated[points] = True
        self.query_count += len(points)

    def certify(self, points: np.ndarray, steps: np.ndarray, least: float) -> np.ndarray:
        """Give points the bounds that known samples imply; returns the points not settled, i32.

        Args:
            points: flat indices, i32 (N,).
            steps: from each point to the samples to use, i32 (K, 3).
            least: magnitude up to which a bound is not worth keeping [samples].
        """
        lower, upper = self.bounds(points, steps, np.linalg.norm(steps, axis=1))
        outside, inside = lower > self.slope * least, upper < -self.slope * least
        settled = outside != inside
        bound = np.where(outside, lower, upper)
        self.values[points[settled]] = bound[settled]
        return points[~settled]

    def sharpen(self, cells: np.ndarray) -> bool:
        """Whether signs turned out wrong when the ends of crossed edges were evaluated.

        Surface vertices are interpolated from these ends, and bounds would misplace them. A wrong
        sign, possible where the field is steeper than assumed, opens other edges to check.

        Args:
            cells: flat indices of first corners, i32 (M,); their edges from there are looked at.
        """
        ends = []
        for stride in self._strides:
            crossed = (self.values[cells] > 0) != (self.values[cells + stride] > 0)
            ends += [cells[crossed], cells[crossed] + stride]
        ends = np.concatenate(ends)
        any_wrong = False
        while len(ends):
            ends = np.unique(ends[~self.evaluated[ends]])
            expected = self.values[ends] > 0
            self.evaluate(ends)
            wrong = ends[(self.values[ends] > 0) != expected]
            any_wrong |= len(wrong) > 0
            beside = wrong[:, None] + self.offset(_AXES)
            opposite = (self.values[beside] > 0) != (self.values[wrong] > 0)[:, None]
            ends = beside[opposite & (self.values[beside] != 0)]
        return any_wrong


def _crossable(samples: _Samples, cells: np.ndarray, step: int) -> np.ndarray:
    """Which cells the surface may cross, bool (N,); cells are flat indices of first corners.

    The surface misses a cell whose corners share a sign if all are farther from zero than the
    field can change on the way to the centre, or one is farther than there and back.
    """
    lowest, highest = samples.extrema(cells, step * _CUBE)
    reach = np.float32(samples.slope * step * 0.75**0.5)
    outside = (lowest > 0) & ((lowest > reach) | (highest > 2 * reach))
    inside = (highest < 0) & ((highest < -reach) | (lowest < -2 * reach))
    return ~(outside | inside)


def _touched(cells: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Which points half a cell along `shift` from lattice points are in or on a chosen cell.

    Args:
        cells: chosen cells, bool (n, n, n).
        shift: 1 for half a cell along an axis, 0 for none, (3,).

    Returns:
        bool (n + 1, n + 1, n + 1).
    """
    points = np.pad(cells, (0, 1))
    for axis in np.flatnonzero(shift == 0):
        points |= np.roll(points, 1, axis)
    return points


def _halve(samples: _Samples, cells: np.ndarray, step: int, least: float) -> None:
    """Make the samples halfway between the corners of chosen cells known.

    Centres come first, then the middles of faces, then those of edges: each kind has the kinds
    before it as neighbours, and is evaluated only where these do not settle it.

    Args:
        samples: the samples, known at the corners of the cells.
        cells: chosen cells, bool (n, n, n).
        step: side of a cell [samples].
        least: as for `_Samples.certify`.
    """
    half = step // 2
    lattice = samples.lattice(len(cells) + 1, step).ravel()
    for shifted_axes in (3, 2, 1):
        unsettled = []
        for shift in _CUBE[_CUBE.sum(axis=1) == shifted_axes]:
            first = lattice[np.flatnonzero(_touched(cells, shift))]
            corners = np.unique(shift * (2 * _CUBE - 1), axis=0)
            beside = _AXES[_AXES @ shift == 0]
            steps = half * np.concatenate([corners, beside])
            unsettled.append(samples.certify(first + samples.offset(half * shift), steps, least))
        samples.evaluate(np.concatenate(unsettled))


def _entered(samples: _Samples, cells: np.ndarray, step: int) -> np.ndarray:
    """Cells not chosen that the surface enters through a face of a chosen one, bool (n, n, n)."""
    entered = np.zeros_like(cells)
    lattice = samples.lattice(len(cells), step).ravel()
    square = np.array(list(itertools.product(range(step + 1), repeat=2)), np.int32)
    for axis in range(3):
        # Rolling also pairs the cube's opposite sides, where all samples are outside.
        border = np.flatnonzero(cells ^ np.roll(cells, 1, axis))
        lowest, highest = samples.extrema(lattice[border], np.insert(square, axis, 0, axis=1))
        crossed = np.zeros_like(cells)
        crossed.ravel()[border[(lowest < 0) & (highest > 0)]] = True
        entered |= crossed | np.roll(crossed, -1, axis)
    return entered & ~cells


def _narrow(samples: _Samples, coarse: int, step: int) -> np.ndarray:
    """The cells of two samples a side that the surface may cross, bool (n, n, n), all known."""
    samples.evaluate(samples.lattice(coarse + 1, step).ravel())
    cells = np.ones((coarse, coarse, coarse), bool)
    while True:
        chosen = np.flatnonzero(cells)
        first = samples.lattice(len(cells), step).ravel()[chosen]
        cells.ravel()[chosen] = _crossable(samples, first, step)
        _halve(samples, cells, step, least=0.25 * step if step > 2 else 0.0)
        if step == 2:
            return cells
        cells = cells.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        step //= 2


def _crossed_cells(samples: _Samples, cells: np.ndarray) -> np.ndarray:
    """The cells of one sample a side that the surface crosses, flat indices i32 (N,) in order.

    The field is evaluated at all ends of edges with a change of sign. Where it turns out steeper
    than assumed, the surface is followed out of the chosen cells, without any assumption.

    Args:
        samples: the samples, known in the chosen cells.
        cells: chosen cells of two samples a side, bool (n, n, n).
    """
    lattice = samples.lattice(len(cells), 2).ravel()
    within = np.array(list(itertools.product(range(3), repeat=3)), np.int32)
    while True:
        first = (lattice[np.flatnonzero(cells)][:, None] + samples.offset(_CUBE)).ravel()
        lowest, highest = samples.extrema(first, _CUBE)
        crossed = np.sort(first[(lowest < 0) & (highest > 0)])
        any_wrong = samples.sharpen(crossed)
        entered = _entered(samples, cells, 2)
        if not any_wrong and not entered.any():
            return crossed
        cells = cells | entered
        points = np.unique(lattice[np.flatnonzero(entered)][:, None] + samples.offset(within))
        samples.evaluate(points[samples.values[points] == 0])


def extract_isosurface(
    sdf: SignedDistance, *, resolution: int = 128, coarse: int = 32, lipschitz: float = 1.5
) -> Isosurface:
    """The zero level of a signed distance field in the canonical cube as a closed mesh.

    The result is the one of marching cubes on all (resolution + 1)³ samples, but most samples are
    never asked for. With |f(p) - f(q)| ≤ L |p - q| a sample settles the sign of others around it;
    only samples whose sign is open after that are evaluated, level by level from the coarse
    lattice, and those beside a change of sign, from which vertices are interpolated (the
    Lipschitz bound of sphere tracing, Hart 1996, on a lattice).

    The field may be saturated, that is, clipped at ±c: a clipped field is no steeper. But bounds
    are lost below c = √3 L / coarse, where every cell has to be refined: with coarse = 32 and
    L = 1.5, keep c ≥ 0.082. A field saturated later allows a coarser first lattice: c ≥ 0.17
    for coarse = 16. Where the field is steeper than L the surface is still found if any part of
    it was, since it is followed from cell to cell; only parts that no sample hints at are lost.

    Args:
        sdf: points f32 (N, 3) [canonical, in [-1, 1]³] to signed distances f32 (N,), negative
            inside. It is called about eight times, with up to some 40 000 points at once.
        resolution: cells a side of the finest lattice.
        coarse: cells a side of the first lattice; `resolution` is that times 2, 4, 8, …
        lipschitz: L, the largest slope of the field: 1 for a true distance in canonical units;
            the default leaves a predicted one room for error. A field scaled by s needs L scaled
            by s.

    Returns:
        A closed surface: every edge in exactly two faces, in opposite directions. Where the field
        is negative at the cube's faces the surface ends in a flat cap half a cell inside.

    Raises:
        InvalidInputError: numbers that do not fit together.
        EmptySurfaceError: no sample is inside.
        ReconstructionError: the field gave another number of values, or NaN, or infinity.
    """
    ratio = resolution // max(coarse, 1)
    if coarse < 1 or ratio * coarse != resolution or ratio < 2 or ratio & (ratio - 1):
        raise InvalidInputError(
            f"resolution {resolution} is not {coarse} times 2, 4, 8, …; choose coarse so that it is"
        )
    if not 0 < lipschitz < np.inf:
        raise InvalidInputError(f"lipschitz must be positive and finite, got {lipschitz}")
    samples = _Samples(sdf, resolution=resolution, margin=ratio // 2, lipschitz=lipschitz)
    cells = _crossed_cells(samples, _narrow(samples, coarse, ratio))
    if len(cells) == 0:
        nearest = samples.values[samples.evaluated].min()
        raise EmptySurfaceError(
            f"the field has no inside in the cube: the smallest of its {samples.query_count} "
            f"samples is {nearest:.3g}; check that the mask shows the object, or use the engine "
            "'hull'"
        )
    vertices, faces = marching_cubes(
        samples.values.reshape(samples.shape),
        cells=cells,
        origin=(-1.0 - samples.margin * samples.spacing,) * 3,
        spacing=samples.spacing,
    )
    return Isosurface(vertices, faces, samples.query_count)
