# SPDX-License-Identifier: Apache-2.0
"""The plane that an object stands on, as its keyframes measured it around the object: nothing of
the object is beyond it, and its underside, which no camera sees, lies on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.refine.box import measured_points
from recon_node.engines.refine.measured_distances import grown
from recon_node.engines.refine.pixels import depth_sigma
from recon_node.engines.transforms import Similarity, transform_points

LEAST_SHARE = 0.4  # of the points around the object that lie on the plane
MOST_BELOW = 0.02  # share of the object's own points that may lie below it
_SIGMAS = 2.5  # of depth: how far points of the plane lie off it, and
_FLATNESS = 0.01  # at least [box unit]
_POINTS, _FEWEST = 2000, 200
_TRIALS = 200  # planes through three points (Fischler and Bolles 1981)
_ROUNDS = 4  # of least squares on the points near the best one


@dataclass(frozen=True, eq=False)
class SupportPlane:
    """Points p with normal · p = offset, in the box frame; the object is on the normal's side.

    Attributes:
        normal: Unit, f64 (3,).
        offset: Distance of the plane from the origin [box unit].
    """

    normal: np.ndarray
    offset: float

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Of points (N, 3) [box] above the plane, f64 (N,) [box unit]."""
        return points @ self.normal - self.offset

    def lifted(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) [box], those below the plane moved straight up to it, f64 (N, 3)."""
        return points - np.minimum(self.heights(points), 0.0)[:, None] * self.normal


def support_plane(
    keyframes: Sequence[Keyframe], S_world_box: Similarity, *, rng: np.random.Generator
) -> SupportPlane | None:
    """The plane that most points around the object lie on; None where there is none.

    A wall close behind the object is as good as a table: all that is asked is that the object's
    own points lie on one side of it, that of the cameras.

    Args:
        keyframes: Views with depth; without any there is none.
        S_world_box: Of the box.
        rng: Source of the planes tried.
    """
    to_box = S_world_box.inverse()
    around = np.concatenate([_points_around(keyframe) for keyframe in keyframes])
    own = to_box.apply(np.concatenate([measured_points(keyframe) for keyframe in keyframes]))
    if len(around) < _FEWEST or len(own) == 0:
        return None
    chosen = rng.choice(len(around), min(_POINTS, len(around)), replace=False)
    points = to_box.apply(around[chosen, :3])
    tolerances = np.maximum(_SIGMAS * around[chosen, 3] / S_world_box.scale, _FLATNESS)
    plane = _fitted(points, tolerances, rng)
    eyes = to_box.apply(np.array([k.view.camera.T_world_camera[:3, 3] for k in keyframes]))
    if plane.heights(eyes).mean() < 0:
        plane = SupportPlane(-plane.normal, -plane.offset)
    is_on = np.abs(plane.heights(points)) < tolerances
    is_below = plane.heights(own) < -2 * np.median(tolerances)
    if is_on.mean() < LEAST_SHARE or is_below.mean() > MOST_BELOW:
        return None
    return plane


def _points_around(keyframe: Keyframe) -> np.ndarray:
    """Points measured beside the object [m, world], and their depths' sigmas [m], f64 (N, 4)."""
    view = keyframe.view
    if view.depth is None:
        return np.empty((0, 4))
    wanted = ~grown(view.mask) & keyframe.known & np.isfinite(view.depth)
    depth = view.depth[wanted].astype(np.float64)
    points = view.camera.unproject(view.camera.pixel_grid()[wanted], depth)
    world = transform_points(view.camera.T_world_camera, points)
    return np.column_stack([world, depth_sigma(depth)])


def _fitted(points: np.ndarray, tolerances: np.ndarray, rng: np.random.Generator) -> SupportPlane:
    """The plane with the most of the points within their tolerances."""
    most, best = -1, SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0)
    for _ in range(_TRIALS):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        normal /= max(float(np.linalg.norm(normal)), 1e-12)
        plane = SupportPlane(normal, float(normal @ a))
        count = int((np.abs(plane.heights(points)) < tolerances).sum())
        if count > most:
            most, best = count, plane
    for _ in range(_ROUNDS):
        near = points[np.abs(best.heights(points)) < tolerances]
        if len(near) < 3:
            break
        middle = near.mean(axis=0)
        normal = np.linalg.svd(near - middle, full_matrices=False)[2][2]
        best = SupportPlane(normal, float(normal @ middle))
    return best
