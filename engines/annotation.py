# SPDX-License-Identifier: Apache-2.0
"""What a crop tells about each vertex of a reconstructed surface: colour, provenance, sigma."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recon_node.engines.canonical import points_to_image
from recon_node.engines.crop import Crop
from recon_node.engines.mesh import Mesh
from recon_node.engines.morphology import eroded
from recon_node.engines.reconstruction import Provenance
from recon_node.engines.spread import spread
from recon_node.kernels.ray_cast import RayCaster

RIM = 6  # pixels over which the object's colours are spread beyond its sure inside
GRAZING = 0.1  # cosine between normal and ray below which a vertex shows nothing
OCCLUDED = 0.03  # a surface this much before a vertex hides it [canonical]
AGREEING = 0.05  # a vertex this close to the measured depth was measured [canonical]


@dataclass(frozen=True)
class SigmaModel:
    """One standard deviation of a vertex along its normal, relative to the longest side.

    Attributes:
        measured: Where the depth camera measured it.
        seen: Where it was seen without a depth.
        guessed: Where it was not seen.
    """

    measured: float
    seen: float
    guessed: float


def annotate(
    points: np.ndarray,
    faces: np.ndarray,
    crop: Crop,
    *,
    hidden_colors: Callable[[np.ndarray], np.ndarray],
    sigma: SigmaModel,
) -> Mesh:
    """The closed surface as a metric mesh in the object's frame, with what is known of each vertex.

    A vertex has the picture's colour where it is turned to the camera with nothing before it, in
    the mask or a little beside it. In the mask it also counts as seen, unless a depth was measured
    there that is not its own. How well its position is known is sigma's business.

    Args:
        points: Vertices, canonical, (V, 3).
        faces: i32 (F, 3).
        crop: What the surface was made from.
        hidden_colors: sRGB 0 to 255, (N, 3) or (3,), of points out of sight, canonical (N, 3).
        sigma: Of the engine, as measured on held-out objects.
    """
    mesh = Mesh((crop.S_world_canonical.scale * points).astype(np.float32), faces)
    size = len(crop.mask)
    uv = points_to_image(points, crop.tan_half_fov)
    columns, rows = np.clip((0.5 * (uv + 1.0) * size).astype(int), 0, size - 1).T
    picture, shown = _spread_colors(crop)
    in_sight = _in_sight(points, uv, mesh, shown[rows, columns], crop.tan_half_fov)
    known, agrees = _depth_agreement(points[:, 0], rows, columns, crop)
    seen = in_sight & np.where(known, agrees, crop.inside[rows, columns])
    colors = np.empty(points.shape, np.float32)
    colors[in_sight] = picture[rows[in_sight], columns[in_sight]]
    colors[~in_sight] = hidden_colors(points[~in_sight])
    relative = np.where(seen & known, sigma.measured, np.where(seen, sigma.seen, sigma.guessed))
    provenance = np.where(seen, Provenance.SEEN_ONCE, Provenance.HALLUCINATED)
    return replace(
        mesh,
        colors=np.clip(colors, 0.0, 255.0).astype(np.uint8),
        provenance=provenance.astype(np.uint8),
        sigma=(relative * mesh.extents.max()).astype(np.float32),
    )


def _in_sight(
    points: np.ndarray, uv: np.ndarray, mesh: Mesh, shown: np.ndarray, tan_half_fov: float
) -> np.ndarray:
    """Whether each vertex is shown, turned to the camera, and has nothing before it, bool (V,).

    Args:
        points: Vertices of the mesh, canonical, (V, 3).
        uv: Where they project, (V, 2).
        mesh: The closed surface.
        shown: Vertices in question, bool (V,).
        tan_half_fov: q, of the crop.
    """
    to_eye = np.array([1.0 / tan_half_fov, 0.0, 0.0]) - points
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    in_sight = shown & (np.sum(mesh.vertex_normals() * to_eye, axis=1) > GRAZING)
    # Wherever a ray to the eye enters, it leaves through a face turned to the eye.
    (ua, va), (ub, vb), (uc, vc) = uv[mesh.faces].transpose(1, 2, 0)
    turned = (ub - ua) * (vc - va) < (vb - va) * (uc - ua)
    if in_sight.any() and turned.any():
        rays = to_eye[in_sight]
        caster = RayCaster(points, mesh.faces[turned], signed=False)
        in_sight[in_sight] = caster.cast(points[in_sight] + OCCLUDED * rays, rays).faces < 0
    return in_sight


def _depth_agreement(
    x: np.ndarray, rows: np.ndarray, columns: np.ndarray, crop: Crop
) -> tuple[np.ndarray, np.ndarray]:
    """Whether a depth was measured at each vertex's pixel, and whether it is the vertex's."""
    if crop.depth is None:
        nowhere = np.zeros(len(x), bool)
        return nowhere, nowhere
    measured = crop.depth[rows, columns]
    known = np.isfinite(measured)
    return known, known & (np.abs(measured - x) < AGREEING)


def _spread_colors(crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """The object's colours, spread from inside its outline over its rim and a little beyond.

    A vertex on the outline projects to a pixel that is partly background.

    Returns:
        The picture, f32 (S, S, 3), and where it has the object's colours, bool (S, S).
    """
    known = eroded(crop.mask >= 0.99)
    if not known.any():
        known = crop.inside
    return spread(crop.image.astype(np.float32), known, steps=RIM)
