# SPDX-License-Identifier: Apache-2.0
"""Summaries, their table, and what counts as worst."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from recon_node.evaluation.case import DEPTH, RGB, Case
from recon_node.evaluation.dataset import Picture, load_objects
from recon_node.evaluation.report import EvaluationReport, Row, summarize
from recon_node.evaluation.scores import PredictionScores, ShapeScores


@pytest.fixture
def make_row(evaluation_folder):
    """Makes a row from an IoU; Chamfer is 10 mm times 1 - IoU, aligned scores are the best."""
    (truth,) = load_objects(evaluation_folder)

    def make(iou, *, view=0, picture=Picture.PLAIN, condition=DEPTH, name="crate", **fields) -> Row:
        case = Case(replace(truth, name=name), view, picture, condition)
        distance = 10.0 * (1.0 - iou)
        shape = ShapeScores(iou, distance, distance / 100.0, 0.1, 0.2, 0.3, 0.4, 0.5)
        best = ShapeScores(1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0)
        scores = PredictionScores(shape, best, 0.02, True, 0.9, None, 12)
        return Row(**{"case": case, "thin": False, "seconds": 0.5, "scores": scores, **fields})

    return make


@pytest.fixture
def failure(make_row):
    return make_row(0.0, scores=PredictionScores.of_failure(), error="WeightsError: no weights")


def test_means_and_medians(make_row):
    figures = summarize([make_row(0.2), make_row(0.4, thin=True), make_row(0.9)])
    assert figures["iou_mean"] == pytest.approx(0.5)
    assert figures["iou_median"] == pytest.approx(0.4)
    assert figures["iou_mean_thick"] == pytest.approx(0.55)
    assert figures["chamfer_mm_median"] == pytest.approx(6.0)
    assert figures["chamfer_rel_median"] == pytest.approx(0.06)
    assert figures["fscore_5pct_mean"] == pytest.approx(0.4)
    assert figures["iou_mean_icp"] == 1.0
    assert figures["thin_share"] == pytest.approx(1 / 3)
    assert figures["scale_error_median"] == 0.02
    assert figures["sigma_coverage_90_mean"] == 0.9
    assert figures["grasp_transfer_mean"] is None


def test_a_failure_counts_as_the_worst_and_is_never_dropped(make_row, failure):
    figures = summarize([make_row(0.8), make_row(0.6), failure])
    assert (figures["count"], figures["failure_count"]) == (3, 1)
    assert figures["iou_mean"] == pytest.approx(1.4 / 3)
    assert figures["chamfer_mm_median"] == pytest.approx(4.0)
    assert figures["watertight_share"] == pytest.approx(2 / 3)
    assert summarize([make_row(0.8), failure])["chamfer_mm_median"] is None
    assert summarize([failure, failure])["scale_error_median"] is None


def test_json_has_the_documented_keys_and_no_nan(make_row, failure):
    rows = (make_row(0.2), make_row(0.4, picture=Picture.CLUTTER, condition=RGB), failure)
    report = EvaluationReport("hull", "somewhere", 0, rows)
    decoded = json.loads(json.dumps(report.to_json(), allow_nan=False))
    documented = {
        "count",
        "iou_mean",
        "iou_median",
        "chamfer_mm_median",
        "chamfer_rel_median",
        "fscore_5pct_mean",
        "scale_error_median",
    }
    assert list(decoded["summary"]) == ["depth", "rgb"]
    assert all(documented <= set(figures) for figures in decoded["summary"].values())
    assert decoded["summary"]["depth"]["count"] == 2
    assert list(decoded["summary_by_picture"]) == ["plain", "clutter"]
    assert decoded["summary_by_picture"]["clutter"]["rgb"]["iou_mean"] == 0.4
    assert [row["iou"] for row in decoded["objects"]] == [0.2, 0.4, 0.0]
    assert [row["error"] for row in decoded["failures"]] == ["WeightsError: no weights"]


def test_the_table_has_a_column_a_condition_and_picture(make_row, failure):
    rows = (make_row(0.25), make_row(0.75, picture=Picture.CLUTTER), failure)
    out = io.StringIO()
    Console(file=out, width=120).print(EvaluationReport("hull", "set", 0, rows).table())
    text = out.getvalue()
    line = next(line for line in text.splitlines() if "IoU, mean " in line)
    assert [cell.strip() for cell in line.split("│")[2:5]] == ["0.125", "0.750", "0.333"]
    assert "Chamfer, median, mm" in text


def test_worst_are_the_lowest_of_each_object(make_row):
    rows = (
        make_row(0.5, name="mug"),
        make_row(0.1, name="mug", view=1),
        make_row(0.2, name="can"),
        make_row(0.0, name="can", condition=RGB),
        make_row(0.9, name="box"),
    )
    worst = EvaluationReport("hull", "set", 0, rows).worst("depth", 2)
    assert [(row.case.truth.name, row.case.view) for row in worst] == [("mug", 1), ("can", 0)]
