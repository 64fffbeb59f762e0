# SPDX-License-Identifier: Apache-2.0
"""Refinement at the command line: what it writes, and how it ends; real runs of a few steps."""

import io
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.refine.config import RefineConfig
from recon_node.offline import Wishes, reconstruct_scene
from recon_node.offline_refinement import CHECKPOINT, keyframes_of
from recon_node.posed_frames import load_posed_scene
from recon_node.posed_views import read_posed_objects
from recon_node.scene_files import Scene, SceneObject

FILES = {"mesh.ply", "mesh.glb", "preview.png", "result.json"}
TABLE = Path(__file__).resolve().parents[2] / "examples" / "table"
REFINED = FILES | {"refine.json", "refine.png", "compare.png"}


def names(folder):
    """Everything in a folder."""
    return {path.name for path in folder.iterdir()}


def document_of(folder, name="refine.json"):
    """The content of one of its JSON files."""
    return json.loads((folder / name).read_text())


def refined(scene, out, *, steps, on_moment=lambda item, moment: None):
    """The objects of a scene after so many steps, by the hull."""
    config = RefineConfig(budget=0.0, steps=steps)
    wishes = Wishes(refine=config, on_moment=on_moment)
    return list(reconstruct_scene(scene, HullEngine(), out, wishes))


@pytest.fixture
def posed(posed_folder):
    """The posed scene of the folder."""
    return load_posed_scene(posed_folder / "cameras.json")


def test_single_picture_refines_without_harm(ball, tmp_path):
    """Refine from one view: the ball keeps its place and its size."""
    scene = Scene(
        "ball",
        ball.folder / "ball.png",
        (ball.folder / "mask.png",),
        ball.folder / "depth.png",
        camera=ball.folder / "camera.json",
    )
    (item,) = refined(scene, tmp_path / "out", steps=2)
    assert names(tmp_path / "out") == REFINED
    mesh = item.result.mesh.transformed(item.result.T_world_object)
    assert mesh.vertices[:, 2].min() == pytest.approx(ball.distance - ball.radius, abs=0.006)
    assert np.ptp(mesh.vertices[:, 0]) == pytest.approx(2 * ball.radius, rel=0.1)


def test_interruption_keeps_the_best_and_goes_on_later(posed, tmp_path):
    """End within a step of Ctrl-C with all files and the checkpoint, and go on from there."""

    def press(item, moment):
        if moment.step == 2:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    (item,) = refined(posed, tmp_path / "out", steps=4, on_moment=press)
    assert signal.getsignal(signal.SIGINT) is before
    assert names(tmp_path / "out") == REFINED | {CHECKPOINT}
    document = document_of(tmp_path / "out")
    assert (document["cancelled"], document["steps"]) == (True, 2)
    assert "cancelled" in document["message"]
    (item,) = refined(posed, tmp_path / "out", steps=4)
    assert names(tmp_path / "out") == REFINED
    check_files(tmp_path / "out", item, steps=[3, 4])


def check_files(out, item, *, steps):
    """What a refinement wrote tells of these steps, and of the mesh beside it."""
    document = document_of(out)
    assert not document["cancelled"] and document["start"]["stage"] == "HULL"
    assert (document["steps"], document["keyframe_count"]) == (steps[-1], 3)
    assert [moment["step"] for moment in document["progress"]] == steps
    assert document["progress"][-1]["losses"] and document["progress"][-1]["psnr"] > 0
    result = document_of(out, "result.json")
    assert result["metrics"]["refine_steps"] == steps[-1]
    if document["outcome"] == "refined":
        numbers = [version["number"] for version in document["versions"]]
        assert numbers == list(range(1, len(numbers) + 1)) and item.result.version == 2
        assert result["stage"] == "REFINED"
    else:
        assert result["stage"] == "HULL" and document["message"] in result["warnings"]
    for name in ("refine.png", "compare.png"):
        picture = np.asarray(Image.open(io.BytesIO((out / name).read_bytes())))
        assert picture.shape[1] > 600 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_second_interruption_stops_at_once(posed, tmp_path):
    """Leave nothing half-written where Ctrl-C is pressed twice."""

    def press_twice(item, moment):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        refined(posed, tmp_path / "out", steps=4, on_moment=press_twice)
    assert not (tmp_path / "out").exists()


def test_interruption_leaves_later_objects_unrefined(posed, posed_folder, posed_views, tmp_path):
    """Make the instant mesh of the objects that come after."""
    for number, view in enumerate(posed_views(3)):
        labels = np.where(view.mask, 2, 0).astype(np.uint8)
        labels[labels.shape[0] // 2 :] *= 2
        Image.fromarray(labels).save(posed_folder / f"mask_{number}.png")

    def press(item, moment):
        signal.raise_signal(signal.SIGINT)

    first, second = refined(posed, tmp_path / "out", steps=2, on_moment=press)
    assert first.refinement.cancelled and second.refinement is None
    assert "cancelled" in first.refinement.message and first.refinement.result is None
    assert any("interrupted" in warning for warning in first.result.warnings)
    assert names(tmp_path / "out" / "object_002") == REFINED
    assert names(tmp_path / "out" / "object_004") == FILES


def test_bad_views_are_left_out(posed_views, caplog):
    """Refine from what is sharp and lit, and name what is not; the first stays if none is."""
    views = posed_views(3)
    black = type(views[1])(np.zeros_like(views[1].image), views[1].mask, views[1].camera)
    start = HullEngine().reconstruct([views[0]])

    def item(*views):
        return SceneObject("block", ".", 1, views[0], tuple(make_keyframe(v) for v in views))

    assert len(keyframes_of(item(*views), start)) == 3
    kept = keyframes_of(item(views[0], black, views[2]), start)
    assert len(kept) == 2 and kept[0].result is start
    assert "view 2 of 3 is not used to refine: dark" in caplog.text
    assert len(keyframes_of(item(black, black), start)) == 1


def test_views_of_the_table_are_kept():
    """Call no view of the examples blurred, however differently it shows an edge or a texture."""
    for item in read_posed_objects(load_posed_scene(TABLE / "three_views.json")):
        start = HullEngine().reconstruct([item.view])
        kept = keyframes_of(item, start)
        assert len(kept) == len(item.keyframes)
        assert min(keyframe.weight for keyframe in kept) > 0.5


def test_command_refines(posed_folder, recon, tmp_path):
    """Take the time from the command line, and say how it ended."""
    run = recon("reconstruct", posed_folder, "--cameras", posed_folder / "cameras.json",
                "-e", "hull", "--refine", "0.01", "-o", tmp_path / "out")  # fmt: skip
    assert run.code == 0
    assert names(tmp_path / "out") == REFINED
    assert run.out.splitlines()[-1] == f"block: {document_of(tmp_path / 'out')['message']}"


@pytest.mark.parametrize("seconds", ["0", "-3", "1e9", "nan"])
def test_time_out_of_range_is_refused(ball, recon, seconds):
    """Say what a budget may be before anything is loaded."""
    run = recon(*ball.command(), f"--refine={seconds}")
    assert (run.code, len(run.errors)) == (2, 1) and "budget" in run.errors[0]


def test_without_torch_it_says_how_to_get_it(ball, recon, monkeypatch):
    """Refuse before anything is made; without --refine nothing needs torch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    run = recon(*ball.command(), "--refine", "5")
    assert (run.code, len(run.errors)) == (2, 1) and "pip install '.[torch]'" in run.errors[0]
    assert not (ball.folder / "out").exists()
    assert recon(*ball.command()).code == 0
