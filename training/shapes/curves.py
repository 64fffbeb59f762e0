# SPDX-License-Identifier: Apache-2.0
"""Curves and outlines, as arrays of points."""

from __future__ import annotations

import numpy as np


def smooth_curve(points: np.ndarray, count: int, *, closed: bool = False) -> np.ndarray:
    """Returns `count` points on a smooth curve through `points`.

    Catmull-Rom spline (Catmull and Rom 1974) with uniform knots, sampled evenly in its parameter.

    Args:
        points: (N, D), at least two.
        count: how many samples to take, end points included (unless closed).
        closed: joins the last point to the first.
    """
    points = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([points[-1:], points, points[:2]])
        t = np.linspace(0.0, len(points), count, endpoint=False)
    else:
        ends = 2 * points[[0, -1]] - points[[1, -2]]
        knots = np.concatenate([ends[:1], points, ends[1:]])
        t = np.linspace(0.0, len(points) - 1.0, count)
    index = np.minimum(t.astype(int), len(knots) - 4)
    t = (t - index)[:, None]
    a, b, c, d = (knots[index + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                  + (3 * b - a - 3 * c + d) * t**3)


def superellipse(exponent: float, count: int) -> np.ndarray:
    """Returns a closed outline |x|^n + |y|^n = 1, counter-clockwise, (count, 2).

    n = 2 is the circle; larger n comes closer to the square [-1, 1]^2; n = 1 is a rhombus.
    """
    angle = np.arange(count) * (2 * np.pi / count)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    norm = (np.abs(unit) ** exponent).sum(axis=1) ** (1 / exponent)
    return unit / norm[:, None]


def rounded_rectangle(width: float, depth: float, radius: float, corner: int = 5) -> np.ndarray:
    """Returns a counter-clockwise rectangle centred at 0 with rounded corners, (4 corner, 2)."""
    radius = min(radius, 0.499 * width, 0.499 * depth)
    angle = np.linspace(0.0, np.pi / 2, corner)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = np.array([width / 2 - radius, depth / 2 - radius])
    quarters = []
    for sign in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        quarter = (arc + centre) * sign
        quarters.append(quarter if sign[0] * sign[1] > 0 else quarter[::-1])
    return np.concatenate(quarters)


def evenly_spaced(outline: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` points at equal distances along a closed outline (N, D)."""
    ring = np.concatenate([outline, outline[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    places = np.arange(count) * (length[-1] / count)
    return np.stack([np.interp(places, length, axis) for axis in ring.T], axis=1)


def regular_polygon(sides: int, radius: float = 1.0) -> np.ndarray:
    """Returns the corners of a regular polygon, counter-clockwise, (sides, 2)."""
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
