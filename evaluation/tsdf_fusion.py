# SPDX-License-Identifier: Apache-2.0
"""Fusion of masked depth into a truncated signed distance: what one does today without recon."""

from collections.abc import Sequence

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, require_package
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, transform_points
from recon_node.evaluation.open3d_package import open3d

ndimage = require_package("scipy.ndimage", extra="evaluation")

# Chosen on four tuning objects with 4 views under all conditions, by the mean Chamfer distance, of
# truncations of 3, 5, 8 voxels, masks eroded by 0 to 3 pixels (0 is best) and jumps of 3 and 6 %.
VOXELS = 96  # along the longest side of the seen surface's box
TRUNCATION = 5.0  # voxels
JUMP = 0.06  # of the depth: a pixel with a neighbour that far in front or behind is a flying one
BLOCKS = 8000  # of 16^3 voxels; room that is made at once, more are added where needed
HALF_PIXEL = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # Open3D's first pixel centre is at 0
SMALLEST = 0.02  # of the faces: smaller pieces are noise
OUTLIERS = 0.5  # percent of points left out of the box at each end


def fuse_tsdf(views: Sequence[View]) -> Mesh:
    """The zero level of the views' averaged truncated distances, open where nothing was seen.

    Each voxel holds the mean over the views of clip((measured depth - its depth) / truncation, -1,
    1) (Curless 1996, eq. 1-2, equal weights), by Open3D's VoxelBlockGrid (Dong 2022). One view is
    enough for a voxel to count.

    Args:
        views: With depth and with poses in one world.

    Returns:
        A mesh with colours in the world frame [m].

    Raises:
        InvalidInputError: A view has no depth.
        EmptySurfaceError: No depth is left within the masks.
    """
    depths = [_object_depth(view) for view in views]
    core, geometry = open3d.core, open3d.t.geometry
    grid = geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"),
        (core.float32, core.float32, core.float32),
        (1, 1, 3),
        voxel_size=_longest_side(views, depths) / VOXELS,
        block_count=BLOCKS,
    )
    for view, depth in zip(views, depths, strict=True):
        K = view.camera.K - HALF_PIXEL
        frame = (core.Tensor(K), core.Tensor(invert(view.camera.T_world_camera)))
        measured = geometry.Image(core.Tensor(np.nan_to_num(depth)[..., None]))
        seen = geometry.Image(core.Tensor(view.image.astype(np.float32) / 255))
        limits = (1.0, float(np.nanmax(depth, initial=0.0)) + 1.0, TRUNCATION)
        blocks = grid.compute_unique_block_coordinates(measured, *frame, *limits)
        grid.integrate(blocks, measured, seen, *frame, *limits)
    return _largest_pieces(grid.extract_triangle_mesh(weight_threshold=0.5).to_legacy())


def _object_depth(view: View) -> np.ndarray:
    """Depth of the object alone, f32 (H, W) [m]; NaN elsewhere and where depth jumps."""
    if view.depth is None:
        raise InvalidInputError("a view has no depth, which fusion needs; give depth images")
    known = np.isfinite(view.depth)
    nearest = ndimage.minimum_filter(np.where(known, view.depth, np.inf), 3)
    farthest = ndimage.maximum_filter(np.where(known, view.depth, -np.inf), 3)
    jumps = farthest - nearest > JUMP * view.depth
    return np.where(view.mask & known & ~jumps, view.depth, np.nan).astype(np.float32)


def _longest_side(views: Sequence[View], depths: Sequence[np.ndarray]) -> float:
    """Longest side of the box, along the world's axes, around the seen surface [m]."""
    clouds = []
    for view, depth in zip(views, depths, strict=True):
        known = np.isfinite(depth)
        points = view.camera.unproject(view.camera.pixel_grid()[known], depth[known])
        clouds.append(transform_points(view.camera.T_world_camera, points))
    cloud = np.concatenate(clouds)
    if len(cloud) == 0:
        raise EmptySurfaceError("no depth is known within the masks; is the depth registered?")
    low, high = np.percentile(cloud, [OUTLIERS, 100.0 - OUTLIERS], axis=0)
    return float((high - low).max())


def _largest_pieces(fused: "open3d.geometry.TriangleMesh") -> Mesh:
    """Open3D's mesh as ours, without the small pieces."""
    labels, sizes, _ = fused.cluster_connected_triangles()
    labels, sizes = np.asarray(labels), np.asarray(sizes)
    if len(sizes) == 0:
        raise EmptySurfaceError("fusion found no surface; do depth and poses agree?")
    small = sizes[labels] < SMALLEST * len(labels)
    fused.remove_triangles_by_mask(small)
    fused.remove_unreferenced_vertices()
    colors = np.round(255.0 * np.asarray(fused.vertex_colors)).astype(np.uint8)
    return Mesh(
        vertices=np.asarray(fused.vertices).astype(np.float32),
        faces=np.asarray(fused.triangles).astype(np.int32),
        colors=colors,
    )
