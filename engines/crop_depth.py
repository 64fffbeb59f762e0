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
RIM = 3 / 128  # width of the mask's rim that may be the background's / side of the crop
JUMP = 0.35  # of the rim behind the object beside it / longer side of the object; of a ball 0.21


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
    view: View,
    mask: np.ndarray,
    H_source_crop: np.ndarray,
    axis: np.ndarray,
    size: int,
    *,
    half_extent: float,
) -> SeenDepth | None:
    """The depth of the object in every crop pixel, or None where too little of it is known.

    Each crop pixel takes the source pixel that its centre falls in, never a blend of two, which
    would be a point in the air wherever they lie on different surfaces. The crop camera is turned,
    so the depth along its axis is that of the measured point: `z_crop = axis . p`. Masks are
    ragged: what lies far behind the object at their rim is the background's, and not known here.

    Args:
        view: the view, with a depth.
        mask: bool (H, W), the object; may be less than the view's mask.
        H_source_crop: (3, 3) source pixel from crop pixel.
        axis: (3,) unit optical axis of the crop camera in the view's camera.
        size: side of the crop [px].
        half_extent: half the longer side of the mask's box, as a tangent.

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
    z[_of_background(z, on_object, 2 * half_extent * nearest)] = np.nan
    return SeenDepth(z, nearest)


def _of_background(z: np.ndarray, on_object: np.ndarray, side: float) -> np.ndarray:
    """Pixels of the mask's rim that lie a jump behind the nearest pixels off the rim, bool (S, S).

    Args:
        z: f64 (S, S) [m], NaN unknown.
        on_object: bool (S, S), the mask.
        side: longer side of the object [m].
    """
    width = round(RIM * len(z))
    inner = on_object
    for _ in range(width):
        inner = inner & np.logical_and.reduce(_beside(inner, False))
    beside = np.where(inner, z, np.nan)
    for _ in range(width + 1):
        farthest = np.fmax.reduce(_beside(beside, np.nan))
        beside = np.where(np.isnan(beside), farthest, beside)
    return on_object & ~inner & (z - beside > JUMP * side)


def _beside(values: np.ndarray, border: float) -> list[np.ndarray]:
    """The values (S, S) of each pixel's four neighbours."""
    padded = np.pad(values, 1, constant_values=border)
    return [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


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
