# SPDX-License-Identifier: Apache-2.0
"""The surface that a keyframe measured: a point and a normal in every pixel that has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.morphology import eroded

_WINDOW = 3  # depth is smoothed over this many pixels to every side
_BEND = 0.005  # of a surface over the window, relative to its depth; more is an edge
_SMALLEST_COSINE = 0.2  # between normal and line of sight: beyond, depth says little


@dataclass(frozen=True, eq=False)
class SurfaceMap:
    """Points and normals of a keyframe's object, in its camera.

    Attributes:
        points: f64 (H, W, 3) [m, camera], NaN where there is none.
        normals: f64 (H, W, 3) unit, towards the camera, NaN where there is none.
    """

    points: np.ndarray
    normals: np.ndarray

    @classmethod
    def of(cls, keyframe: Keyframe) -> SurfaceMap:
        """The map of a keyframe; pixels at the rim of the mask have no part in it."""
        depth, camera = keyframe.view.depth, keyframe.view.camera
        shape = keyframe.view.mask.shape
        if depth is None:
            nothing = np.full((*shape, 3), np.nan)
            return cls(nothing, nothing)
        inside = eroded(keyframe.view.mask) & keyframe.known
        depth = _smoothed(np.where(inside, depth, np.nan).astype(np.float64))
        rays = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(depth.size))
        points = rays.reshape(*shape, 3) * depth[..., None]
        normals = _normals(points, 2)
        narrow = np.isnan(normals[..., 0])
        normals[narrow] = _normals(points, 1)[narrow]
        points[np.isnan(normals[..., 0])] = np.nan
        return cls(points, normals)

    def samples(self, most: int) -> np.ndarray:
        """At most so many of the flat pixels that have a point, evenly spread, i64 (M,)."""
        known = np.flatnonzero(np.isfinite(self.normals[..., 0]))
        count = min(most, len(known))
        return known[(np.arange(count) * len(known)) // max(count, 1)]


def _smoothed(depth: np.ndarray) -> np.ndarray:
    """The depth (H, W) [m] averaged over a window, its edges and slopes kept.

    Only pairs of pixels on opposite sides of the centre count, and only where they and the centre
    lie on a line: so a plane stays itself up to its border.
    """
    padded = np.pad(depth, _WINDOW, constant_values=np.nan)
    height, width = depth.shape
    limit = 2 * _BEND * depth
    sums, counts = np.where(np.isfinite(depth), depth, 0), np.ones_like(depth)
    for dy in range(_WINDOW + 1):
        for dx in range(-_WINDOW, _WINDOW + 1):
            if (dy, dx) <= (0, 0):
                continue
            a = padded[_WINDOW + dy :, _WINDOW + dx :][:height, :width]
            b = padded[_WINDOW - dy :, _WINDOW - dx :][:height, :width]
            pair = a + b
            straight = np.abs(pair - 2 * depth) < limit
            sums += np.where(straight, pair, 0)
            counts += 2 * straight
    return np.where(np.isfinite(depth), sums / counts, np.nan)


def _normals(points: np.ndarray, step: int) -> np.ndarray:
    """Cross products of the points' (H, W, 3) differences over so many pixels to either side."""
    padded = np.pad(points, ((step, step), (step, step), (0, 0)), constant_values=np.nan)
    middle = slice(step, -step)
    right, left = padded[middle, 2 * step :], padded[middle, : -2 * step]
    below, above = padded[2 * step :, middle], padded[: -2 * step, middle]
    normals = np.cross(below - above, right - left)
    limit = 2 * _BEND * points[..., 2]
    for a, b in ((right, left), (below, above)):
        normals[~(np.abs(a + b - 2 * points)[..., 2] < limit)] = np.nan
    with np.errstate(invalid="ignore"):
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        sight = points / np.linalg.norm(points, axis=-1, keepdims=True)
    normals[~(-(normals * sight).sum(-1) > _SMALLEST_COSINE)] = np.nan
    return normals
