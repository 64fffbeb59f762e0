# SPDX-License-Identifier: Apache-2.0
"""compare.png: what was seen, the instant mesh and the refined one, from the same cameras."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recon_node.crop_picture import input_picture, with_outline
from recon_node.engines.crop import Crop, crop_view
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import invert

MOST_COLUMNS = 6
TILE = 224  # [px]
_GAP, _MARGIN, _SIDE, _FOOT = 6, 16, 92, 22
_PAPER, _INK, _FAINT_INK = (250, 250, 251), (32, 36, 43), (108, 114, 124)
_TILE_PAPER = (226, 229, 234)


def draw_comparison(
    keyframes: Sequence[Keyframe],
    instant: Reconstruction,
    refined: Reconstruction | None,
    *,
    tile: int = TILE,
) -> Image.Image:
    """A column for each of at most six keyframes, spread evenly: input, instant mesh, refined mesh.

    The outline of the input's mask is on all of them, and below each mesh stands how well its
    silhouette agrees with the mask (intersection over union).

    Args:
        keyframes: What the object was refined from.
        instant: What the refinement started from.
        refined: What it made, or None where it found nothing better.
        tile: Side of a picture [px].
    """
    count = min(len(keyframes), MOST_COLUMNS)
    chosen = np.linspace(0, len(keyframes) - 1, count).round().astype(int)
    crops = [crop_view(keyframes[i].view, size=tile) for i in chosen]
    results = {"instant": instant, "refined": refined}
    rows = [name for name, result in results.items() if result is not None]
    step_x, step_y = tile + _GAP, tile + _FOOT
    size = (2 * _MARGIN + _SIDE + count * step_x, 2 * _MARGIN + (1 + len(rows)) * step_y)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(["input", *rows]):
        top = _MARGIN + row * step_y
        font = ImageFont.load_default(17)
        draw.text((_MARGIN, top + tile / 2), name, fill=_INK, font=font, anchor="lm")
        picture = None if row == 0 else MeshPicture(results[name].mesh, with_seam=False)
        for column, (number, crop) in enumerate(zip(chosen, crops, strict=True)):
            left = _MARGIN + _SIDE + column * step_x
            if picture is None:
                drawn, note = input_picture(crop), f"keyframe {number + 1} of {len(keyframes)}"
            else:
                drawn, agreement = _rendered(picture, results[name], crop)
                note = f"IoU {agreement:.2f}"
            sheet.paste(drawn, (left, top))
            place = (left + tile / 2, top + tile + _FOOT / 2)
            draw.text(place, note, fill=_FAINT_INK, font=ImageFont.load_default(13), anchor="mm")
    return sheet


def _rendered(
    picture: MeshPicture, result: Reconstruction, crop: Crop
) -> tuple[Image.Image, float]:
    """The mesh from the crop's camera, and its agreement with the mask."""
    T_object_crop = invert(result.T_world_object) @ crop.camera.T_world_camera
    pixels = picture.draw(Viewpoint(T_object_crop, crop.tan_half_fov), len(crop.mask))
    rendered = Image.fromarray(pixels)
    tile = Image.new("RGB", rendered.size, _TILE_PAPER)
    tile.paste(rendered, mask=rendered.getchannel("A"))
    covered = pixels[..., 3] / 255
    union = np.maximum(covered, crop.mask).sum()
    return with_outline(tile, crop), float(np.minimum(covered, crop.mask).sum() / union)
