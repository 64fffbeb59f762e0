# SPDX-License-Identifier: Apache-2.0
"""The sheet of the worst, drawn with the hull engine."""

import numpy as np
import pytest

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.hull import HullEngine
from recon_node.engines.mesh import Mesh
from recon_node.evaluation.picture import BACKGROUND, render
from recon_node.evaluation.protocol import PICTURE_CHOICES, evaluate
from recon_node.evaluation.report import EvaluationReport
from recon_node.evaluation.solid import Solid
from recon_node.evaluation.worst import HEADINGS, TEXT_HEIGHT, TILE, draw_worst


def tile(sheet: np.ndarray, line: int, column: int) -> np.ndarray:
    top = TEXT_HEIGHT + line * (TILE + TEXT_HEIGHT) + TEXT_HEIGHT
    return sheet[top : top + TILE, column * TILE : (column + 1) * TILE].astype(int)


def test_a_line_for_each_condition(evaluation_folder):
    engine = HullEngine()
    report = evaluate(evaluation_folder, engine, pictures=PICTURE_CHOICES["plain"])
    sheet = np.asarray(draw_worst(report, engine, count=3))
    lines = 2  # one object in two conditions
    assert sheet.shape == (TEXT_HEIGHT + lines * (TILE + TEXT_HEIGHT), TILE * len(HEADINGS), 3)
    for line in range(lines):
        covered = [
            np.any(tile(sheet, line, column) != BACKGROUND, axis=2).sum() for column in range(1, 5)
        ]
        assert min(covered) > 0.05 * TILE**2
    seen, true = (np.any(tile(sheet, 0, column) != BACKGROUND, axis=2) for column in (1, 2))
    assert np.sum(seen & true) > 0.8 * np.sum(seen | true)
    input_centre = tile(sheet, 0, 0)[TILE // 2, TILE // 2]
    np.testing.assert_allclose(input_centre, (180, 90, 30), atol=3)


def test_a_failure_leaves_the_prediction_blank(evaluation_folder):
    class Broken(HullEngine):
        def reconstruct(self, views, *, object_id="object"):
            raise InvalidInputError("broken on purpose")

    report = evaluate(evaluation_folder, Broken(), pictures=PICTURE_CHOICES["plain"])
    sheet = np.asarray(draw_worst(report, Broken()))
    assert np.all(tile(sheet, 0, 1) == BACKGROUND)
    assert np.any(tile(sheet, 0, 2) != BACKGROUND)


def test_an_empty_report_is_refused():
    with pytest.raises(InvalidInputError, match="no rows"):
        draw_worst(EvaluationReport("hull", "nowhere", 0, ()), HullEngine())


def test_a_picture_shows_vertex_colors(evaluation_folder, make_box):
    box = make_box((0.1, 0.1, 0.1))
    colors = np.full((len(box.vertices), 3), (200, 100, 50), np.uint8)
    camera = Camera(np.array([[50.0, 0, 20], [0, 50.0, 20], [0, 0, 1]]), 40, 40)
    T_camera_box = np.eye(4)
    T_camera_box[2, 3] = 0.5
    picture = render(Solid(Mesh(box.vertices, box.faces, colors)), camera, T_camera_box)
    np.testing.assert_allclose(picture[20, 20], (200, 100, 50), atol=2)
    assert picture[0, 0].tolist() == list(BACKGROUND)
    columns = np.nonzero(np.any(picture != BACKGROUND, axis=2).any(axis=0))[0]
    assert len(columns) == 12  # 50 px x 0.1 m / 0.45 m = 11.1 px, centres at halves
