# SPDX-License-Identifier: Apache-2.0
"""A sheet of the worst predictions: what was shown, what came out, and what it should have been."""

import numpy as np
from PIL import Image, ImageDraw

from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.reconstruction import Engine
from recon_node.engines.transforms import invert, look_at
from recon_node.evaluation.case import Case
from recon_node.evaluation.report import EvaluationReport, Row
from recon_node.evaluation.scores import place_prediction

TILE = 200  # side of a picture [px]
TEXT_HEIGHT = 18  # [px]
HEADINGS = ("input", "prediction", "truth", "prediction from its side", "truth from its side")
MARGIN = 1.4  # width of a rendered picture / diameter of the true object
BACKGROUND = (245, 245, 245)
DIM = 0.45  # brightness outside the mask


def draw_worst(report: EvaluationReport, engine: Engine, *, count: int = 10) -> Image.Image:
    """The views with the lowest IoU of each condition, one of each object, a line each.

    The engine answers them again, so that an evaluation has no meshes to keep. Each prediction is
    drawn where it is scored: unaligned with depth, scale and translation aligned without.

    Args:
        report: Of an evaluation of this engine.
        engine: The engine that was evaluated.
        count: Lines for each condition.

    Raises:
        InvalidInputError: The report has no rows.
    """
    rows = [row for name in report.summary() for row in report.worst(name, count)]
    if not rows:
        raise InvalidInputError("the report has no rows, so there are no worst ones to draw")
    line = TILE + TEXT_HEIGHT
    sheet = Image.new("RGB", (TILE * len(HEADINGS), TEXT_HEIGHT + line * len(rows)), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for column, heading in enumerate(HEADINGS):
        pen.text((column * TILE + 4, 3), heading, fill="black")
    for index, row in enumerate(rows):
        top = TEXT_HEIGHT + index * line
        pen.text((4, top + 3), _caption(row), fill="black")
        for column, tile in enumerate(_tiles(row, engine, report.seed)):
            sheet.paste(Image.fromarray(tile), (column * TILE, top + TEXT_HEIGHT))
    return sheet


def _caption(row: Row) -> str:
    if row.error is not None:
        return f"{row.case}: {row.error}"
    shape = row.scores.shape
    return (
        f"{row.case}: IoU {shape.iou:.2f}, Chamfer {shape.chamfer_rel:.1%} of the longest side, "
        f"F-score at 5 % {shape.fscore_5pct:.2f}"
    )


def _tiles(row: Row, engine: Engine, seed: int) -> list[np.ndarray]:
    """The pictures of one line, each u8 (TILE, TILE, 3), in the order of HEADINGS."""
    case = row.case
    view = case.read_view()
    blank = np.full((TILE, TILE, 3), BACKGROUND, np.uint8)
    tiles = [_input_tile(view), blank, blank, blank, blank]
    prediction = _placed_prediction(case, view, engine, seed)
    viewpoints = [_viewpoint(case, azimuth) for azimuth in (0.0, 90.0)]
    for first, mesh in ((1, prediction), (2, case.truth.solid.mesh)):
        if mesh is not None:
            tiles[first], tiles[first + 2] = _drawn(mesh, viewpoints)
    return tiles


def _drawn(mesh: Mesh, viewpoints: list[Viewpoint]) -> list[np.ndarray]:
    """Pictures of a mesh before the background, u8 (TILE, TILE, 3) each."""
    picture = MeshPicture(mesh, with_seam=False)
    tiles = []
    for viewpoint in viewpoints:
        rendered = picture.draw(viewpoint, TILE)
        coverage = rendered[..., 3:] / np.float32(255)
        tile = coverage * rendered[..., :3] + (1 - coverage) * np.array(BACKGROUND, np.float32)
        tiles.append(tile.astype(np.uint8))
    return tiles


def _placed_prediction(case: Case, view: View, engine: Engine, seed: int) -> Mesh | None:
    """The engine's mesh in the object's frame, where it is scored; None if the engine fails."""
    try:
        reconstruction = engine.reconstruct([view], object_id=case.truth.name)
    except ReconstructionError:
        return None
    mesh = reconstruction.mesh
    S = place_prediction(mesh, case.place(reconstruction), case.truth, case.condition, seed=seed)
    return mesh.transformed(S)


def _input_tile(view: View) -> np.ndarray:
    """The picture around the mask, darkened outside it."""
    rows, columns = np.nonzero(view.mask)
    centre = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2.0
    half = 0.5 * MARGIN * max(np.ptp(columns), np.ptp(rows))
    shown = np.where(view.mask[..., None], view.image, view.image * DIM).astype(np.uint8)
    window = Image.fromarray(shown).transform(
        (TILE, TILE),
        Image.Transform.EXTENT,
        (*(centre - half), *(centre + half)),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(window)


def _viewpoint(case: Case, azimuth: float) -> Viewpoint:
    """The eye of the view, turned round the object by an azimuth [deg]; it looks at the object."""
    T_object_camera = invert(case.truth.T_camera_object[case.view])
    eye, up = T_object_camera[:3, 3], -T_object_camera[:3, 1]
    centre = case.truth.solid.box.mean(axis=0)
    angle = np.deg2rad(azimuth)
    across = np.cross(up, eye - centre)  # turning about `up`, (Rodrigues 1840) for a part across it
    along_up = up * ((eye - centre) @ up)
    turned = np.cos(angle) * (eye - centre - along_up) + np.sin(angle) * across + along_up
    diameter = float(np.linalg.norm(np.ptp(case.truth.solid.box, axis=0)))
    tan_half_fov = 0.5 * MARGIN * diameter / float(np.linalg.norm(turned))
    return Viewpoint(look_at(centre + turned, centre, up), tan_half_fov)
