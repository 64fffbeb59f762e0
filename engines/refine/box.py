# SPDX-License-Identifier: Apache-2.0
"""The cube around an object in which it is refined."""

from collections.abc import Sequence

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import Similarity, invert, transform_points

MARGIN = 1.15  # of the cube's half side / half of the longest side of what is in it
_STRAY = 1.0  # per cent of the measured points at each end that may lie outside


def refinement_box(start: Reconstruction, keyframes: Sequence[Keyframe]) -> Similarity:
    """`S_world_box`, from the cube [-1, 1]³ to the world [m]; its axes are those of the start.

    The cube holds the start's mesh, those of the keyframes' own results, and the measured points.

    Args:
        start: What is refined.
        keyframes: Views of it, in the same world.
    """
    T_object_world = invert(start.T_world_object)
    clouds = [start.mesh.vertices.astype(np.float64)]
    for keyframe in keyframes:
        if keyframe.result is not None:
            T = T_object_world @ keyframe.result.T_world_object
            clouds.append(transform_points(T, keyframe.result.mesh.vertices.astype(np.float64)))
        measured = measured_points(keyframe)
        if len(measured):
            inner = transform_points(T_object_world, measured)
            clouds.append(np.percentile(inner, [_STRAY, 100 - _STRAY], axis=0))
    points = np.concatenate(clouds)
    low, high = points.min(axis=0), points.max(axis=0)
    T_object_box = np.eye(4)
    T_object_box[:3, 3] = 0.5 * (low + high)
    half = 0.5 * MARGIN * float((high - low).max())
    rigid = Similarity.from_transform(start.T_world_object @ T_object_box)
    return Similarity(half, rigid.R, rigid.t)


def measured_points(keyframe: Keyframe) -> np.ndarray:
    """Points that a keyframe's depth measured on the object, f64 (N, 3) [m, world]."""
    view = keyframe.view
    if view.depth is None:
        return np.empty((0, 3))
    wanted = view.mask & np.isfinite(view.depth)
    points = view.camera.unproject(view.camera.pixel_grid()[wanted], view.depth[wanted])
    return transform_points(view.camera.T_world_camera, points)
