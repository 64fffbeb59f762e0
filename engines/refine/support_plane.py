# SPDX-License-Identifier: Apache-2.0
"""The plane that an object stands on, as its keyframes measured it around the object: nothing of
the object is beyond it, and its underside, which no camera sees, lies on it."""

from collections.abc import Sequence

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.plane import Plane, fitted_plane
from recon_node.engines.keyframes.surroundings import FEWEST, LEAST_SHARE, SIGMAS, points_beside
from recon_node.engines.refine.box import measured_points
from recon_node.engines.transforms import Similarity, transform_points

MOST_BELOW = 0.02  # share of the object's own points that may lie below it
_FLATNESS = 0.01  # points of the plane lie off it by at least so much [box unit]
_POINTS = 2000  # by which it is found


def support_plane(
    keyframes: Sequence[Keyframe], S_world_box: Similarity, *, rng: np.random.Generator
) -> Plane | None:
    """The plane [box] that most points around the object lie on; None where there is none.

    Its normal is on the side of the object and the cameras. A wall close behind the object is as
    good as a table: all that is asked is that the object's own points lie on one side of it.

    Args:
        keyframes: Views with depth; without any there is none.
        S_world_box: Of the box.
        rng: Source of the planes tried.
    """
    to_box = S_world_box.inverse()
    around = [points_beside(keyframe) for keyframe in keyframes]
    placed = [
        transform_points(keyframe.view.camera.T_world_camera, points)
        for keyframe, (points, _) in zip(keyframes, around, strict=True)
    ]
    points = to_box.apply(np.concatenate(placed))
    sigmas = np.concatenate([sigmas for _, sigmas in around]) / S_world_box.scale
    own = to_box.apply(np.concatenate([measured_points(keyframe) for keyframe in keyframes]))
    if len(points) < FEWEST or len(own) == 0:
        return None
    chosen = rng.choice(len(points), min(_POINTS, len(points)), replace=False)
    points, tolerances = points[chosen], np.maximum(SIGMAS * sigmas[chosen], _FLATNESS)
    eyes = to_box.apply(np.array([k.view.camera.T_world_camera[:3, 3] for k in keyframes]))
    plane = fitted_plane(points, tolerances, rng).facing(eyes.mean(axis=0))
    is_on = np.abs(plane.heights(points)) < tolerances
    is_below = plane.heights(own) < -2 * np.median(tolerances)
    if is_on.mean() < LEAST_SHARE or is_below.mean() > MOST_BELOW:
        return None
    return plane
