# SPDX-License-Identifier: Apache-2.0
"""What a keyframe measured beside its object: mostly the table that it stands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.keyframes.depth_noise import depth_sigma
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.plane import Plane, fitted_plane
from recon_node.engines.morphology import dilated

RIM = 2  # pixels around a mask that do not count as outside it
SIGMAS = 2.5  # of depth: how far points of a plane lie off it
LEAST_SHARE = 0.4  # of the points around the object that lie on the plane
FEWEST = 200  # points around the object
_POINTS = 2000  # by which a plane is found


def beside(mask: np.ndarray) -> np.ndarray:
    """The pixels farther than `RIM` from the mask, bool (H, W)."""
    for _ in range(RIM):
        mask = dilated(mask)
    return ~mask


def points_beside(keyframe: Keyframe) -> tuple[np.ndarray, np.ndarray]:
    """Points measured beside the object, f64 (N, 3) [m, camera], and their depths' sigmas (N,).

    Args:
        keyframe: a keyframe; without depth there is no point.
    """
    view = keyframe.view
    if view.depth is None:
        return np.empty((0, 3)), np.empty(0)
    wanted = beside(view.mask) & keyframe.known & np.isfinite(view.depth)
    depth = view.depth[wanted].astype(np.float64)
    return view.camera.unproject(view.camera.pixel_grid()[wanted], depth), depth_sigma(depth)


@dataclass(frozen=True, eq=False)
class MeasuredPlane:
    """The plane around the object, as one keyframe measured it.

    Attributes:
        plane: [m, camera], its normal towards the camera.
        points: f64 (M, 3) [m, camera], measured on it.
    """

    plane: Plane
    points: np.ndarray

    @classmethod
    def of(cls, keyframe: Keyframe, *, samples: int) -> MeasuredPlane | None:
        """The plane that most points beside the object lie on, with so many points at most.

        Returns:
            The same for the same keyframe; None where there is none.
        """
        points, sigmas = points_beside(keyframe)
        if len(points) < FEWEST:
            return None
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(points), min(_POINTS, len(points)), replace=False)
        plane = fitted_plane(points[chosen], SIGMAS * sigmas[chosen], rng).facing(np.zeros(3))
        is_on = np.abs(plane.heights(points)) < SIGMAS * sigmas
        if is_on.mean() < LEAST_SHARE:
            return None
        on = points[is_on]
        return cls(plane, on[(np.arange(min(samples, len(on))) * len(on)) // min(samples, len(on))])
