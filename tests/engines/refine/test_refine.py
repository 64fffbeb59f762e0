# SPDX-License-Identifier: Apache-2.0
"""The whole refinement: better, the same again, cancelled, gone on with, and its faults."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.keyframes.keyframe import with_T_world_camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Stage
from recon_node.engines.refine.config import RefineConfig
from recon_node.engines.refine.refine import refine
from recon_node.engines.refine.refiner import MOST_BREAKS, Refiner
from recon_node.engines.terms.term import Schedule, Step, WeightedTerm


def run(keyframes, config, *, cancel_at=None, checkpoint=None, start=None):
    """The outcome, the versions and the progress of a refinement."""
    versions, reports = [], []
    outcome = refine(
        keyframes,
        start or keyframes[0].result,
        config,
        on_progress=reports.append,
        on_version=versions.append,
        cancelled=lambda: cancel_at is not None and len(reports) >= cancel_at,
        paused=lambda: False,
        checkpoint=checkpoint,
    )
    return outcome, versions, reports


def bytes_of(result):
    mesh = result.mesh
    arrays = mesh.vertices, mesh.faces, mesh.colors, mesh.provenance, mesh.sigma
    return [array.tobytes() for array in arrays]


def test_the_mesh_gets_better_with_each_version(keyframes, few_steps, surface_error):
    views = keyframes(4)
    outcome, versions, reports = run(views, few_steps)
    start = views[0].result
    assert surface_error(outcome.result) < 0.5 * surface_error(start)
    errors = [version.metrics["held_out_error"] for version in versions]
    assert len(errors) >= 2 and errors == sorted(errors, reverse=True)
    assert errors[0] < versions[0].metrics["held_out_error_before"]
    assert versions[-1] is outcome.result
    assert 0 < outcome.result.metrics["start_fit_error_m"] < 1e-3
    assert [report.step for report in reports] == list(range(1, 31))
    assert outcome.steps == 30 and "held-out" in outcome.message


def test_a_version_follows_the_start_in_its_frame(keyframes, few_steps):
    views = keyframes(3)
    start = replace(views[0].result, version=7, object_id="mug")
    result = run(views, few_steps, start=start)[0].result
    assert (result.stage, result.parent_version, result.version) == (Stage.REFINED, 7, 8)
    assert result.object_id == "mug" and result.view_count == 3
    np.testing.assert_array_equal(result.T_world_object, start.T_world_object)
    assert result.mesh.is_watertight
    seen = np.bincount(result.mesh.provenance, minlength=3)
    assert (seen > 0.05 * seen.sum()).all()
    sigma = [result.mesh.sigma[result.mesh.provenance == value].mean() for value in Provenance]
    assert sigma[Provenance.HALLUCINATED] > 3 * sigma[Provenance.SEEN_TWICE] > 0


def test_the_same_keyframes_and_seed_give_the_same_bits(keyframes, few_steps):
    first, second = (run(keyframes(2), few_steps)[0].result for _ in range(2))
    assert bytes_of(first) == bytes_of(second)
    other = run(keyframes(2), replace(few_steps, seed=4))[0].result
    assert bytes_of(first) != bytes_of(other)


def test_a_cancelled_run_ends_at_once_and_keeps_the_best(keyframes, few_steps, tmp_path):
    file = tmp_path / "mug.checkpoint"
    outcome, versions, _ = run(keyframes(2), few_steps, cancel_at=8, checkpoint=file)
    assert outcome.steps == 8 and "cancelled" in outcome.message
    assert outcome.result is versions[-1]
    assert file.exists()


def test_a_cancelled_run_goes_on_where_it_ended(keyframes, few_steps, tmp_path):
    file = tmp_path / "mug.checkpoint"
    run(keyframes(2), few_steps, cancel_at=8, checkpoint=file)
    resumed, _, reports = run(keyframes(2), few_steps, checkpoint=file)
    assert reports[0].step == 9 and resumed.steps == 30
    assert not file.exists()
    whole = run(keyframes(2), few_steps)[0]
    assert bytes_of(resumed.result) == bytes_of(whole.result)


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_checkpoint_that_is_none_is_begun_anew(keyframes, few_steps, tmp_path, caplog, content):
    file = tmp_path / "mug.checkpoint"
    file.write_bytes(content)
    _, _, reports = run(keyframes(1), replace(few_steps, steps=2), checkpoint=file)
    assert reports[0].step == 1
    assert "begun anew" in caplog.text


def test_a_checkpoint_of_other_keyframes_is_begun_anew(keyframes, few_steps, tmp_path, caplog):
    file = tmp_path / "mug.checkpoint"
    run(keyframes(2), few_steps, cancel_at=3, checkpoint=file)
    _, _, reports = run(keyframes(3), replace(few_steps, steps=2), checkpoint=file)
    assert reports[0].step == 1
    assert "other keyframes" in caplog.text


def test_cancelled_before_the_first_step_there_is_no_result(keyframes, few_steps):
    outcome, versions, reports = run(keyframes(1), few_steps, cancel_at=0)
    assert (outcome.result, versions, reports, outcome.steps) == (None, [], [], 0)


def test_a_pause_counts_neither_steps_nor_time(keyframes):
    answers = iter([True] * 20)
    reports = []
    outcome = refine(
        keyframes(1),
        keyframes(1)[0].result,
        RefineConfig(budget=0, steps=2),
        on_progress=reports.append,
        on_version=lambda version: None,
        cancelled=lambda: False,
        paused=lambda: next(answers, False),
    )
    assert outcome.steps == 2
    assert next(answers, "all were asked") == "all were asked"


def test_time_ends_a_run(keyframes):
    outcome, _, reports = run(keyframes(1), RefineConfig(budget=0.5))
    assert outcome.steps == len(reports)
    assert outcome.seconds >= 0.5


def test_one_keyframe_is_refined_without_harm(keyframes, few_steps, surface_error):
    views = keyframes(1)
    outcome, _, _ = run(views, few_steps)
    result = outcome.result or views[0].result
    assert surface_error(result) < 1.02 * surface_error(views[0].result)


def test_a_start_that_cannot_be_bettered_stays(keyframes, few_steps, solid):
    views = keyframes(3)
    corners = solid.triangles.reshape(-1, 3)  # faces apart, each in its own colour
    colors = (127 + 100 * np.repeat(solid.face_normals, 3, axis=0)).astype(np.uint8)
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    world = Mesh(corners.astype(np.float32), faces, colors=colors)
    true = replace(views[0].result, mesh=world, T_world_object=np.eye(4))
    outcome, versions, _ = run(views, replace(few_steps, steps=4), start=true)
    assert outcome.result is None and versions == []
    assert "the start stays" in outcome.message


def test_a_keyframe_with_a_wrong_pose_is_left_out(keyframes, few_steps, surface_error):
    views = keyframes(4)
    T = views[2].view.camera.T_world_camera.copy()
    T[:3, 3] += (0.0, 0.0, 0.05)
    odd = [*views[:2], with_T_world_camera(views[2], T), views[3]]
    outcome, _, _ = run(odd, few_steps)
    assert "left out keyframe 3 of 4" in outcome.message
    assert outcome.result.view_count == 3
    assert surface_error(outcome.result) < 0.5 * surface_error(views[0].result)


def test_without_keyframes_there_is_nothing_to_refine(keyframes, few_steps):
    with pytest.raises(InvalidInputError, match="no keyframe"):
        run([], few_steps, start=keyframes(1)[0].result)


def prepared(keyframes, config, term):
    weighted = WeightedTerm(term, Schedule.constant(1.0))
    refiner = Refiner(keyframes, keyframes[0].result, config, further_terms=[weighted])
    for _ in refiner.prepare():
        pass
    return refiner


@dataclass
class NoNumber:
    """A term whose loss is NaN at some of its calls."""

    name: ClassVar[str] = "no_number"
    at: tuple[int, ...]
    calls: int = 0

    def __call__(self, step: Step) -> torch.Tensor:
        self.calls += 1
        return step.rendered.rgbs.sum() * (torch.nan if self.calls in self.at else 0.0)


def test_a_step_without_a_number_is_undone(keyframes, few_steps):
    refiner = prepared(keyframes(1), few_steps, NoNumber(at=(3,)))
    for _ in range(2):
        refiner.step(0.0)
    refiner.step(0.0)
    assert refiner.step_number == 0
    losses = refiner.step(0.0)
    assert all(np.isfinite(loss) for loss in losses.values()) and refiner.step_number == 1
    assert not refiner.gave_up and "step 3 had no finite loss" in refiner.notes[-1]
    refiner.mesh()


def test_steps_that_never_have_a_number_end_the_run(keyframes, few_steps):
    refiner = prepared(keyframes(1), few_steps, NoNumber(at=(1, 2, 3, 4)))
    for _ in range(MOST_BREAKS):
        refiner.step(0.0)
    assert refiner.gave_up


def test_a_version_whose_hidden_side_went_astray_is_not_told(keyframes, few_steps, monkeypatch):
    views = keyframes(2)
    refiner = Refiner(views, views[0].result, few_steps)
    for _ in refiner.prepare():
        pass
    assert refiner.drift() < 0.02
    with torch.no_grad():
        refiner._field.geometry.bias[0] += 20.0  # no matter anywhere
    assert refiner.drift() > 0.2
    monkeypatch.setattr("recon_node.engines.refine.refine.MOST_DRIFT", -1.0)
    outcome, versions, _ = run(views, few_steps)
    assert outcome.result is None and versions == []


@dataclass
class Greedy:
    """A term that takes more memory than there is for more rays than it is content with."""

    name: ClassVar[str] = "greedy"
    content_with: int

    def __call__(self, step: Step) -> torch.Tensor:
        if len(step.rays.origins) > self.content_with:
            torch.empty(1 << 50)
        return step.rendered.rgbs.sum() * 0.0


def test_a_step_that_does_not_fit_is_made_smaller(keyframes, few_steps):
    refiner = prepared(keyframes(1), few_steps, Greedy(content_with=200))
    assert refiner.step(0.0) == {} and refiner.step(0.0) == {}
    assert refiner.step(0.0) and refiner.step_number == 1
    assert "128 rays" in refiner.notes[-1]


def test_a_step_that_never_fits_is_refused(keyframes, few_steps):
    refiner = prepared(keyframes(1), few_steps, Greedy(content_with=0))
    with pytest.raises(ReconstructionError, match="does not fit into the memory"):
        for _ in range(10):
            refiner.step(0.0)
