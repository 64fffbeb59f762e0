# SPDX-License-Identifier: Apache-2.0
"""The surface of a signed distance field, found with few evaluations of the field."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, ReconstructionError
from recon_node.kernels.lattice_bounds import lattice_bounds
from recon_node.kernels.marching_cubes import crossed_cells, marching_cubes

SignedDistance = Callable[[np.ndarray], np.ndarray]

_CUBE = np.array(list(itertools.product((0, 1), repeat=3)), np.int32)  # (8, 3)
_BLOCK = np.array(list(itertools.product((0, 1, 2), repeat=3)), np.int32)  # (27, 3)
_AXES = np.vstack([np.eye(3, dtype=np.int32), -np.eye(3, dtype=np.int32)])  # (6, 3)


def _stencils() -> list[tuple[np.ndarray, np.ndarray]]:
    """The points halfway between corners: centres of cells, middles of faces, middles of edges.

    Returns:
        For each of the three kinds, in units of half a cell: where its G points lie from a corner,
        i32 (G, 3), and the steps from them to corners and to points of the kind before,
        i32 (G, K, 3), of which the k-th is equally long for all G.
    """
    kinds = []
    for shifted_axes in (3, 2, 1):
        shifts = _CUBE[_CUBE.sum(axis=1) == shifted_axes]
        corners = [np.unique(shift * (2 * _CUBE - 1), axis=0) for shift in shifts]
        before = [_AXES[_AXES @ shift == 0] for shift in shifts]
        kinds.append((shifts, np.concatenate([corners, before], axis=1)))
    return kinds


_STENCILS = _stencils()


@dataclass(frozen=True, eq=False)
class Isosurface:
    """A surface in the canonical cube; closed unless who made it says otherwise.

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
        self._lipschitz = np.float32(lipschitz)
        self._sdf = sdf

    def points(self, chosen: np.ndarray, step: int) -> np.ndarray:
        """Flat indices, i32 (N,), of samples chosen from every step-th one in the cube.

        Args:
            chosen: which, counted from the cube's first corner, bool (n, n, n).
            step: distance between them [samples].
        """
        i, j, k = _unravel(np.flatnonzero(chosen).astype(np.int32), len(chosen))
        first = np.int32(self.margin * self._strides.sum())
        x, y, z = self._strides * np.int32(step)
        return i * x + j * y + k * z + first

    def bounds(
        self, groups: Sequence[np.ndarray], steps: np.ndarray, distances: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of the field at points, f32 (N,) each, from known samples.

        f(p) ≥ f(q) - L |p - q| and f(p) ≤ f(q) + L |p - q|.

        Args:
            groups: flat indices of points, G arrays i32 of N in all.
            steps: from the points of each group to their samples q, i32 (G, K, 3).
            distances: |p - q| [samples], (K,).
        """
        changes = (self.slope * distances).astype(np.float32)
        return lattice_bounds(self.values, groups, self.offset(steps), changes)

    def extrema(
        self, groups: Sequence[np.ndarray], steps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest known sample, f32 (N,) each; arguments as for `bounds`."""
        highest, lowest = self.bounds(groups, steps, np.zeros(steps.shape[1]))
        return lowest, highest

    def offset(self, steps: np.ndarray) -> np.ndarray:
        """Distances in flat order, i32 (…), of steps (…, 3) along the axes."""
        return (steps @ self._strides).astype(np.int32)

    def evaluate(self, points: np.ndarray) -> None:
        """Ask the field for its values at points, flat indices i32 (N,)."""
        if len(points) == 0:
            return
        positions = np.empty((len(points), 3), np.float32)
        for axis, index in enumerate(_unravel(points, self.shape[0])):
            positions[:, axis] = (index - self.margin) * self.spacing - 1.0
        field = np.asarray(self._sdf(positions), np.float32)
        if field.shape != (len(points),) or not np.isfinite(field).all():
            raise ReconstructionError(
                f"the field gave {field.shape} values for {len(points)} points, or some that are "
                "not finite; the weights of its model may be damaged: install them again"
            )
        # The field is cut by a cube half a sample smaller, which closes surfaces that leave it.
        # The cut is as steep as the field may be, so bounds hold for both.
        half_side = np.float32(1.0 - 0.5 * self.spacing)
        for axis in range(3):
            field = np.maximum(field, self._lipschitz * (np.abs(positions[:, axis]) - half_side))
        field[field == 0.0] = np.finfo(np.float32).tiny
        self.values[points] = field
        self.evaluated[points] = True
        self.query_count += len(points)

    def certify(self, groups: Sequence[np.ndarray], steps: np.ndarray, least: float) -> np.ndarray:
        """Give points the bounds that known samples imply; returns the points not settled, i32.

        Args:
            groups: as for `bounds`.
            steps: as for `bounds`; the k-th is equally long in all groups.
            least: magnitude up to which a bound is not worth keeping [samples].
        """
        points = np.concatenate(groups)
        lower, upper = self.bounds(groups, steps, np.linalg.norm(steps[0], axis=1))
        outside, inside = lower > self.slope * least, upper < -self.slope * least
        bound = np.where(outside, lower, upper)
        bound[outside == inside] = 0.0
        self.values[points] = bound
        return points[outside == inside]

    def sharpen(self, cells: np.ndarray) -> np.ndarray:
        """Evaluates the ends of crossed edges; returns those whose sign was wrong, i32 (N,).

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
        all_wrong = [ends[:0]]
        while len(ends):
            ends = np.unique(ends[~self.evaluated[ends]])
            expected = self.values[ends] > 0
            self.evaluate(ends)
            wrong = ends[(self.values[ends] > 0) != expected]
            all_wrong.append(wrong)
            beside = wrong[:, None] + self.offset(_AXES)
            opposite = (self.values[beside] > 0) != (self.values[wrong] > 0)[:, None]
            ends = beside[opposite & (self.values[beside] != 0)]
        return np.concatenate(all_wrong)


def _unravel(points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates i32 (N,) of flat indices i32 (N,) in a lattice; far faster than NumPy's own."""
    side = np.int32(side)
    columns = points // side
    planes = columns // side
    return planes, columns - planes * side, points - columns * side


def _crossable(samples: _Samples, cells: np.ndarray, step: int) -> np.ndarray:
    """Which cells the surface may cross, bool (N,); cells are flat indices of first corners.

    The surface misses a cell whose corners share a sign if all are farther from zero than the
    field can change on the way to the centre, or one is farther than there and back.
    """
    lowest, highest = samples.extrema([cells], step * _CUBE[None])
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
    n = len(cells)
    points = np.zeros((n + 1, n + 1, n + 1), bool)
    points[:n, :n, :n] = cells
    for axis in np.flatnonzero(shift == 0):
        layers = np.moveaxis(points, axis, 0)
        layers[1:] |= layers[:-1]
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
    for shifts, steps in _STENCILS:
        groups = [
            samples.points(_touched(cells, shift), step) + samples.offset(half * shift)
            for shift in shifts
        ]
        samples.evaluate(samples.certify(groups, half * steps, least))


def _narrow(samples: _Samples, coarse: int, step: int) -> np.ndarray:
    """The cells of two samples a side that the surface may cross, bool (n, n, n), all known."""
    samples.evaluate(samples.points(np.ones((coarse + 1,) * 3, bool), step))
    cells = np.ones((coarse,) * 3, bool)
    while True:
        cells[cells] = _crossable(samples, samples.points(cells, step), step)
        _halve(samples, cells, step, least=0.25 * step if step > 2 else 0.0)
        if step == 2:
            return cells
        cells = cells.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        step //= 2


def _entered(samples: _Samples, chosen: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Blocks not chosen that the surface enters through a face of the given ones, i32 (N,).

    Args:
        samples: the samples, known in chosen blocks.
        chosen: whether a block of two samples a side is chosen, at its first corner, bool (S,).
        blocks: chosen blocks, flat indices of first corners, i32 (M,).
    """
    outside, faces = [], []
    for axis in _AXES:
        beside = blocks + samples.offset(2 * axis)
        left = ~chosen[beside]
        outside.append(beside[left])
        faces.append(beside[left] if axis.sum() > 0 else blocks[left])
    squares = np.array([_BLOCK[_BLOCK @ axis == 0] for axis in _AXES])
    lowest, highest = samples.extrema(faces, squares)
    return np.unique(np.concatenate(outside)[(lowest < 0) & (highest > 0)])


def _crossed_cells(samples: _Samples, blocks: np.ndarray) -> np.ndarray:
    """The cells of one sample a side that the surface crosses, flat indices i32 (N,) in order.

    The field is evaluated at all ends of edges with a change of sign. Where it turns out steeper
    than assumed, the surface is followed out of the chosen blocks, without any assumption.

    Args:
        samples: the samples, known in the chosen blocks.
        blocks: chosen blocks of two samples a side, flat indices of first corners, i32 (M,).
    """
    values = samples.values.reshape(samples.shape)
    chosen = np.zeros(samples.values.size, bool)
    chosen[blocks] = True
    crossed = crossed_cells(values, blocks)
    wrong = samples.sharpen(crossed)
    entered = _entered(samples, chosen, blocks)
    if len(wrong) == len(entered) == 0:
        return crossed
    while len(entered):
        chosen[entered] = True
        points = np.unique(entered[:, None] + samples.offset(_BLOCK))
        samples.evaluate(points[samples.values[points] == 0])
        wrong = samples.sharpen(crossed_cells(values, entered))
        around = (wrong[:, None] - samples.offset(_BLOCK)).ravel()
        changed = np.concatenate([entered, around[chosen[around]]])
        entered = _entered(samples, chosen, changed)
    return crossed_cells(values, np.flatnonzero(chosen).astype(np.int32))


def _refinement(resolution: int, coarse: int) -> int:
    """How many times finer the last lattice is than the first: 2, 4, 8, …"""
    ratio = resolution // max(coarse, 1)
    if coarse < 1 or ratio * coarse != resolution or ratio < 2 or ratio & (ratio - 1):
        raise InvalidInputError(
            f"resolution {resolution} is not {coarse} times 2, 4, 8, …; choose coarse so that it is"
        )
    return ratio


def extract_isosurface(
    sdf: SignedDistance, *, resolution: int = 128, coarse: int = 16, lipschitz: float = 1.25
) -> Isosurface:
    """The zero level of a signed distance field in the canonical cube as a closed mesh.

    The result is the one of marching cubes on all (resolution + 1)³ samples, but most samples are
    never asked for. With |f(p) - f(q)| ≤ L |p - q| a sample settles the sign of others around it;
    only samples whose sign is open after that are evaluated, level by level from the coarse
    lattice, and those beside a change of sign, from which vertices are interpolated (the
    Lipschitz bound of sphere tracing, Hart 1996, on a lattice).

    The field may be saturated, that is, clipped at ±c: a clipped field is no steeper. But only a
    cell whose corners exceed √3 L / n, with n cells a side, can be skipped. A field clipped
    below that on the first lattice (0.14 for n = 16 and L = 1.25) costs all samples of the
    second one; below half of it (0.07), all of the third.

    Where the field is steeper than L, or jumps, the surface is still followed from cell to cell
    once any part of it was found; only separate parts that no sample hints at are lost. So a
    smaller L saves evaluations of a predicted field, at the risk of small parts.

    Args:
        sdf: points f32 (N, 3) [canonical, in [-1, 1]³] to signed distances f32 (N,), negative
            inside. It is called about ten times, with up to some 40 000 points at once.
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
    ratio = _refinement(resolution, coarse)
    if not 0 < lipschitz < np.inf:
        raise InvalidInputError(f"lipschitz must be positive and finite, got {lipschitz}")
    samples = _Samples(sdf, resolution=resolution, margin=ratio // 2, lipschitz=lipschitz)
    cells = _crossed_cells(samples, samples.points(_narrow(samples, coarse, ratio), 2))
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
