# SPDX-License-Identifier: Apache-2.0
"""Whether two keyframes show the same rigid object at the same place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.keyframes.keyframe import Keyframe, with_T_world_camera
from recon_node.engines.keyframes.matching import MeasuredObject, pixels_of
from recon_node.engines.keyframes.outline import Outline
from recon_node.engines.keyframes.registration import register
from recon_node.engines.transforms import invert

TOLERANCE = 0.008  # between surfaces that are one [m], but at least
_PIXELS = 1.5  # as wide as so many pixels at the object: of a far one they know no better
MOST_CONTRADICTION = 0.15  # of the compared points
_FEWEST = 40  # points that can be compared
_SAMPLES = 500  # points of a keyframe
_MOST_SIGMAS = 3.0  # of a displacement that errors of the poses explain


@dataclass(frozen=True)
class Agreement:
    """How the points of two keyframes fit into what the other one saw.

    Attributes:
        confirmed: points that lie on the surface the other keyframe measured, or in its mask
            where it measured none.
        contradicted: points that the other one would have seen, but did not: it looked through
            them, or saw something else there.
    """

    confirmed: int
    contradicted: int

    @property
    def compared(self) -> int:
        """Points that say something."""
        return self.confirmed + self.contradicted

    @property
    def contradiction(self) -> float:
        """Share of the compared points that is contradicted; NaN without any."""
        return self.contradicted / self.compared if self.compared else float("nan")


def agreement(a: Keyframe, b: Keyframe, *, tolerance: float = TOLERANCE) -> Agreement:
    """The agreement of two keyframes as their cameras stand, in both directions.

    A point of one contradicts the other where it lies in front of the depth measured there, or
    would be seen beside the mask, by more than the tolerance. One that lies behind what is
    measured, out of the picture or where the other one says nothing is not compared.

    Args:
        a: a keyframe with depth.
        b: another one.
        tolerance: of places [m], along the line of sight and across.

    Returns:
        The agreement.
    """
    measured_a, measured_b = (MeasuredObject(each, samples=_SAMPLES) for each in (a, b))
    return _both(a, measured_a, b, measured_b, tolerance)


def agree(
    a: Keyframe, b: Keyframe, *, sigma_translation: float, sigma_rotation: float
) -> bool | None:
    """Whether two keyframes can show the same object at the same place, but for errors of poses.

    Where they do not agree as they stand, they are registered; then they must agree, and the
    object must not have been displaced farther than errors of the poses explain.

    Args:
        a: a keyframe.
        b: another one.
        sigma_translation: of the poses [m].
        sigma_rotation: of the poses [rad].

    Returns:
        True or False; None where too little can be compared.
    """
    measured_a, measured_b = (MeasuredObject(each, samples=_SAMPLES) for each in (a, b))
    tolerance = max(TOLERANCE, *(_PIXELS * _pixel_width(each) for each in (a, b)))
    found = _both(a, measured_a, b, measured_b, tolerance)
    if found.compared < _FEWEST:
        return None
    if found.contradiction < MOST_CONTRADICTION:
        return True
    sigmas = {"sigma_translation": sigma_translation, "sigma_rotation": sigma_rotation}
    T = register([a, b], **sigmas).T_world_cameras[1]
    moved = _both(a, measured_a, with_T_world_camera(b, T), measured_b, tolerance)
    if moved.compared < _FEWEST or moved.contradiction > MOST_CONTRADICTION:
        return False
    middle, change = measured_b.middle, T - b.view.camera.T_world_camera
    displaced = np.linalg.norm(change[:3, :3] @ middle + change[:3, 3])
    # Of two cameras, by their places and by turns that the distance makes long.
    sigma = np.sqrt(2) * np.hypot(sigma_translation, sigma_rotation * np.linalg.norm(middle))
    return bool(displaced < _MOST_SIGMAS * sigma)


def _pixel_width(keyframe: Keyframe) -> float:
    """How much of the object a pixel shows, at its median depth [m]; 0 without depth."""
    view = keyframe.view
    if view.depth is None or not np.isfinite(view.depth[view.mask]).any():
        return 0.0
    return float(np.nanmedian(view.depth[view.mask]) / view.camera.focal.mean())


def _both(
    a: Keyframe,
    measured_a: MeasuredObject,
    b: Keyframe,
    measured_b: MeasuredObject,
    tolerance: float,
) -> Agreement:
    """The agreement in both directions."""
    there = _seen(measured_a.points, a.view.camera, b, measured_b.outline, tolerance)
    back = _seen(measured_b.points, b.view.camera, a, measured_a.outline, tolerance)
    return Agreement(there.confirmed + back.confirmed, there.contradicted + back.contradicted)


def _seen(
    points: np.ndarray, source: Camera, b: Keyframe, outline: Outline, tolerance: float
) -> Agreement:
    """How points (M, 3) [m, source] fit into what b saw."""
    depth, camera = b.view.depth, b.view.camera
    if depth is None or len(points) == 0:
        return Agreement(0, 0)
    T = invert(camera.T_world_camera) @ source.T_world_camera
    points = points @ T[:3, :3].T + T[:3, 3]
    index, pixels = pixels_of(camera, points)
    says = b.known.ravel()[pixels]
    index, pixels = index[says], pixels[says]
    z, measured = points[index, 2], depth.ravel()[pixels]
    in_mask = b.view.mask.ravel()[pixels]
    is_hidden = z > measured + tolerance  # false where nothing is measured
    looked_through = z < measured - tolerance
    off = outline.nearest.reshape(-1, 2)[pixels] - camera.pixel_grid().reshape(-1, 2)[pixels]
    beside = ~in_mask & ~(np.linalg.norm(off, axis=1) * z / camera.focal.mean() < tolerance)
    contradicted = (in_mask & looked_through) | (beside & ~is_hidden)
    confirmed = in_mask & ~(np.abs(z - measured) > tolerance)  # or nothing is measured there
    elsewhere = _beside_the_part(b, points)
    return Agreement(int(confirmed.sum()), int(contradicted.sum()) + elsewhere)


def _beside_the_part(b: Keyframe, points: np.ndarray) -> int:
    """How many points (M, 3) [m, camera of b] its picture shows, but not the part kept of it.

    There the mask was empty. Where the picture ends with the part, nothing is known beyond.
    """
    camera, known = b.view.camera, b.known
    x, y = camera.project(points).T
    beyond = np.stack([x < 0, x >= camera.width, y < 0, y >= camera.height])  # false behind it
    is_end = ~np.array([line.any() for line in (known[:, 0], known[:, -1], known[0], known[-1])])
    return int((beyond.any(axis=0) & ~beyond[is_end].any(axis=0)).sum())
