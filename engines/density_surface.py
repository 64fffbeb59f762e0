# SPDX-License-Identifier: Apache-2.0
"""The surface where a density passes a threshold, found with few evaluations of the density."""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, ReconstructionError
from recon_node.engines.isosurface import Isosurface
from recon_node.kernels.brick_lattice import BrickLattice

ISO = 25.0  # density at the surface, TripoSR's
DENSITY_BIAS = -1.0  # density = exp(raw + bias), TripoSR's
COARSE = 64  # samples a side of the first lattice, at least: a pixel of TripoSR's planes each
CAUTION = 2.0
MARGIN = 0.25  # [logarithm of density] on the first lattice; half of it on the next, and so on
STEEPEST = 80.0  # [logarithm of density] beyond which its exponential leaves float32

_BRICKS_AROUND = np.argwhere(np.ones((2, 2, 2))).astype(np.int32)  # (8, 3)


class DensityField(Protocol):
    """What a surface is extracted from.

    Attributes:
        half_extent: Half the side of the cube in which there is a density [canonical].
    """

    half_extent: float

    def on_lattice(self, axis: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The raw density on a lattice: a function from indices i32 (N, 3) to f32 (N,).

        Args:
            axis: Coordinates along each of the three axes, f32 (n,) [canonical].
        """
        ...


class _Level:
    """log iso - log density on the lattice, negative inside; counts what it is asked.

    To close surfaces at the faces of the cube, samples there are outside or zero.
    """

    def __init__(self, field: DensityField, *, resolution: int, iso: float, closed: bool):
        axis = np.linspace(-field.half_extent, field.half_extent, resolution)
        self._raw = field.on_lattice(axis.astype(np.float32))
        self._last = np.int32(resolution - 1)
        self._closed = closed
        self._threshold = np.float32(math.log(iso) - DENSITY_BIAS)
        self.query_count = 0

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """Values f32 (N,) at indices i32 (N, 3); beyond the last sample those of the last."""
        indices = np.minimum(indices, self._last)
        raw = np.asarray(self._raw(indices), np.float32)
        if raw.shape != (len(indices),) or not np.isfinite(raw).all():
            raise ReconstructionError(
                f"the field gave {raw.shape} densities for {len(indices)} points, or some that "
                "are not finite; the weights of its model may be damaged: get them again"
            )
        self.query_count += len(indices)
        levels = self._threshold - raw
        if self._closed:
            for axis in range(3):
                on_face = (indices[:, axis] == 0) | (indices[:, axis] == self._last)
                levels[on_face] = np.maximum(levels[on_face], 0)
        return levels


def _pooled(samples: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """The extreme of the eight corners of each cell, (n - 1, n - 1, n - 1) of (n, n, n)."""
    for axis in range(3):
        layers = np.moveaxis(samples, axis, 0)
        samples = np.moveaxis(extreme(layers[1:], layers[:-1]), 0, axis)
    return samples


def _open_cells(samples: np.ndarray, caution: float) -> tuple[np.ndarray, np.ndarray]:
    """The cells that the surface may cross, i32 (N, 3), and their bounds f32 (N,).

    Args:
        samples: The first lattice, f32 (n, n, n).
        caution: Factor of the bounds.
    """
    bends = np.zeros_like(samples)
    for axis in range(3):
        rows = np.moveaxis(samples, axis, 0)
        bend = np.abs(rows[:-2] - 2 * rows[1:-1] + rows[2:])
        np.moveaxis(bends, axis, 0)[:] += np.pad(bend, ((1, 1), (0, 0), (0, 0)), mode="edge")
    bounds = np.maximum(np.float32(caution) * _pooled(bends, np.maximum), np.float32(MARGIN))
    lowest, highest = _pooled(samples, np.minimum), _pooled(samples, np.maximum)
    is_open = (lowest <= bounds) & (highest >= -bounds)
    return np.argwhere(is_open).astype(np.int32), bounds[is_open]


class _Search:
    """The samples around the surface, from the first lattice to the finest.

    A first lattice of at least 64 samples a side is evaluated everywhere. Cells are halved down to
    the finest, but only those that the surface may cross, and new samples are evaluated only where
    their interpolation leaves the sign open. How far the field may be from its interpolation is
    taken from how much it bends: caution times the second differences of log density around the
    cell, summed over the axes. A caution of 1 bounds any field with at most one kink a cell along
    each axis, and is 8 times what a smooth one needs.
    """

    def __init__(self, level: _Level, *, resolution: int, caution: float, device: str):
        self._level = level
        self._shift = max(0, (resolution // COARSE).bit_length() - 1)
        self._caution = caution
        # One brick more than needed holds the samples on the far border.
        count = -(-resolution >> self._shift) + 1
        indices = np.indices((count,) * 3, np.int32).reshape(3, -1).T << self._shift
        self.first = level(indices).reshape((count,) * 3)
        self.lattice = BrickLattice(count, shift=self._shift, device=device)

    def crossed_cells(self) -> np.ndarray:
        """All cells that the surface crosses, i32 (N, 3) in order; ends of crossed edges known."""
        bricks, bounds = _open_cells(self.first, self._caution)
        self._refine(bricks, bounds, caution=self._caution, margin=MARGIN)
        while True:
            # Wrong signs, possible where a bound was exceeded, open other edges.
            while len(ends := self.lattice.open_ends(bricks)):
                self._evaluate(ends)
            cells, entered = self.lattice.crossed(bricks)
            if len(entered) == 0:
                return cells
            # The surface goes on where none was expected: follow it without any assumption.
            self._refine(
                entered, np.full(len(entered), np.inf, np.float32), caution=1.0, margin=np.inf
            )
            bricks = np.concatenate([bricks, entered])

    def _refine(
        self, bricks: np.ndarray, bounds: np.ndarray, *, caution: float, margin: float
    ) -> None:
        """Makes all samples of bricks known or interpolated, halving the cells that are open."""
        around = (bricks[:, None] + _BRICKS_AROUND).reshape(-1, 3)
        chosen = np.zeros(self.first.shape, bool)
        chosen[tuple(around.T)] = True
        self.lattice.add(np.argwhere(chosen).astype(np.int32), self.first[chosen])
        cells = bricks << self._shift
        for exponent in range(self._shift - 1, -1, -1):
            half = 1 << exponent
            self._evaluate(self.lattice.halve(cells, bounds, half))
            margin *= 0.5
            if half > 1:
                cells, bounds = self.lattice.judge(cells, half, caution=caution, margin=margin)

    def _evaluate(self, places: np.ndarray) -> None:
        if len(places):
            self.lattice.put(places, self._level(self.lattice.indices(places)))


def extract_density_surface(
    field: DensityField,
    *,
    resolution: int = 256,
    iso: float = ISO,
    parity: bool = False,
    caution: float = CAUTION,
    device: str = "cpu",
) -> Isosurface:
    """The surface density = iso in the field's cube, as marching cubes on all samples gives it.

    density = exp(raw - 1). The lattice has `resolution` samples a side, the first and the last on
    the cube's faces. `_Search` finds those worth evaluating; where the field is wilder than it
    takes for possible, the surface is still followed from brick to brick once any part of it was
    found. It stays closed, and only separate parts are lost at which nothing hints nearby.

    Args:
        field: Such as a `TriplaneField`.
        resolution: Samples a side; 256 is TripoSR's.
        iso: Density at the surface.
        parity: Do as the official extraction: place vertices by linear interpolation of the
            density itself, which its exponential biases, and leave surfaces open at the faces of
            the cube. Without it log density is interpolated, and surfaces end in a flat cap.
        caution: Factor of the bounds.
        device: Warp device name.

    Returns:
        The surface [canonical]; closed but in parity.

    Raises:
        InvalidInputError: Numbers out of range.
        EmptySurfaceError: There is no surface.
        ReconstructionError: The field gave another number of values, or NaN, or infinity.
    """
    if resolution < 2 or not 0 < iso < math.inf or not 0 < caution < math.inf:
        raise InvalidInputError(
            f"resolution must be 2 or more, iso and caution positive and finite; got {resolution}, "
            f"{iso}, {caution}"
        )
    level = _Level(field, resolution=resolution, iso=iso, closed=not parity)
    search = _Search(level, resolution=resolution, caution=caution, device=device)
    cells = search.crossed_cells()
    vertices, faces = search.lattice.polygonise(
        cells[(cells < resolution).all(axis=1)],
        transform=_density_levels if parity else np.asarray,
        side=resolution,
        origin=-field.half_extent,
        spacing=2 * field.half_extent / (resolution - 1),
    )
    if len(faces) == 0:
        raise EmptySurfaceError(
            f"the density passes {iso:g} nowhere: of {search.first.size} samples the largest is "
            f"{iso * math.exp(-search.first.min()):.3g}; check that the mask shows the object, or "
            "lower iso"
        )
    return Isosurface(vertices, faces, level.query_count)


def _density_levels(levels: np.ndarray) -> np.ndarray:
    """1 - density / iso of log iso - log density: the official field but for a factor."""
    return -np.expm1(np.minimum(-levels, np.float32(STEEPEST)))
