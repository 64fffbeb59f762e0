# SPDX-License-Identifier: Apache-2.0
"""The hull engine: a closed shape from a mask, and a depth if there is one, without any weights.

It is the floor of the quality ladder (something always answers) and the baseline that a learned
engine has to beat with the same input.

With depth: the convex hull of the seen points and of a copy of them pushed back a little, so that a
surface seen face on has a thickness. A hull that is completed by mirroring the seen points, across
a plane or through a point at the depth of the outline, was measured too: where objects stand on a
table and are seen from above, it puts more volume where there is none than where there is some.

Without depth: the outline extruded along the rays through it, as thick as the shorter side of the
outline is long, around the centre of the cube.
"""

import time
from collections.abc import Sequence

import manifold3d
import numpy as np

from recon_node.engines.annotation import SigmaModel, annotate
from recon_node.engines.camera import View
from recon_node.engines.canonical import image_to_points
from recon_node.engines.crop import Crop, crop_view
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, Stage
from recon_node.engines.single_view import answer, first_view
from recon_node.engines.subdivision import split_long_edges
from recon_node.kernels.warp_start import load_kernels

BACK = 0.1  # how far seen points are pushed back / shorter side of the outline; a pixel at least
FENCE = 3.0  # interquartile ranges beyond which a depth is a mixed pixel, not the object
EDGE = 0.06  # longest edge [canonical], short enough for colours and flags at the vertices
FLATNESS = 0.002  # how far merging faces may move the surface [canonical]
SIGMA = SigmaModel(measured=0.02, seen=0.1, guessed=0.1)


class HullEngine:
    """Reconstructs by convex hull or extruded silhouette; needs no weights.

    Example:
        HullEngine().reconstruct([view]).mesh.is_watertight
    """

    name = "hull"
    weights_note = ""

    def __init__(self) -> None:
        load_kernels("ray_cast")

    def reconstruct(self, views: Sequence[View], *, object_id: str = "object") -> Reconstruction:
        """A closed convex or extruded shape of the object in the first view.

        Args:
            views: One view; further ones are not used, and a warning says so.
            object_id: Name of the object.

        Returns:
            The reconstruction: metric with depth, else in units of the distance to the object.

        Raises:
            InvalidInputError: There is no view, or its mask is empty or too small.
        """
        view, warnings = first_view(views, engine=self.name)
        clock = [time.perf_counter()]
        crop = crop_view(view)
        clock.append(time.perf_counter())
        solid = _extruded_silhouette(crop) if crop.depth is None else _hull_of_depth(crop)
        clock.append(time.perf_counter())
        mesh = _described(solid, crop)
        clock.append(time.perf_counter())
        return answer(
            crop,
            mesh,
            object_id=object_id,
            engine=self,
            stage=Stage.HULL,
            seconds=dict(
                zip(("crop_s", "surface_s", "colour_s"), np.diff(clock).tolist(), strict=True)
            ),
            warnings=warnings,
        )


def _pixel_squares(crop: Crop) -> np.ndarray:
    """Corners of the crop's pixels that see the object, in normalised coordinates, (N, 4, 2)."""
    rows, columns = np.nonzero(crop.inside)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    pixels = np.stack([columns, rows], axis=1)[:, None] + corners
    return pixels * 2.0 / len(crop.mask) - 1.0


def _shorter_side(points: np.ndarray) -> float:
    """Shorter side of the box around points, (..., 2)."""
    return float(np.ptp(points.reshape(-1, 2), axis=0).min())


def _hull_of_depth(crop: Crop) -> manifold3d.Manifold:
    """Convex hull, in canonical coordinates, of the seen points and a copy pushed back.

    Pixels without depth stand at the median depth, so that holes in the depth do not cut the shape.
    """
    squares = _pixel_squares(crop)
    x = _without_mixed_pixels(crop.depth[crop.inside].astype(np.float64))
    x = np.where(np.isfinite(x), x, np.nanmedian(x))
    points = image_to_points(squares, np.repeat(x[:, None], 4, axis=1), crop.tan_half_fov)
    points = points.reshape(-1, 3)
    pixel = 2.0 / len(crop.mask)
    back = points - (max(BACK * _shorter_side(points[:, 1:]), pixel), 0.0, 0.0)
    return manifold3d.Manifold.hull_points(np.concatenate([points, back]))


def _without_mixed_pixels(x: np.ndarray) -> np.ndarray:
    """The depths with NaN for outliers (Tukey 1977): a hull reaches out to each of its points."""
    lower, upper = np.nanpercentile(x, (25.0, 75.0))
    reach = FENCE * max(upper - lower, 0.1)
    return np.where((x >= lower - reach) & (x <= upper + reach), x, np.nan)


def _extruded_silhouette(crop: Crop) -> manifold3d.Manifold:
    """The cone of rays through the outline between two planes, in canonical coordinates."""
    squares = _pixel_squares(crop)
    # Up instead of down: then (u, w, x) to (x, y, z) = (x, u, w) at q = 0 keeps the orientation.
    outline = manifold3d.CrossSection(list(squares * (1.0, -1.0)), manifold3d.FillRule.NonZero)
    thickness = _shorter_side(squares)
    pixel = 2.0 / len(crop.mask)
    # Within a pixel's side the outline's stairs become slopes; hairlines have to survive that.
    outline = outline.simplify(min(pixel, 0.25 * thickness))
    prism = outline.extrude(thickness).translate((0.0, 0.0, -0.5 * thickness))
    return prism.warp_batch(
        lambda p: image_to_points(p[:, :2] * (1.0, -1.0), p[:, 2], crop.tan_half_fov)
    )


def _described(solid: manifold3d.Manifold, crop: Crop) -> Mesh:
    """The solid as a mesh in the object's frame, with colours, provenance and sigma."""
    mesh = solid.simplify(FLATNESS).to_mesh()
    # Not refine_to_length: version 3.5.4 of manifold3d crashes the process on some hulls.
    vertices, faces = split_long_edges(mesh.vert_properties[:, :3], mesh.tri_verts, EDGE)
    mean_color = crop.image[crop.inside].mean(axis=0)
    return annotate(
        vertices,
        faces,
        crop,
        hidden_colors=lambda points: mean_color,
        sigma=SIGMA,
    )
