# SPDX-License-Identifier: Apache-2.0
"""What is kept of a refinement's progress, and the pictures drawn of it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from recon_node.comparison import draw_comparison
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.refine.config import RefineConfig
from recon_node.engines.transforms import Similarity
from recon_node.refine_chart import draw_refine_chart
from recon_node.refine_record import MOST_MOMENTS, Moment, RefineRecord, Version


@pytest.fixture
def start(ball):
    """The hull of the ball."""
    return HullEngine().reconstruct([ball.view])


@pytest.fixture
def record(start):
    """A record of nothing yet."""
    return RefineRecord(RefineConfig(), start, 1)


def test_long_runs_are_thinned_evenly(record):
    """Keep every second, fourth, … moment of a long run, the first always."""
    for step in range(5000):
        record.look(Moment(step, 0.1 * step, {}, 20.0))
    steps = [moment.step for moment in record.moments]
    assert MOST_MOMENTS / 2 <= len(steps) <= MOST_MOMENTS + 1
    assert set(np.diff(steps)) == {16} and steps[0] == 0


def test_json_has_no_nan(record):
    """Write numbers that are not finite as null, and what came of it in words."""
    record.look(Moment(1, 0.5, {"mask": math.nan, "surface": 0.25}, math.inf))
    record.versions.append(Version(1, 1, 0.5))
    record.result, record.message = replace(record.start, version=2, parent_version=1), "better"
    document = json.loads(record.to_json())
    (moment,) = document["progress"]
    assert moment["losses"] == {"mask": None, "surface": 0.25} and moment["psnr"] is None
    assert document["outcome"] == "refined" and document["result"]["parent_version"] == 1
    assert document["versions"] == [{"number": 1, "step": 1, "seconds": 0.5}]
    assert document["config"]["seed"] == 0 and document["start"]["version"] == 1
    record.result = None
    assert json.loads(record.to_json())["outcome"] == "kept the start"


def count_of(picture, color):
    """Pixels of about a colour."""
    return int((np.abs(np.asarray(picture).astype(int) - color).max(axis=2) < 40).sum())


def test_chart_shows_curves_and_versions(record):
    """Draw the PSNR in blue, versions in orange, and break a curve where a number is missing."""
    blue, orange = (31, 119, 180), (243, 153, 40)
    empty = draw_refine_chart(record, title="ball")
    assert count_of(empty, orange) == 0
    for step in range(40):
        record.look(Moment(step, step / 4, {"mask": 0.1 / (1 + step)}, 15.0 + 0.2 * step))
    plain = draw_refine_chart(record, title="ball")
    assert count_of(plain, blue) > count_of(empty, blue) + 500
    record.versions.append(Version(1, 20, 5.0))
    assert count_of(draw_refine_chart(record, title="ball"), orange) > 300
    record.moments[10:30] = [replace(m, psnr=math.nan) for m in record.moments[10:30]]
    assert count_of(draw_refine_chart(record, title="ball"), blue) < 0.8 * count_of(plain, blue)


@pytest.mark.parametrize("losses", [{}, {"mask": 0.0}, {"mask": 1.0}, {"mask": math.inf}])
def test_chart_of_awkward_numbers(record, losses):
    """Draw a single moment, and losses that are constant, zero or infinite."""
    record.look(Moment(1, 0.0, losses, math.nan))
    assert draw_refine_chart(record, title="ball").size[0] > 800


def test_comparison_has_a_row_for_each_mesh(ball, start):
    """Draw input and meshes at the mask, one row less where nothing better was found."""
    keyframes = [make_keyframe(ball.view)] * 9
    away = replace(start, mesh=start.mesh.transformed(Similarity(1.0, np.eye(3), [0, 1, 0])))
    two, three = (draw_comparison(keyframes, start, other, tile=96) for other in (None, away))
    assert three.size[0] == two.size[0] and three.size[1] > two.size[1]
    pixels = np.asarray(three).astype(int)
    orange = (pixels[..., 0] > 1.3 * pixels[..., 2]) & (pixels[..., 1] > 1.2 * pixels[..., 2])
    rows = [orange[top : top + 96].sum() for top in (16, 16 + 118, 16 + 2 * 118)]
    assert rows[0] > 6 * 500 and rows[1] > 6 * 500  # the ball in six columns
    assert rows[2] < 0.1 * rows[1]  # the mesh far beside it is not in the picture
