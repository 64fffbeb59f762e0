# SPDX-License-Identifier: Apache-2.0
"""preview.png: the input beside four rendered views, with axes, a scale bar and the size."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recon_node.crop_picture import input_picture
from recon_node.engines.camera import View
from recon_node.engines.canonical import R_CROP_CANONICAL
from recon_node.engines.crop import crop_view
from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.reconstruction import Provenance, Reconstruction
from recon_node.engines.transforms import invert, look_at
from recon_node.provenance_colors import PROVENANCE_COLORS
from recon_node.result_description import describe_maker, describe_size, is_metric

TILE = 256  # [px]
_GAP, _MARGIN, _HEADER, _FOOTER = 8, 16, 46, 58
_INPUT = 2 * TILE + _GAP

_PAPER, _INK, _FAINT_INK = (250, 250, 251), (32, 36, 43), (108, 114, 124)
_TILE_TOP, _TILE_BOTTOM = (240, 242, 245), (211, 215, 221)
_SEAM = (243, 153, 40)
_AXIS_COLORS = ((214, 48, 49), (39, 150, 62), (41, 98, 214))

_CAPTIONS = {
    Provenance.SEEN_TWICE: "seen twice",
    Provenance.SEEN_ONCE: "seen",
    Provenance.HALLUCINATED: "completed",
}

# Eye directions in the canonical axes: +x towards the camera, +y image right, +z image up.
_ORBIT = {
    "right": (0.0, 1.0, 0.0),
    "back": (-1.0, 0.0, 0.0),
    "above": (0.62, 0.36, 0.70),
}
_ORBIT_DISTANCE = 4.0  # in half diagonals of the mesh's box
_ORBIT_FILL = 0.72


def draw_preview(view: View, result: Reconstruction, *, tile: int = TILE) -> Image.Image:
    """The preview of one object.

    Left the input around the object with the outline of its mask; right the mesh from the input
    camera, from the object's image-right side, from behind and from above. The first matches the
    input pixel for pixel; the other three share one scale.

    Args:
        view: What the object was reconstructed from.
        result: Its reconstruction.
        tile: Side of a rendered view [px].
    """
    input_side = 2 * tile + _GAP
    crop = crop_view(view, size=input_side)
    picture = MeshPicture(result.mesh)
    T_object_crop = invert(result.T_world_object) @ crop.camera.T_world_camera
    views = _viewpoints(result.mesh, T_object_crop, crop.tan_half_fov)
    width = 2 * _MARGIN + input_side + 2 * (tile + _GAP)
    sheet = Image.new("RGB", (width, _HEADER + input_side + _FOOTER), _PAPER)
    sheet.paste(input_picture(crop), (_MARGIN, _HEADER))
    for index, (name, viewpoint) in enumerate(views.items()):
        left = _MARGIN + input_side + _GAP + (index % 2) * (tile + _GAP)
        top = _HEADER + (index // 2) * (tile + _GAP)
        sheet.paste(_rendered_tile(picture, result, name, viewpoint, tile), (left, top))
    draw = ImageDraw.Draw(sheet)
    _label(draw, (_MARGIN + 10, _HEADER + 8), "input")
    _write_header(draw, result, width)
    _write_footer(draw, result, width, _HEADER + input_side)
    return sheet


def _viewpoints(mesh: Mesh, T_object_crop: np.ndarray, q: float) -> dict[str, Viewpoint]:
    """The four views by name."""
    corners = mesh.vertices.astype(np.float64)
    centre = 0.5 * (corners.min(0) + corners.max(0))
    half_diagonal = 0.5 * float(np.linalg.norm(np.ptp(corners, axis=0)))
    R_object_canonical = T_object_crop[:3, :3] @ R_CROP_CANONICAL
    orbit = {}
    reach = 0.0
    for name, direction in _ORBIT.items():
        direction = R_object_canonical @ (np.array(direction) / np.linalg.norm(direction))
        eye = centre + _ORBIT_DISTANCE * half_diagonal * direction
        T_object_eye = look_at(eye, centre, R_object_canonical[:, 2])
        orbit[name] = T_object_eye
        reach = max(reach, np.abs(Viewpoint(T_object_eye, 1.0).project(corners)).max())
    q_orbit = reach / _ORBIT_FILL
    return {"front": Viewpoint(T_object_crop, q)} | {
        name: Viewpoint(T, q_orbit) for name, T in orbit.items()
    }


def _rendered_tile(
    picture: MeshPicture, result: Reconstruction, name: str, viewpoint: Viewpoint, size: int
) -> Image.Image:
    rendered = picture.draw(viewpoint, size)
    tile = Image.fromarray(_backdrop(size))
    tile.paste(Image.fromarray(rendered[..., :3]), mask=Image.fromarray(rendered[..., 3]))
    _draw_triad(tile, viewpoint.T_mesh_camera[:3, :3])
    draw = ImageDraw.Draw(tile)
    _label(draw, (8, 6), name)
    if is_metric(result):
        _draw_scale_bar(draw, result.mesh, viewpoint, size)
    return tile


def _backdrop(size: int) -> np.ndarray:
    share = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    top, bottom = np.array(_TILE_TOP), np.array(_TILE_BOTTOM)
    shades = np.round(top + share * (bottom - top)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(shades, (size, size, 3)))


def _draw_triad(tile: Image.Image, R_object_camera: np.ndarray) -> None:
    """The object frame's axes in the lower left corner, drawn at four times the size."""
    length, box, fine = 24, 84, 4
    canvas = Image.new("RGBA", (box * fine, box * fine), (255, 255, 255, 0))
    draw = ImageDraw.Draw(canvas)
    centre = np.array([0.5, 0.5]) * box * fine
    order = np.argsort(-R_object_camera[:, 2])  # those that point away first
    font = ImageFont.load_default(12 * fine)
    for axis in order:
        tip = R_object_camera[axis, :2]
        color = _AXIS_COLORS[axis]
        end = centre + tip * length * fine
        draw.line([tuple(centre), tuple(end)], fill=color, width=int(2.4 * fine))
        radius = 2.6 * fine
        draw.ellipse([*(end - radius), *(end + radius)], fill=color)
        reach = float(np.linalg.norm(tip))
        if reach > 0.25:
            spot = centre + tip / reach * (reach * length + 9) * fine
            draw.text(tuple(spot), "xyz"[axis], fill=color, font=font, anchor="mm")
    canvas = canvas.resize((box, box), Image.Resampling.LANCZOS)
    tile.paste(canvas, (-4, tile.height - box + 4), canvas)


