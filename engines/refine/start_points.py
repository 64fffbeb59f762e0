# SPDX-License-Identifier: Apache-2.0
"""What is known of a shape before it is optimised: instant meshes where nothing was measured, the
fused measurements (Curless and Levoy 1996) elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction
from recon_node.engines.surface_samples import sample_surface
from recon_node.engines.transforms import Similarity, invert, transform_points
from recon_node.kernels.ray_cast import RayCaster

TRUNCATION = 0.06  # distance beyond which a measurement says no more than "in front" [box unit]
RIM = 2  # pixels around a mask that do not count as outside it
_MESHES = 4  # that are asked at most
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

    Where no keyframe looked the distance is the median of those to the start's mesh and to the
    keyframes' own instant meshes: what only one view guessed is outvoted.

    Args:
        start: What is refined.
        keyframes: Views of it; their results are meshes of the same object.
        S_world_box: Of the box.
        rng: Source of the points.
    """
    meshes = [_in_box(result, S_world_box) for result in _opinions(start, keyframes)]
    surfaces = [sample_surface(mesh, _NEAR // len(meshes), rng=rng).positions for mesh in meshes]
    near = np.concatenate(surfaces)
    near = near + rng.choice(_SPREADS, (len(near), 1)) * rng.standard_normal(near.shape)
    points = np.concatenate([near, rng.uniform(-1, 1, (_ANYWHERE, 3))])
    points = np.clip(points, -1, 1).astype(np.float32)
    guessed, colours = _guess(meshes, points)
    world = S_world_box.apply(points)
    measured, worth = fused_distances(world, keyframes, TRUNCATION * S_world_box.scale)
    seen = worth > 0
    # In front of what was measured, a guess that is farther from every surface knows more.
    distances = measured / S_world_box.scale
    free = distances > 0.9 * TRUNCATION
    distances = np.where(free, np.maximum(distances, guessed), distances)
    sdf = np.where(seen, distances, guessed).astype(np.float32)
    return StartPoints(points, sdf, ~seen, colours)


def fused_distances(
    points: np.ndarray, keyframes: Sequence[Keyframe], truncation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean truncated signed distance along the rays [m] f64 (N,), and how many views say so (N,).

    A view says min(s, truncation) of a point s in front of what it measured, nothing of one that
    lies more than the truncation behind, and the truncation of one beside the object.

    Args:
        points: f64 (N, 3) [m, world].
        keyframes: Views, with depth or without.
        truncation: Largest distance [m].
    """
    total, worth = np.zeros(len(points)), np.zeros(len(points))
    for keyframe in keyframes:
        said, counts = _said(points, keyframe, truncation)
        total[counts] += keyframe.weight * said[counts]
        worth[counts] += keyframe.weight
    return total / np.maximum(worth, 1e-9), worth


def _said(points: np.ndarray, keyframe: Keyframe, truncation: float) -> tuple:
    """What one view says of each point [m], and whether it says anything, (N,) each."""
    view = keyframe.view
    local = transform_points(invert(view.camera.T_world_camera), points)
    columns, rows, in_picture = _pixels(view, local)
    mask = view.mask[rows, columns]
    outside = in_picture & keyframe.known[rows, columns] & ~_grown(view.mask)[rows, columns]
    said = np.full(len(points), truncation)
    if view.depth is None:
        return said, outside
    ahead = view.depth[rows, columns] - local[:, 2]
    with np.errstate(invalid="ignore"):
        measured = in_picture & mask & (ahead > -truncation)
    said[measured] = np.minimum(ahead[measured], truncation)
    return said, outside | measured


def _pixels(view: View, local: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows of points in a picture, and whether they lie in it, (N,) each."""
    pixels = np.nan_to_num(view.camera.project(local), nan=-1.0)
    columns, rows = np.floor(pixels).astype(np.int64).T
    in_picture = (columns >= 0) & (rows >= 0)
    in_picture &= (columns < view.camera.width) & (rows < view.camera.height)
    clip = np.clip
    return (
        clip(columns, 0, view.camera.width - 1),
        clip(rows, 0, view.camera.height - 1),
        in_picture,
    )


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask with all pixels within `RIM` of it, bool (H, W)."""
    for _ in range(RIM):
        padded = np.pad(mask, 1)
        mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return mask


def _opinions(start: Reconstruction, keyframes: Sequence[Keyframe]) -> list[Reconstruction]:
    """The start and results of keyframes, evenly chosen, `_MESHES` in all."""
    results = [keyframe.result for keyframe in keyframes if keyframe.result is not None]
    others = [result for result in results if result.mesh is not start.mesh]
    chosen = np.unique(np.linspace(0, len(others) - 1, _MESHES - 1).round().astype(int))
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
