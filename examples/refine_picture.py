# SPDX-License-Identifier: Apache-2.0
"""refine_sequence.png: versions of a mesh from two sides, and their error over time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from surface_error import SurfaceError

from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.transforms import look_at

MOST_VERSIONS = 5
_FEWEST_COLUMNS = 4  # that the title has room above
_TILE, _GAP, _MARGIN, _SIDE = 186, 6, 16, 96  # [px]
_TITLE, _HEAD, _KEY, _CHART, _FOOT = 40, 66, 46, 190, 46
_PAPER, _INK, _FAINT_INK, _GRID = (250, 250, 251), (32, 36, 43), (108, 114, 124), (226, 229, 234)
_TILE_PAPER, _INSTANT, _REFINED = (232, 234, 238), (120, 126, 136), (226, 106, 34)
_WORST = 0.006  # end of the error's colours [m]
_ERROR_COLORS = np.array([[44, 130, 150], [236, 228, 190], [236, 150, 50], [190, 30, 40]])
_AZIMUTHS, _ELEVATION = (-6.0, 174.0), 36.0  # from the table's front, the camera's middle [deg]
_FAR = 5.0  # distance of the viewpoints, in radii of the truth
_ROOM = 0.88  # half of a tile at the truth, in its radii: corners of its box may stick out
_FINE = 3  # lines are drawn at so many times the size


@dataclass(frozen=True, eq=False)
class Version:
    """A version of a mesh, and when it came.

    Attributes:
        number: Its version.
        stage: How it was made: hull, instant or refined.
        view_count: From how many views.
        seconds: When it arrived, since the first image of the object.
        chamfer: Distance to the truth [m].
        mesh: In the world's frame [m].
    """

    number: int
    stage: str
    view_count: int
    seconds: float
    chamfer: float
    mesh: Mesh


def chosen_versions(versions: Sequence[Version]) -> list[Version]:
    """The first version, and at most four refined ones, the last among them."""
    refined = [version for version in versions if version.stage == "refined"]
    count = min(len(refined), MOST_VERSIONS - 1)
    picks = np.linspace(len(refined) - 1, 0, count).round().astype(int)[::-1]
    return [versions[0], *(refined[i] for i in picks)]


def draw_sequence(versions: Sequence[Version], truth: Mesh, *, title: str) -> Image.Image:
    """A column for each of at most five versions and the truth; below, the error of all over time.

    In its colours from the camera's side and from behind, and the same coloured by the distance
    of the surface to the true one.

    Args:
        versions: In the order in which they came; at least one.
        truth: What they ought to be, in the world's frame [m].
        title: Stands above.
    """
    chosen, error = chosen_versions(versions), SurfaceError(truth)
    columns = [*(version.mesh for version in chosen), truth]
    top, step = _TITLE + _HEAD, _TILE + _GAP
    width = 2 * _MARGIN + _SIDE + max(len(columns), _FEWEST_COLUMNS) * step - _GAP
    chart_top = top + 4 * step + _KEY
    sheet = Image.new("RGB", (width, chart_top + _CHART + _FOOT), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, 0.6 * _TITLE), title, 18, _INK, "lm")
    viewpoints = [_viewpoint(truth, azimuth) for azimuth in _AZIMUTHS]
    for column, mesh in enumerate(columns):
        left = _MARGIN + _SIDE + column * step
        version = chosen[column] if column < len(chosen) else None
        _write_head(draw, left + _TILE / 2, _TITLE, version)
        for kind, shown in enumerate((mesh, _by_error(mesh, error))):
            picture = MeshPicture(shown, with_seam=False)
            for side, viewpoint in enumerate(viewpoints):
                tile = _tile(picture, viewpoint)
                sheet.paste(tile, (left, top + (2 * kind + side) * step))
    for row, side in enumerate(
        ("camera's\nside", "behind", "error,\ncamera's\nside", "error,\nbehind")
    ):
        _write(draw, (_MARGIN, top + (row + 0.5) * step), side, 15, _INK, "lm")
    _draw_key(sheet, (_MARGIN + _SIDE, top + 4 * step + 4))
    box = (_MARGIN + _SIDE, chart_top, width - _MARGIN, chart_top + _CHART)
    _draw_chart(sheet, box, versions, chosen)
    return sheet


def _viewpoint(truth: Mesh, azimuth: float) -> Viewpoint:
    """Where the whole truth, and a little more, is in the picture."""
    low, high = truth.vertices.min(0), truth.vertices.max(0)
    centre, radius = 0.5 * (low + high).astype(np.float64), 0.5 * float(np.linalg.norm(high - low))
    a, e = np.radians(azimuth), np.radians(_ELEVATION)
    direction = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    T_world_camera = look_at(centre + _FAR * radius * direction, centre, np.array([0.0, 0, 1]))
    return Viewpoint(T_world_camera, _ROOM / _FAR)


def _by_error(mesh: Mesh, error: SurfaceError) -> Mesh:
    """The mesh coloured by its vertices' distance to the truth."""
    share = np.clip(error.distances(mesh.vertices) / _WORST, 0, 1)
    return Mesh(mesh.vertices, mesh.faces, _error_colors(share))


