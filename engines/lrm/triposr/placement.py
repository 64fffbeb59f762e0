# SPDX-License-Identifier: Apache-2.0
"""Where a shape that the TripoSR family saw stands before the real camera, and how large it is.

The model's axes are those of the canonical cube, and its picture is that of a virtual camera which
the checkpoint's preset describes; the real one is another. What both share is the picture: the
shape is made as large as its outline is in the crop, then moved along the optical axis until its
surface lies where the depth camera measured it.
"""

import dataclasses

import numpy as np

from recon_node.engines.canonical import depth_to_canonical
from recon_node.engines.crop import Crop
from recon_node.kernels.ray_cast import RayCaster

STRIDE = 4  # pixels between two rays; 16,000 rays at 512 px
FEWEST_HITS = 16  # rays that met the shape where a depth was measured


def outline_scale(points: np.ndarray, crop: Crop) -> float:
    """How much larger the shape has to be for its outline to fill the mask's box, (0, inf).

    A point c to the side (in y or z) and x towards the camera, scaled by s, projects to
    u = s c / (1 - q s x); it reaches the box's side T where s = T / (c + T q x). The longer side of
    the box counts, and its two ends by their geometric mean, so that a shift does no harm.

    Args:
        points: Vertices, canonical, (V, 3).
        crop: What the shape was made from.

    Returns:
        1 for an object that is cut off: its outline is not known.
    """
    if crop.truncated:
        return 1.0
    reached = [np.ptp(np.nonzero(crop.inside)[axis]) + 1.0 for axis in (1, 0)]  # [px] along y, z
    side = int(np.argmax(reached))
    half = reached[side] / len(crop.mask)
    nearer = half * crop.tan_half_fov * points[:, 0]
    ends = [float((sign * points[:, 1 + side] + nearer).max()) for sign in (1.0, -1.0)]
    if min(ends) <= 0:
        return 1.0  # the whole shape lies on one side of the axis
    return half / float(np.sqrt(ends[0] * ends[1]))


def at_measured_depth(points: np.ndarray, faces: np.ndarray, crop: Crop) -> Crop | None:
    """The crop with its cube at the distance where the surface has the measured depths.

    A ray from the camera meets the cube's surface at z = D q t, in closed form: D is the median of
    z / (q t) over the pixels.

    Args:
        points: Vertices, canonical, (V, 3).
        faces: i32 (F, 3).
        crop: With depth.

    Returns:
        The crop with another distance and its depth to match; None where hardly any measured pixel
        shows the shape.
    """
    q, size = crop.tan_half_fov, len(crop.mask)
    z = crop.distance * (1.0 - q * crop.depth.astype(np.float64))  # [m]
    rows, columns = np.nonzero(np.isfinite(crop.depth))
    on_grid = (rows % STRIDE == STRIDE // 2) & (columns % STRIDE == STRIDE // 2)
    rows, columns = rows[on_grid], columns[on_grid]
    uv = (np.stack([columns, rows], axis=1) + 0.5) * (2.0 / size) - 1.0
    # From the eye at x = 1 / q, a step in x for each length of the ray.
    rays = np.column_stack([-np.ones(len(uv)), q * uv[:, 0], -q * uv[:, 1]])
    eyes = np.broadcast_to([1.0 / q, 0.0, 0.0], rays.shape)
    if len(rays) < FEWEST_HITS:
        return None
    hits = RayCaster(points, faces, signed=False).cast(eyes, rays)
    met = hits.faces >= 0
    if met.sum() < FEWEST_HITS:
        return None
    distance = float(np.median(z[rows[met], columns[met]] / (q * hits.distances[met])))
    depth = depth_to_canonical(z, distance, q).astype(np.float32)
    return dataclasses.replace(crop, distance=distance, depth=depth)
