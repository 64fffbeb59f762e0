# SPDX-License-Identifier: Apache-2.0
"""The field of a triplane: density and colour at points, and fast at the points of a lattice."""

from collections.abc import Callable

import numpy as np

from recon_node.engines.backends.backend import Backend
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.pieces import Pieces

HALF_EXTENT = 0.87  # of the cube that the planes span; TripoSR's (radius in its configuration)
PIECE = 2048  # points decoded at once: with 64 channels of them 512 KiB, a core's second cache

# Plane k is sampled at these two coordinates, the first along its last array axis.
AXES = ((0, 1), (0, 2), (1, 2))
_CHANNELS = {"density": (), "colour": (3,)}  # of the decoder's ports


class TriplaneField:
    """Density and colour in a cube, decoded from the sum of three planes' samples.

    The planes are bilinear between pixel centres, whose first lies half a pixel inside the cube,
    and fade to zero over the half pixel beyond the last (`grid_sample` of torch, align_corners
    False, zero padding).

    Args:
        decoder: Runs the decoder: `hidden` f32 (N, H) to `density` f32 (N,), raw, which is the
            logarithm of a density but for a constant, and `colour` f32 (N, 3), sRGB in [0, 1].
        planes: Already multiplied by the decoder's first layer, f32 (3, H, S, S): of (x, y),
            (x, z) and (y, z), the first coordinate along the last axis.
        half_extent: Half the side of the cube [canonical].

    Raises:
        InvalidInputError: The planes have another shape.
    """

    def __init__(self, decoder: Backend, planes: np.ndarray, *, half_extent: float = HALF_EXTENT):
        if planes.ndim != 4 or planes.shape[0] != 3 or planes.shape[2] != planes.shape[3]:
            raise InvalidInputError(
                f"a triplane has the shape (3, H, S, S), got {planes.shape}; pass the encoder's "
                "planes of one object"
            )
        self.half_extent = half_extent
        self._decoder = decoder
        self._pieces = Pieces(concurrency=decoder.concurrency, largest=PIECE)
        # A border of zeros is the padding; (first coordinate, second coordinate, channel).
        bordered = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)))
        self._tables = np.ascontiguousarray(bordered.transpose(0, 3, 2, 1), np.float32)

    def density(self, points: np.ndarray) -> np.ndarray:
        """Raw density, f32 (N,), at points f32 (N, 3) [canonical]."""
        return self._decode(lambda piece: self._sampled(points[piece]), len(points), "density")

    def colours(self, points: np.ndarray) -> np.ndarray:
        """sRGB in [0, 1], f32 (N, 3), at points f32 (N, 3) [canonical]."""
        return self._decode(lambda piece: self._sampled(points[piece]), len(points), "colour")

    def on_lattice(self, axis: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The raw density on a lattice: a function from indices i32 (N, 3) to f32 (N,).

        Bilinear sampling on a lattice is separable. Each plane is resampled once to the lattice's
        pairs of coordinates; the decoder's input at a lattice point is then a sum of three rows.

        Args:
            axis: Coordinates of the lattice along each of the three axes, f32 (n,) [canonical].
        """
        count = len(axis)
        low, fraction = self._pixels(axis)
        planes = [_resampled(table, low, fraction) for table in self._tables]

        def density(indices: np.ndarray) -> np.ndarray:
            def hidden(piece: slice) -> np.ndarray:
                x, y, z = (np.ascontiguousarray(indices[piece, a], np.int64) for a in range(3))
                total = planes[0].take(x * count + y, axis=0)
                total += planes[1].take(x * count + z, axis=0)
                total += planes[2].take(y * count + z, axis=0)
                return total

            return self._decode(hidden, len(indices), "density")

        return density

    def _decode(self, hidden: Callable[[slice], np.ndarray], count: int, port: str) -> np.ndarray:
        """One of the decoder's outputs for all points; `hidden` makes its input for some."""

        def answer(piece: slice) -> np.ndarray:
            return self._decoder.run({"hidden": hidden(piece)}, outputs=(port,))[port]

        return self._pieces.ask(answer, count, _CHANNELS[port])

    def _pixels(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels before coordinates, i64 (…), and how far beyond them, f32 (…) in [0, 1]."""
        size = self._tables.shape[1] - 2
        pixels = (coordinates / np.float32(self.half_extent) + 1) * np.float32(size / 2) - 0.5
        pixels = np.clip(pixels.astype(np.float32), -1, size) + 1
        low = np.minimum(pixels.astype(np.int64), size)
        return low, pixels - low.astype(np.float32)

    def _sampled(self, points: np.ndarray) -> np.ndarray:
        """The decoder's input at points f32 (N, 3), f32 (N, H)."""
        low, fraction = self._pixels(points)
        weights = 1 - fraction, fraction
        side, channels = self._tables.shape[2:]
        hidden = np.zeros((len(points), channels), np.float32)
        for table, (a, b) in zip(self._tables, AXES, strict=True):
            rows = table.reshape(-1, channels)
            for i in (0, 1):
                for j in (0, 1):
                    taken = rows.take((low[:, a] + i) * side + low[:, b] + j, axis=0)
                    taken *= (weights[i][:, a] * weights[j][:, b])[:, None]
                    hidden += taken
        return hidden


def _resampled(table: np.ndarray, low: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """A bordered plane (S + 2, S + 2, H) at all pairs of n coordinates, f32 (n², H)."""
    count, (side, _, channels) = len(low), table.shape
    weights = np.zeros((count, side), np.float32)
    weights[np.arange(count), low] = 1 - fraction
    weights[np.arange(count), low + 1] = fraction
    rows = (weights @ table.reshape(side, -1)).reshape(count, side, channels)
    return np.matmul(weights, rows).reshape(-1, channels)
