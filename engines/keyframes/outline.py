# SPDX-License-Identifier: Apache-2.0
"""The outline of a keyframe's mask, which no point of the object may lie outside of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.occluders import DEPTH_GAP

REACH = 24  # around the mask [px]
_COLUMNS = 2 * REACH + 2  # more than are searched around a pixel


@dataclass(frozen=True, eq=False)
class Outline:
    """For every pixel near a mask the nearest pixel of the mask.

    Attributes:
        camera: the camera of the keyframe.
        nearest: f64 (H, W, 2), centre of that pixel [px]; NaN in the mask, farther away than
            `REACH`, and where the keyframe says nothing.
        depth: f64 (H, W) [m], what hides the object beyond it; inf where it is not known.
    """

    camera: Camera
    nearest: np.ndarray
    depth: np.ndarray

    @classmethod
    def of(cls, keyframe: Keyframe) -> Outline:
        """The outline of a keyframe's mask."""
        mask, depth = keyframe.view.mask, keyframe.view.depth
        nearest = _nearest_pixels(mask)
        nearest[mask | ~keyframe.known] = np.nan
        hiding = np.full(mask.shape, np.inf)
        if depth is not None:
            hiding = np.where(np.isfinite(depth), depth * (1 + DEPTH_GAP), np.inf)
        return cls(keyframe.view.camera, nearest, hiding)

    def pulls(
        self, points: np.ndarray, index: np.ndarray, pixels: np.ndarray, reach: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far points that could be seen lie outside the mask.

        Args:
            points: (M, 3) [m, camera].
            index: i64 (K,), those of them that fall into the picture.
            pixels: i64 (K,), the pixel that each of these falls into.
            reach: distance from the mask up to which a point counts [m].

        Returns:
            Which points, i64 (L,); the derivative of their distance by their place, f64 (L, 3);
            and the distance, f64 (L,) [m], measured across the line of sight.
        """
        nearest = self.nearest.reshape(-1, 2)[pixels]
        outside = np.isfinite(nearest[:, 0])
        outside &= points[index, 2] < self.depth.ravel()[pixels]
        index, nearest = index[outside], nearest[outside]
        x, y, z = points[index].T
        tangents = np.column_stack([x, y]) / z[:, None]
        off = tangents - (nearest - self.camera.centre) / self.camera.focal
        length = np.linalg.norm(off, axis=1)
        distance = (length - 0.5 / self.camera.focal.mean()) * z
        near = (distance > 0) & (distance < reach)
        across = off[near] / length[near, None]
        along = -(across * tangents[near]).sum(1)
        return index[near], np.column_stack([across, along]), distance[near]


def _nearest_pixels(mask: np.ndarray) -> np.ndarray:
    """Centre of the mask's pixel nearest to every pixel: f64 (H, W, 2) [px], NaN beyond REACH.

    First along the columns, then among the columns to either side (Felzenszwalb 2012, section 2).
    """
    height, width = mask.shape
    rows = np.arange(height)[:, None]
    above = np.maximum.accumulate(np.where(mask, rows, -10 * REACH), axis=0)
    below = np.minimum.accumulate(np.where(mask, rows, 10 * REACH + height)[::-1], axis=0)[::-1]
    in_column = np.where(rows - above <= below - rows, above, below)
    padded = np.pad(in_column, ((0, 0), (REACH, REACH)), constant_values=-10 * REACH)
    offsets = (padded - rows).astype(np.int32)
    squared = offsets**2
    # The smallest of distance squared and column in one number.
    best = np.full(mask.shape, (REACH**2 + 1) * _COLUMNS, dtype=np.int32)
    for column in range(2 * REACH + 1):
        key = (squared[:, column:][:, :width] + (column - REACH) ** 2) * _COLUMNS + column
        np.minimum(best, key, out=best)
    near = best < (REACH**2 + 1) * _COLUMNS
    x = np.arange(width) + best % _COLUMNS
    y = np.take_along_axis(padded, np.where(near, x, 0), axis=1)
    found = np.stack([x - REACH, y], axis=-1) + 0.5
    return np.where(near[..., None], found, np.nan)
