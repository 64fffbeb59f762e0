# SPDX-License-Identifier: Apache-2.0
"""What is known of a shape before it is optimised: what was measured, what its symmetry and the
plane that it stands on tell of the rest, and instant meshes for what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.opinions import MOST
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction
from recon_node.engines.refine.measured_distances import measured_distances
from recon_node.engines.refine.support_plane import support_plane
from recon_node.engines.refine.symmetry import mirror_planes
from recon_node.engines.surface_samples import sample_surface
from recon_node.engines.transforms import Similarity
from recon_node.kernels.ray_cast import RayCaster

TRUNCATION = 0.06  # distance beyond which a measurement says no more than "in front" [box unit]
_NEAR, _ANYWHERE = 40_000, 24_000  # points near surfaces, and in the whole box
_SPREADS = (0.01, 0.04)  # of points near surfaces, half of them each [box unit]


@dataclass(frozen=True, eq=False)
class StartPoints:
    """Points of the box frame with what they begin as.

    Attributes:
        points: f32 (N, 3) [box].
        sdf: Signed distance, negative inside, f32 (N,) [box unit].
        hidden: Whether no keyframe says anything about the point, bool (N,).
        colours: sRGB from 0 to 1 of the nearest surface, f32 (N, 3).
    """

    points: np.ndarray
    sdf: np.ndarray
    hidden: np.ndarray
    colours: np.ndarray


def start_points(
    start: Reconstruction,
    keyframes: Sequence[Keyframe],
    S_world_box: Similarity,
    *,
    rng: np.random.Generator,
) -> StartPoints:
    """Points near the surfaces and anywhere in the box, with distances and colours.

    Where no keyframe looked the distance is the measured one at the point's mirror image, if the
    object is symmetric and that was seen; else the median of those to the start's mesh and to the
    keyframes' own instant meshes, by which what only one view guessed is outvoted. Nothing is
    beyond the plane that it stands on.

    Args:
        start: What is refined.
        keyframes: Views of it; their results are meshes of the same object.
        S_world_box: Of the box.
        rng: Source of the points.
    """
    meshes = [_in_box(result, S_world_box) for result in _opinions(start, keyframes)]
    surfaces = [sample_surface(mesh, _NEAR // len(meshes), rng=rng).positions for mesh in meshes]
    near = np.concatenate(surfaces)
    support = support_plane(keyframes, S_world_box, rng=rng)
    if support is not None:
        near = support.lifted(near)
    near = near + rng.choice(_SPREADS, (len(near), 1)) * rng.standard_normal(near.shape)
    points = np.concatenate([near, rng.uniform(-1, 1, (_ANYWHERE, 3))])
    points = np.clip(points, -1, 1).astype(np.float32)
    sdf, colours = _guess(meshes, points)
    said, seen = _measured(points, sdf, keyframes, S_world_box)
    sdf = np.where(seen, said, sdf)
    untold = ~seen
    planes = mirror_planes(keyframes, S_world_box, truncation=TRUNCATION, rng=rng, support=support)
    for plane in planes:
        said, told = _measured(plane.mirror(points), sdf, keyframes, S_world_box)
        told &= untold
        sdf[told] = said[told]
        untold &= ~told
    if support is not None:
        sdf = np.maximum(sdf, -support.heights(points))
    return StartPoints(points, sdf.astype(np.float32), ~seen, colours)


def _measured(
    points: np.ndarray,
    guessed: np.ndarray,
    keyframes: Sequence[Keyframe],
    S_world_box: Similarity,
) -> tuple[np.ndarray, np.ndarray]:
    """Measured distances [box unit], (N,), and whether there is one, bool (N,).

    In free space, where a measurement is only a lower bound, a guess that is larger knows more.
    """
    scale = S_world_box.scale
    distances, worth = measured_distances(S_world_box.apply(points), keyframes, TRUNCATION * scale)
    distances = distances / scale
    is_free = distances > 0.9 * TRUNCATION
    distances = np.where(is_free, np.maximum(distances, guessed), distances)
    return distances, worth > 0


def _opinions(start: Reconstruction, keyframes: Sequence[Keyframe]) -> list[Reconstruction]:
    """The start and results of keyframes, evenly chosen, `MOST` in all."""
    results = [keyframe.result for keyframe in keyframes if keyframe.result is not None]
    others = [result for result in results if result.mesh is not start.mesh]
    chosen = np.unique(np.linspace(0, len(others) - 1, MOST - 1).round().astype(int))
    return [start] + ([others[i] for i in chosen] if others else [])


def _in_box(result: Reconstruction, S_world_box: Similarity) -> Mesh:
    to_box = S_world_box.inverse() @ Similarity.from_transform(result.T_world_object)
    return result.mesh.transformed(to_box)


def _guess(meshes: Sequence[Mesh], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median signed distance (N,) to the meshes, and the colour (N, 3) of one that saw it."""
    distances, colours = [], np.full((len(points), 3), 0.5, np.float32)
    undecided = np.ones(len(points), bool)
    for mesh in meshes:
        nearest = RayCaster(mesh.vertices, mesh.faces).signed_closest(points)
        distances.append(nearest.distances)
        if mesh.colors is None:
            continue
        corners = mesh.faces[nearest.faces]
        blended = (mesh.colors[corners] * nearest.barycentric[..., None]).sum(1) / 255.0
        if mesh is meshes[0]:
            colours = blended.astype(np.float32)
        if mesh.provenance is not None:
            seen = undecided & (mesh.provenance[corners].min(1) > Provenance.HALLUCINATED)
            colours[seen] = blended[seen]
            undecided &= ~seen
    return np.median(distances, axis=0), colours
