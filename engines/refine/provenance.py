# SPDX-License-Identifier: Apache-2.0
"""What keyframes saw of a mesh."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recon_node.engines.annotation import SigmaModel
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance
from recon_node.engines.transforms import Similarity, invert, transform_points
from recon_node.kernels.ray_cast import RayCaster

SIGMA = SigmaModel(measured=0.005, seen=0.03, guessed=0.06)
GRAZING = 0.1  # cosine between normal and ray below which a vertex shows nothing
AGREEING = 0.03  # of a vertex and a measured depth [box unit]
_LIFT = 0.02  # of a ray's start off the surface that it leaves [box unit]


def annotated(mesh: Mesh, keyframes: Sequence[Keyframe], S_world_box: Similarity) -> Mesh:
    """The mesh of the box frame with provenance, and sigma [box unit].

    A vertex is seen by a keyframe whose camera it faces with nothing before it, in the mask, and
    where a depth was measured there that is its own.

    Args:
        mesh: A closed surface [box].
        keyframes: Views of it.
        S_world_box: Of the box.
    """
    caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
    normals, world = mesh.vertex_normals(), S_world_box.apply(mesh.vertices)
    seen = np.zeros(len(world), np.int64)
    measured = np.zeros(len(world), bool)
    for keyframe in keyframes:
        in_sight, agrees = _seen_by(mesh.vertices, normals, world, caster, keyframe, S_world_box)
        seen += in_sight
        measured |= agrees
    relative = np.where(measured, SIGMA.measured, np.where(seen > 0, SIGMA.seen, SIGMA.guessed))
    return replace(
        mesh,
        provenance=np.minimum(seen, Provenance.SEEN_TWICE).astype(np.uint8),
        sigma=(relative * mesh.extents.max()).astype(np.float32),
    )


def _seen_by(
    points: np.ndarray,
    normals: np.ndarray,
    world: np.ndarray,
    caster: RayCaster,
    keyframe: Keyframe,
    S_world_box: Similarity,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether a keyframe sees each vertex, and whether it measured it, bool (V,) each."""
    view = keyframe.view
    eye = S_world_box.inverse().apply(view.camera.T_world_camera[None, :3, 3])[0]
    to_eye = eye - points
    distances = np.linalg.norm(to_eye, axis=1, keepdims=True)
    to_eye /= distances
    local = transform_points(invert(view.camera.T_world_camera), world)
    columns, rows = np.floor(np.nan_to_num(view.camera.project(local), nan=-1.0)).astype(int).T
    inside = (columns >= 0) & (rows >= 0)
    inside &= (columns < view.camera.width) & (rows < view.camera.height)
    inside &= (normals * to_eye).sum(1) > GRAZING
    index = np.flatnonzero(inside)
    index = index[(view.mask & keyframe.known)[rows[index], columns[index]]]
    agrees = np.zeros(len(points), bool)
    if view.depth is not None:
        off = view.depth[rows[index], columns[index]] - local[index, 2]
        known = np.isfinite(off)
        near = np.abs(off) < AGREEING * S_world_box.scale
        agrees[index[known & near]] = True
        index = index[~known | near]
    rays = to_eye[index].astype(np.float32)
    starts = (points[index] + _LIFT * rays).astype(np.float32)
    in_sight = np.zeros(len(points), bool)
    if len(index):
        in_sight[index[caster.cast(starts, rays).faces < 0]] = True
    return in_sight, agrees & in_sight
