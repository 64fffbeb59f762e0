# SPDX-License-Identifier: Apache-2.0
"""The depth of a view as its crop camera sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.resample import map_pixels

FEWEST_PIXELS = 16  # of the mask with a depth, for the depth to count, and
FEWEST_SHARE = 0.05  # of the mask
NEAREST_PERCENTILE = 2.0  # of the depths: the nearest surface but for outliers
FEWEST_INNER = 64  # pixels off the mask's rim, for the rim to be left out


@dataclass(frozen=True, eq=False)
class SeenDepth:
    """Depths in the crop camera.

    Attributes:
        z: f64 (S, S) [m], NaN where unknown and outside the mask.
        nearest: depth of the nearest surface, outliers left out [m].
    """

    z: np.ndarray
    nearest: float


def seen_depth(
    view: View, mask: np.ndarray, H_source_crop: np.ndarray, axis: np.ndarray, size: int
) -> SeenDepth | None:
    """The depth of the object in every crop pixel, or None where too little of it is known.

    Each crop pixel takes the source pixel that its centre falls in, never a blend of two, which
    would be a point in the air wherever they lie on different surfaces. The crop camera is turned,
    so the depth along its axis is that of the measured point: `z_crop = axis . p`.

    Args:
        view: the view, with a depth.
        mask: bool (H, W), the object; may be less than the view's mask.
        H_source_crop: (3, 3) source pixel from crop pixel.
        axis: (3,) unit optical axis of the crop camera in the view's camera.
        size: side of the crop [px].

    Returns:
        The depths, or None.
    """
    height, width = mask.shape
    centres = np.arange(size) + 0.5
    x, y = map_pixels(H_source_crop, centres[None, :], centres[:, None])
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column = np.clip(x, 0, width - 1).astype(np.int64)
    row = np.clip(y, 0, height - 1).astype(np.int64)
    on_object = inside & mask[row, column]
    row, column = row[on_object], column[on_object]
    pixels = np.column_stack([column + 0.5, row + 0.5])
    z_object = view.camera.unproject(pixels, view.depth[row, column]) @ axis
    nearest = _nearest(mask, row, column, z_object)
    if nearest is None:
        return None
    z = np.full((size, size), np.nan)
    z[on_object] = z_object
    return SeenDepth(z, nearest)


def _nearest(mask: np.ndarray, row: np.ndarray, column: np.ndarray, z: np.ndarray) -> float | None:
    """The nearest depth of the object's pixels but for outliers, each source pixel counted once.

    Args:
        mask: bool (H, W).
        row: (N,) of pixels of the mask, with repetitions.
        column: (N,).
        z: (N,) [m], NaN unknown.

    Returns:
        Depth [m], or None where too few are known.
    """
    height, width = mask.shape
    once = np.unique(row * width + column, return_index=True)[1]
    row, column, z = row[once], column[once], z[once]
    known = z > 0
    if known.sum() < max(FEWEST_PIXELS, FEWEST_SHARE * len(z)):
        return None
    # At the rim a depth camera mixes the object with what is behind it.
    inner = (
        mask[np.maximum(row - 1, 0), column]
        & mask[np.minimum(row + 1, height - 1), column]
        & mask[row, np.maximum(column - 1, 0)]
        & mask[row, np.minimum(column + 1, width - 1)]
    )
    if (known & inner).sum() >= FEWEST_INNER:
        known &= inner
    return float(np.percentile(z[known], NEAREST_PERCENTILE))
