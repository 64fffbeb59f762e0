# SPDX-License-Identifier: Apache-2.0
"""A mesh's vertex colours as a camera sees them, unlit, and how far that is from a picture."""

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.mesh import Mesh
from recon_node.kernels.ray_cast import RayCaster

_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])  # [px]


def render_on_white(mesh: Mesh, caster: RayCaster, camera: Camera) -> np.ndarray:
    """The mesh before white, sRGB f32 (H, W, 3) in [0, 1]: four rays a pixel, averaged.

    Args:
        mesh: In the camera's world [m]; without colours it is grey.
        caster: Of this mesh.
        camera: Where it is seen from.
    """
    pixels = (camera.pixel_grid().reshape(-1, 1, 2) + _SUBPIXELS).reshape(-1, 2)
    rays = camera.rays(pixels) @ camera.T_world_camera[:3, :3].T
    hits = caster.cast(np.broadcast_to(camera.T_world_camera[:3, 3], rays.shape), rays)
    is_hit = hits.faces >= 0
    colors = np.full((len(mesh.vertices), 3), 128, np.uint8) if mesh.colors is None else mesh.colors
    picture = np.ones((len(rays), 3), np.float32)
    corners = colors[mesh.faces[hits.faces[is_hit]]].astype(np.float32) / 255
    picture[is_hit] = np.einsum("nk,nkc->nc", hits.barycentric[is_hit], corners)
    picture = picture.reshape(camera.height, camera.width, len(_SUBPIXELS), 3)
    return picture.mean(axis=2)


def psnr(picture: np.ndarray, truth: np.ndarray, box: tuple[slice, slice]) -> float:
    """Peak signal-to-noise ratio -10 log10(mean squared error) over a box of pixels [dB].

    Args:
        picture: In [0, 1], (H, W, 3).
        truth: In [0, 1], (H, W, 3).
        box: Rows and columns that count.
    """
    error = float(np.mean((picture[box].astype(np.float64) - truth[box]) ** 2))
    return float(-10.0 * np.log10(max(error, 1e-10)))
