# SPDX-License-Identifier: Apache-2.0
"""The brightness of a keyframe's picture, by which points slide to where they look alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera, View

NOISE = 0.035  # of the logarithm, of one point in two views
_SCALE = 0.1  # of differences that count, as Geman and McClure (1987) weigh them
_BLACK = 0.1  # added to the luminance, 0 to 1: below, a logarithm is noise
_FLAT = 1.0  # slope of the logarithm that says nothing [1/m]


@dataclass(frozen=True, eq=False)
class LuminanceMap:
    """The logarithm of the luminance, so that an exposure is a sum, and its slopes.

    Attributes:
        camera: the camera of the picture.
        values: f64 (H, W, 3): the logarithm, and its derivatives along x and y [1/px].
    """

    camera: Camera
    values: np.ndarray

    @classmethod
    def of(cls, view: View) -> LuminanceMap:
        """The map of a view's picture."""
        luminance = view.image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255.0
        logarithm = np.log(luminance + _BLACK)
        rows, columns = np.gradient(logarithm)
        return cls(view.camera, np.stack([logarithm, columns, rows], axis=-1))

    def pulls(
        self, points: np.ndarray, logarithms: np.ndarray, sources: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far points would have to slide to look in this picture as they looked in theirs.

        The difference of the logarithms over the slope of this picture's (Lucas and Kanade 1981),
        the slope taken along the surface's place instead of the pixel's. The median difference of
        the points of a source is its exposure's and does not count.

        Args:
            points: f64 (K, 3) [m, camera], seen by this keyframe.
            logarithms: f64 (K,), of their own pictures.
            sources: (K,), whose picture that was.

        Returns:
            The derivatives of the distances by place, unit f64 (K, 3); the distances f64 (K,) [m];
            and one over the square of their sigmas, 0 where the picture is flat, f64 (K,) [1/m^2].
        """
        x, y, z = points.T
        fx, fy = self.camera.focal
        here, along_x, along_y = self._at(self.camera.project(points)).T
        off = here - logarithms
        for source in np.unique(sources):
            own = sources == source
            off[own] -= np.median(off[own])
        slopes = np.column_stack(
            [along_x * fx, along_y * fy, -(along_x * fx * x + along_y * fy * y) / z]
        )
        slopes /= z[:, None]
        steepness = np.linalg.norm(slopes, axis=1)
        is_steep = steepness > _FLAT
        safe = np.where(is_steep, steepness, 1.0)
        robust = (_SCALE**2 / (_SCALE**2 + off**2)) ** 2
        weights = np.where(is_steep, robust * (safe / NOISE) ** 2, 0.0)
        return slopes / safe[:, None], off / safe, weights

    def _at(self, pixels: np.ndarray) -> np.ndarray:
        """The values at places (K, 2) [px] between pixel centres, linear, f64 (K, 3)."""
        height, width, _ = self.values.shape
        column, row = np.clip(pixels - 0.5, 0, (width - 1.001, height - 1.001)).T
        left, top = column.astype(np.int64), row.astype(np.int64)
        across, down = (column - left)[:, None], (row - top)[:, None]
        v = self.values
        upper = (1 - across) * v[top, left] + across * v[top, left + 1]
        lower = (1 - across) * v[top + 1, left] + across * v[top + 1, left + 1]
        return (1 - down) * upper + down * lower
