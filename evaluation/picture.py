# SPDX-License-Identifier: Apache-2.0
"""A shaded picture of a mesh, for people to judge a prediction by."""

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.transforms import invert
from recon_node.evaluation.solid import Solid

BACKGROUND = (245, 245, 245)
PLAIN_COLOR = (150, 150, 155)
AMBIENT = 0.35  # brightness of a surface seen edge on; the light is in the camera


def render(solid: Solid, camera: Camera, T_camera_solid: np.ndarray) -> np.ndarray:
    """The mesh as the camera sees it, lit from the camera, u8 (H, W, 3).

    Args:
        solid: What is drawn; grey where it has no colours.
        camera: Intrinsics and size of the picture.
        T_camera_solid: Rigid, (4, 4) [m].
    """
    T_solid_camera = invert(T_camera_solid)
    directions = camera.rays(camera.pixel_grid().reshape(-1, 2)) @ T_solid_camera[:3, :3].T
    origins = np.broadcast_to(T_solid_camera[:3, 3], directions.shape)
    hits = solid.caster.cast(origins, directions)
    seen = hits.faces >= 0
    faces, weights = hits.faces[seen], hits.barycentric[seen]
    colors = np.broadcast_to(np.array(PLAIN_COLOR, np.float64), (len(faces), 3))
    if solid.mesh.colors is not None:
        corners = solid.mesh.colors[solid.mesh.faces[faces]].astype(np.float64)  # (M, 3, 3)
        colors = np.einsum("mc,mck->mk", weights, corners)
    cosines = np.abs(np.sum(solid.face_normals[faces] * directions[seen], axis=1))
    picture = np.tile(np.array(BACKGROUND, np.uint8), (len(directions), 1))
    picture[seen] = colors * (AMBIENT + (1.0 - AMBIENT) * cosines[:, None])
    return picture.reshape(camera.height, camera.width, 3)