def scale_bar(mesh: Mesh, viewpoint: Viewpoint, size: int) -> tuple[float, float]:
    """Round length [mm] and drawn length [px] of a bar at the depth of the mesh's centre.

    Args:
        mesh: In metres.
        viewpoint: Where the picture is taken from.
        size: Side of the picture [px]; the bar is at most 0.36 of it.
    """
    centre = 0.5 * (mesh.vertices.min(0) + mesh.vertices.max(0))
    distance = float((centre - viewpoint.T_mesh_camera[:3, 3]) @ viewpoint.T_mesh_camera[:3, 2])
    pixels_per_mm = 0.5 * size / (distance * viewpoint.tan_half_fov) / 1000
    length_mm = round_length(0.36 * size / pixels_per_mm)
    return length_mm, length_mm * pixels_per_mm


def _draw_scale_bar(draw: ImageDraw.ImageDraw, mesh: Mesh, viewpoint: Viewpoint, size: int) -> None:
    length_mm, length = scale_bar(mesh, viewpoint, size)
    right, y = size - 12, size - 12
    for stroke, width in (((255, 255, 255), 5), (_INK, 2)):
        draw.line([(right - length, y), (right, y)], fill=stroke, width=width)
    text = f"{length_mm:g} mm"
    draw.text((right, y - 5), text, fill=_INK, font=ImageFont.load_default(12), anchor="rb")


def round_length(longest: float) -> float:
    """Largest of …, 1, 2, 5, 10, 20, … that is not above `longest`.

    >>> round_length(37.0), round_length(0.0512)
    (20.0, 0.05)
    """
    decade = 10.0 ** math.floor(math.log10(longest))
    factor = next(f for f in (5, 2, 1) if f * decade <= longest * (1 + 1e-9))
    return round(factor * decade, 12)


def _label(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str) -> None:
    font = ImageFont.load_default(13)
    left, top, right, bottom = draw.textbbox(corner, text, font=font)
    draw.rounded_rectangle((left - 5, top - 3, right + 5, bottom + 3), 5, fill=(255, 255, 255))
    draw.text(corner, text, fill=_INK, font=font)


def _write_header(draw: ImageDraw.ImageDraw, result: Reconstruction, width: int) -> None:
    name = result.object_id if len(result.object_id) <= 60 else result.object_id[:59] + "…"
    draw.text((_MARGIN, _HEADER / 2), name, fill=_INK, font=ImageFont.load_default(20), anchor="lm")
    seconds = result.metrics.get("total_s")
    made = describe_maker(result)
    made += f", {1000 * seconds:.0f} ms" if seconds is not None else ""
    font = ImageFont.load_default(14)
    draw.text((width - _MARGIN, _HEADER / 2), made, fill=_FAINT_INK, font=font, anchor="rm")


def _write_footer(draw: ImageDraw.ImageDraw, result: Reconstruction, width: int, top: int) -> None:
    middle = top + _FOOTER / 2
    large, small = ImageFont.load_default(17), ImageFont.load_default(14)
    size = describe_size(result)
    draw.text((_MARGIN, middle), size, fill=_INK, font=large, anchor="lm")
    if is_metric(result):
        left = _MARGIN + draw.textlength(size, font=large) + 12
        legend = "width x depth x height"
        draw.text((left, middle), legend, fill=_FAINT_INK, font=small, anchor="lm")
    provenance = result.mesh.provenance
    if provenance is None:
        return
    bar_left, bar_right = width - _MARGIN - 2 * TILE - _GAP, width - _MARGIN
    left = bar_left
    captions = []
    for level, color in PROVENANCE_COLORS.items():
        share = float(np.mean(provenance == level))
        if share == 0:
            continue
        right = left + share * (bar_right - bar_left)
        draw.rectangle((left, middle - 14, right, middle - 4), fill=color)
        captions.append((f"{_CAPTIONS[level]} {share:.0%}", color))
        left = right
    x = bar_left
    for text, color in captions:
        draw.rectangle((x, middle + 6, x + 10, middle + 16), fill=color)
        draw.text((x + 16, middle + 11), text, fill=_FAINT_INK, font=small, anchor="lm")
        x += 34 + draw.textlength(text, font=small)
    if len(captions) > 1:
        draw.line((x, middle + 11, x + 14, middle + 11), fill=_SEAM, width=3)
        draw.text((x + 20, middle + 11), "border", fill=_FAINT_INK, font=small, anchor="lm")
