# SPDX-License-Identifier: Apache-2.0
"""The protocol driven by engines whose scores are known beforehand."""

import json
from pathlib import Path

import numpy as np
import pytest

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.case import DEPTH, RGB
from recon_node.evaluation.dataset import Picture, load_objects
from recon_node.evaluation.protocol import PICTURE_CHOICES, evaluate


class TrueEngine:
    """Answers with the true mesh in its true place; without depth at a wrong scale and place.

    Args:
        folder: The evaluation set.
        failing: Raised on views with depth.
        inflation: Growth of the mesh about its middle.
        sigma: Claimed everywhere [m].
    """

    name = "true"

    def __init__(
        self,
        folder: Path,
        *,
        failing: type[Exception] | None = None,
        inflation: float = 1.0,
        sigma: float = 0.001,
    ):
        (self._truth,) = load_objects(folder)
        self._masks = [
            self._truth.view(i, Picture.PLAIN, with_depth=False).mask
            for i in range(self._truth.view_count)
        ]
        self._failing, self._inflation, self._sigma = failing, inflation, sigma

    def reconstruct(self, views, *, object_id="object"):
        (view,) = views
        if self._failing is not None and view.depth is not None:
            raise self._failing("there is nothing inside the cube")
        index = next(i for i, mask in enumerate(self._masks) if np.array_equal(mask, view.mask))
        mesh = self._truth.solid.mesh
        mesh = mesh.transformed(Similarity(self._inflation, np.eye(3), np.zeros(3)))
        T_world_object = self._truth.T_camera_object[index].copy()
        if view.depth is None:
            mesh = mesh.transformed(Similarity(5.0, np.eye(3), np.array([1.0, 2.0, 0.5])))
        sigma = np.full(len(mesh.vertices), self._sigma, np.float32)
        return Reconstruction(
            object_id=object_id,
            version=1,
            parent_version=None,
            stage=Stage.INSTANT,
            mesh=Mesh(mesh.vertices, mesh.faces, sigma=sigma),
            T_world_object=T_world_object,
            scale_source=ScaleSource.NONE if view.depth is None else ScaleSource.DEPTH,
            scale_sigma=0.0,
            engine=self.name,
            view_count=1,
        )


def test_the_truth_scores_full_marks(evaluation_folder):
    report = evaluate(evaluation_folder, TrueEngine(evaluation_folder))
    summary = report.to_json()["summary"]
    assert list(summary) == ["depth", "rgb"]
    for figures in summary.values():
        assert figures["count"] == 4
        assert figures["failure_count"] == 0
        assert figures["iou_mean"] > 0.97
        assert figures["chamfer_rel_median"] < 0.015
        assert figures["fscore_5pct_mean"] > 0.999
        assert figures["iou_mean_icp"] > 0.97
        assert figures["watertight_share"] == 1.0
        assert figures["thin_share"] == 0.0
        assert figures["iou_mean_thick"] == figures["iou_mean"]
        assert figures["sigma_coverage_90_mean"] > 0.95
    assert summary["depth"]["scale_error_median"] < 0.02
    assert summary["depth"]["grasp_transfer_mean"] > 0.99
    assert summary["rgb"]["scale_error_median"] is None
    assert summary["rgb"]["grasp_transfer_mean"] is None


def test_a_grown_answer_pays_by_its_growth(evaluation_folder):
    engine = TrueEngine(evaluation_folder, inflation=1.2)
    summary = evaluate(evaluation_folder, engine).summary()
    assert summary["depth"]["iou_mean"] == pytest.approx(1 / 1.2**3, abs=0.02)
    assert summary["depth"]["scale_error_median"] == pytest.approx(0.2, abs=0.02)
    assert summary["rgb"]["iou_mean"] > 0.97


def test_sigma_that_promises_too_much_is_found_out(evaluation_folder):
    engine = TrueEngine(evaluation_folder, inflation=1.2, sigma=0.0005)
    summary = evaluate(evaluation_folder, engine, conditions=(DEPTH,)).summary()
    assert summary["depth"]["sigma_coverage_90_mean"] < 0.05


@pytest.mark.parametrize("failure", [EmptySurfaceError, ZeroDivisionError])
def test_a_failing_engine_scores_nothing_and_is_listed(evaluation_folder, failure, caplog):
    report = evaluate(evaluation_folder, TrueEngine(evaluation_folder, failing=failure))
    encoded = report.to_json()
    failures = encoded["failures"]
    assert [row["condition"] for row in failures] == ["depth"] * 4
    assert failures[0]["error"] == f"{failure.__name__}: there is nothing inside the cube"
    assert failures[0]["iou"] == 0.0
    assert failures[0]["chamfer_mm"] is None
    assert len(encoded["objects"]) == 8
    assert encoded["summary"]["depth"]["count"] == encoded["summary"]["depth"]["failure_count"] == 4
    assert encoded["summary"]["depth"]["iou_mean"] == 0.0
    assert encoded["summary"]["depth"]["chamfer_mm_median"] is None
    assert encoded["summary"]["rgb"]["iou_mean"] > 0.97
    assert "crate, view 0, plain, depth" in caplog.text


def test_rows_say_what_they_are(evaluation_folder):
    engine = TrueEngine(evaluation_folder)
    done = []
    report = evaluate(
        evaluation_folder,
        engine,
        pictures=PICTURE_CHOICES["clutter"],
        conditions=(RGB,),
        progress=lambda *counts: done.append(counts),
    )
    rows = json.loads(json.dumps(report.to_json(), allow_nan=False))["objects"]
    keys = ("object", "view", "picture", "condition", "longest_m", "error")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("crate", 0, "clutter", "rgb", 0.10, None),
        ("crate", 1, "clutter", "rgb", 0.10, None),
    ]
    assert all(row["seconds"] > 0 and row["face_count"] == 12 for row in rows)
    assert done == [(1, 2), (2, 2)]


def test_scores_are_reproducible(evaluation_folder):
    first, second = (
        evaluate(evaluation_folder, TrueEngine(evaluation_folder), conditions=(RGB,))
        for _ in range(2)
    )
    assert [row.scores for row in first.rows] == [row.scores for row in second.rows]


def test_a_limit_below_one_is_refused(evaluation_folder):
    with pytest.raises(InvalidInputError, match="limit of 0 objects"):
        evaluate(evaluation_folder, TrueEngine(evaluation_folder), limit=0)
