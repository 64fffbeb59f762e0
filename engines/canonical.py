# SPDX-License-Identifier: Apache-2.0
"""The canonical cube [-1, 1]^3 of an object crop, and how it projects.

Axes: +x towards the crop camera, +y image right, +z image up. With q the tangent of half the
crop's field of view and D the distance of the cube's centre, a canonical point lies in the crop
camera (OpenCV axes) at

    p = D (0, 0, 1) + D q (y, -z, -x)

so the cube's section x = 0 fills the crop image exactly. Image coordinates here are normalised:
u right and v down, both from -1 to 1 across the crop.
"""

import numpy as np

from recon_node.engines.transforms import Similarity

FRONT = 0.9  # canonical x of the nearest seen surface; the rest is room for noise and bulges
R_CROP_CANONICAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
R_CROP_CANONICAL.flags.writeable = False


def placement(distance: float, tan_half_fov: float) -> Similarity:
    """`S_crop_canonical`, the cube in the crop camera.

    Args:
        distance: D, of the cube's centre [m].
        tan_half_fov: q.

    Returns:
        The similarity of scale D q.
    """
    centre = np.array([0.0, 0.0, distance])
    return Similarity(distance * tan_half_fov, R_CROP_CANONICAL, centre)


def distance_from_nearest(nearest: float, tan_half_fov: float) -> float:
    """D that puts the surface at depth `nearest` at x = FRONT: `D = z_near / (1 - FRONT q)`.

    Args:
        nearest: depth of the nearest seen surface in the crop camera [m].
        tan_half_fov: q, below 1 / FRONT.

    Returns:
        Distance of the cube's centre [m].
    """
    return nearest / (1.0 - FRONT * tan_half_fov)


def depth_to_canonical(depth: np.ndarray, distance: float, tan_half_fov: float) -> np.ndarray:
    """Canonical x of surfaces at a depth: `x = (D - z) / (D q)`.

    Args:
        depth: z in the crop camera [m], any shape.
        distance: D [m].
        tan_half_fov: q.

    Returns:
        The same shape.
    """
    return (distance - depth) / (distance * tan_half_fov)


def points_to_image(points: np.ndarray, tan_half_fov: float) -> np.ndarray:
    """Where canonical points project: `u = y / (1 - q x)`, `v = -z / (1 - q x)`.

    >>> points_to_image(np.array([[0.0, 0.5, 1.0]]), 0.3).tolist()  # right of the middle, top edge
    [[0.5, -1.0]]

    Args:
        points: (..., 3) canonical.
        tan_half_fov: q, below 1.

    Returns:
        (..., 2) normalised image coordinates, of the points' dtype.
    """
    nearness = 1.0 - tan_half_fov * points[..., 0]
    return np.stack([points[..., 1] / nearness, -points[..., 2] / nearness], axis=-1)


def image_to_points(uv: np.ndarray, x: np.ndarray, tan_half_fov: float) -> np.ndarray:
    """Canonical points that project to `uv` at canonical depth `x`, undoing `points_to_image`.

    Args:
        uv: (..., 2) normalised image coordinates.
        x: (...,) canonical.
        tan_half_fov: q, below 1.

    Returns:
        (..., 3) canonical.
    """
    nearness = 1.0 - tan_half_fov * x
    return np.stack([x, uv[..., 0] * nearness, -uv[..., 1] * nearness], axis=-1)
