# SPDX-License-Identifier: Apache-2.0
"""A plane, and the one that most of a cloud of points lies on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TRIALS = 200  # planes through three points
_ROUNDS = 4  # of least squares on the points near the best one


@dataclass(frozen=True, eq=False)
class Plane:
    """Points p with normal . p = offset.

    Attributes:
        normal: unit, f64 (3,).
        offset: distance from the origin, in the unit of the points.
    """

    normal: np.ndarray
    offset: float

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Of points (N, 3) above the plane, on the side of its normal, f64 (N,)."""
        return points @ self.normal - self.offset

    def lifted(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3), those below the plane moved straight up to it, f64 (N, 3)."""
        return points - np.minimum(self.heights(points), 0.0)[:, None] * self.normal

    def facing(self, point: np.ndarray) -> Plane:
        """The same plane with the point (3,) on the side of its normal."""
        is_below = float(self.normal @ point) < self.offset
        return Plane(-self.normal, -self.offset) if is_below else self


def fitted_plane(points: np.ndarray, tolerances: np.ndarray, rng: np.random.Generator) -> Plane:
    """The plane with the most of the points within their tolerances (Fischler and Bolles 1981).

    Args:
        points: f64 (N, 3), N >= 3.
        tolerances: f64 (N,), of distances from the plane.
        rng: source of the planes tried.
    """
    most, best = -1, Plane(np.array([0.0, 0.0, 1.0]), 0.0)
    for _ in range(_TRIALS):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        normal /= max(float(np.linalg.norm(normal)), 1e-12)
        plane = Plane(normal, float(normal @ a))
        count = int((np.abs(plane.heights(points)) < tolerances).sum())
        if count > most:
            most, best = count, plane
    for _ in range(_ROUNDS):
        near = points[np.abs(best.heights(points)) < tolerances]
        if len(near) < 3:
            break
        middle = near.mean(axis=0)
        normal = np.linalg.svd(near - middle, full_matrices=False)[2][2]
        best = Plane(normal, float(normal @ middle))
    return best