def _error_colors(shares: np.ndarray) -> np.ndarray:
    """Colours u8 (N, 3) of errors (N,) from 0 to 1."""
    ends = np.linspace(0, 1, len(_ERROR_COLORS))
    channels = [np.interp(shares, ends, _ERROR_COLORS[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _tile(picture: MeshPicture, viewpoint: Viewpoint) -> Image.Image:
    drawn = Image.fromarray(picture.draw(viewpoint, _TILE))
    tile = Image.new("RGB", drawn.size, _TILE_PAPER)
    tile.paste(drawn, mask=drawn.getchannel("A"))
    return tile


def _write_head(
    draw: ImageDraw.ImageDraw, middle: float, top: float, version: Version | None
) -> None:
    """Three lines above a column; None for the truth."""
    if version is None:
        _write(draw, (middle, top + 22), "truth", 16, _INK, "mm")
        return
    color = _REFINED if version.stage == "refined" else _INSTANT
    views = "1 view" if version.view_count == 1 else f"{version.view_count} views"
    _write(draw, (middle, top + 10), f"version {version.number}: {version.stage}", 16, color, "mm")
    _write(draw, (middle, top + 31), f"{views}, {version.seconds:.1f} s", 14, _FAINT_INK, "mm")
    _write(draw, (middle, top + 51), f"Chamfer {1000 * version.chamfer:.2f} mm", 15, _INK, "mm")


def _draw_key(sheet: Image.Image, place: tuple[int, int]) -> None:
    """The colours of the error."""
    draw = ImageDraw.Draw(sheet)
    bar = _error_colors(np.linspace(0, 1, 160))
    left = place[0] + 190
    _write(draw, (place[0], place[1] + 9), "distance to the true surface", 14, _FAINT_INK, "lm")
    sheet.paste(Image.fromarray(np.repeat(bar[None], 12, axis=0)), (left + 22, place[1] + 3))
    _write(draw, (left + 16, place[1] + 9), "0", 14, _FAINT_INK, "rm")
    worst = f"{1000 * _WORST:.0f} mm and more"
    _write(draw, (left + 188, place[1] + 9), worst, 14, _FAINT_INK, "lm")


def _draw_chart(
    sheet: Image.Image,
    box: tuple[int, int, int, int],
    versions: Sequence[Version],
    chosen: Sequence[Version],
) -> None:
    """Chamfer [mm] of the newest version over time [s]."""
    left, top, right, bottom = box
    end = 5.0 * np.ceil(1.02 * versions[-1].seconds / 5.0)
    highest = np.ceil(1100 * max(version.chamfer for version in versions))
    times = [version.seconds for version in versions]
    x = np.interp(times, (0, end), (left, right))
    y = np.interp([1000 * version.chamfer for version in versions], (0, highest), (bottom, top))
    lines = sheet.crop(box).resize((_FINE * (right - left), _FINE * (bottom - top)))
    pen = ImageDraw.Draw(lines)
    marks = np.arange(0, highest + 0.5, 1 if highest <= 6 else 2)
    for mark in marks:
        height = _FINE * (bottom - top) * (1 - mark / highest)
        pen.line([(0, height), (lines.width, height)], _GRID, _FINE)
    at = [(_FINE * (px - left), _FINE * (py - top)) for px, py in zip(x, y, strict=True)]
    for k, (px, py) in enumerate(at):  # a version is the newest until the next one comes
        color = _REFINED if versions[k].stage == "refined" else _INSTANT
        until = at[k + 1][0] if k + 1 < len(at) else lines.width
        pen.line([(px, py), (until, py)], color, 2 * _FINE)
        if k + 1 < len(at):
            pen.line([(until, py), at[k + 1]], _GRID, 2 * _FINE)
    for k, (px, py) in enumerate(at):
        color = _REFINED if versions[k].stage == "refined" else _INSTANT
        radius = (5 if versions[k] in chosen else 3) * _FINE
        pen.ellipse((px - radius, py - radius, px + radius, py + radius), color)
    sheet.paste(lines.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(sheet)
    for mark in marks:
        height = bottom - (bottom - top) * mark / highest
        _write(draw, (left - 8, height), f"{mark:.0f}", 13, _FAINT_INK, "rm")
    for mark in np.arange(0, end + 0.5, 10):
        place = (np.interp(mark, (0, end), (left, right)), bottom + 6)
        _write(draw, place, f"{mark:.0f}", 13, _FAINT_INK, "ma")
    _write(draw, (right, bottom + 24), "seconds since the first image", 13, _FAINT_INK, "ra")
    _write(draw, (_MARGIN, (top + bottom) / 2), "Chamfer\n[mm]", 15, _INK, "lm")
    for k, version in enumerate(versions):
        if version in chosen:
            _write(draw, (x[k], y[k] - 9), f"{version.number}", 13, _INK, "mb")


def _write(draw: ImageDraw.ImageDraw, place, text: str, size: int, color, anchor: str) -> None:
    draw.text(place, text, color, ImageFont.load_default(size), anchor=anchor)
