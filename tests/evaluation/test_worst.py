# SPDX-License-Identifier: Apache-2.0
"""The sheet of the worst, drawn with the hull engine."""

import numpy as np
import pytest

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.hull import HullEngine
from recon_node.evaluation.protocol import PICTURE_CHOICES, evaluate
from recon_node.evaluation.report import EvaluationReport
from recon_node.evaluation.worst import BACKGROUND, HEADINGS, TEXT_HEIGHT, TILE, draw_worst


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
