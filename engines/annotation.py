# SPDX-License-Identifier: Apache-2.0
"""What a crop tells about each vertex of a reconstructed surface: colour, provenance, sigma."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.canonical import points_to_image
from recon_node.engines.crop import Crop
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance
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
    hidden_colors: np.ndarray,
    sigma: SigmaModel,
) -> Mesh:
    """The surface as a metric mesh in the object's frame, with what is known of each vertex.

    A vertex counts as seen where the camera saw it: the first surface on its ray inside the mask
    and, where a depth was measured, close to that depth. How well its position is known is sigma's
    business.

    Args:
        points: Vertices, canonical, (V, 3).
        faces: i32 (F, 3).
        crop: What the surface was made from.
        hidden_colors: sRGB 0 to 255 for vertices that the picture does not show, (V, 3) or (3,).
        sigma: Of the engine, as measured on held-out objects.
    """
    scale = crop.S_world_canonical.scale
    bare = Mesh((scale * points).astype(np.float32), faces)
    size = len(crop.mask)
    uv = points_to_image(points, crop.tan_half_fov)
    columns, rows = np.clip((0.5 * (uv + 1.0) * size).astype(int), 0, size - 1).T
    picture, shown = _spread_colors(crop)
    seen = _faces_eye(points, faces, bare, crop) & shown[rows, columns]
    known, agrees = _depth_agreement(points[:, 0], rows, columns, crop)
    seen &= agrees | ~known
    colors = np.where(seen[:, None], picture[rows, columns], hidden_colors)
    relative = np.where(seen & known, sigma.measured, np.where(seen, sigma.seen, sigma.guessed))
    provenance = np.where(seen, Provenance.SEEN_ONCE, Provenance.HALLUCINATED)
    return Mesh(
        vertices=bare.vertices,
        faces=faces,
        colors=np.clip(colors, 0.0, 255.0).astype(np.uint8),
        provenance=provenance.astype(np.uint8),
        sigma=(relative * bare.extents.max()).astype(np.float32),
    )


def _faces_eye(points: np.ndarray, faces: np.ndarray, bare: Mesh, crop: Crop) -> np.ndarray:
    """Whether each vertex is turned to the camera with nothing before it, bool (V,)."""
    eye = np.array([1.0 / crop.tan_half_fov, 0.0, 0.0])
    rays = points - eye
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    rays = rays / lengths
    turned = -np.sum(bare.vertex_normals() * rays, axis=1) > GRAZING
    caster = RayCaster(points, faces, signed=False)
    # Start close to the cube: from a far eye, float32 rays would miss by more than a voxel.
    start = lengths[:, 0].min() - 0.1
    hits = caster.cast(eye + start * rays, rays)
    return turned & (hits.distances + start > lengths[:, 0] - OCCLUDED)


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
    colors = crop.image.astype(np.float32)
    known = _eroded(crop.mask >= 0.99)
    if not known.any():
        known = crop.mask >= min(0.5, crop.mask.max())
    for _ in range(RIM):
        weight, total = np.zeros(known.shape, np.float32), np.zeros_like(colors)
        for axis in (0, 1):
            for step in (-1, 1):
                near = np.roll(known, step, axis)
                weight += near
                total += near[..., None] * np.roll(colors, step, axis)
        fresh = ~known & (weight > 0)
        colors[fresh] = total[fresh] / weight[fresh, None]
        known = known | fresh
    return colors, known


def _eroded(mask: np.ndarray) -> np.ndarray:
    """The mask without the pixels that touch its outside, bool (H, W)."""
    padded = np.pad(mask, 1)
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
