# SPDX-License-Identifier: Apache-2.0
"""turntable.gif: the mesh from all around."""

import io

import numpy as np
from PIL import Image

from recon_node.engines.camera import View
from recon_node.engines.canonical import R_CROP_CANONICAL
from recon_node.engines.crop import crop_view
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import invert, look_at

FRAMES = 30
_SIZE = 256  # [px]
_FRAME_MS = 80
_ELEVATION = np.radians(20.0)
_DISTANCE = 4.0  # in half diagonals of the mesh's box
_FILL = 0.92
_PAPER = (250, 250, 251)
_COLORS = 255


def turntable_gif(view: View, result: Reconstruction, *, frames: int = FRAMES) -> bytes:
    """A film of one turn around the image's upright axis, which starts from the view's side.

    Args:
        view: What the object was reconstructed from, for the side and the axis.
        result: Its reconstruction.
        frames: Pictures of a turn.
    """
    corners = result.mesh.vertices.astype(np.float64)
    centre = 0.5 * (corners.min(0) + corners.max(0))
    reach = _DISTANCE * 0.5 * float(np.linalg.norm(np.ptp(corners, axis=0)))
    T_world_crop = crop_view(view).camera.T_world_camera
    axes = (invert(result.T_world_object) @ T_world_crop)[:3, :3] @ R_CROP_CANONICAL
    places = []
    for angle in np.linspace(0, 2 * np.pi, frames, endpoint=False):
        level = np.cos(angle) * axes[:, 0] + np.sin(angle) * axes[:, 1]
        away = np.cos(_ELEVATION) * level + np.sin(_ELEVATION) * axes[:, 2]
        places.append(look_at(centre + reach * away, centre, axes[:, 2]))
    widest = max(np.abs(Viewpoint(T, 1.0).project(corners)).max() for T in places)
    picture = MeshPicture(result.mesh)
    drawn = [_frame(picture, Viewpoint(T, widest / _FILL)) for T in places]
    # One palette for all frames: a palette each lets flat areas flicker.
    sheet = Image.fromarray(np.concatenate([np.asarray(frame) for frame in drawn[::4]]))
    palette = sheet.quantize(_COLORS, method=Image.Quantize.MEDIANCUT)
    film = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]
    encoded = io.BytesIO()
    film[0].save(
        encoded,
        format="GIF",
        save_all=True,
        append_images=film[1:],
        duration=_FRAME_MS,
        loop=0,
    )
    return encoded.getvalue()


def _frame(picture: MeshPicture, viewpoint: Viewpoint) -> Image.Image:
    rendered = Image.fromarray(picture.draw(viewpoint, _SIZE))
    frame = Image.new("RGB", rendered.size, _PAPER)
    frame.paste(rendered, mask=rendered.getchannel("A"))
    return frame
