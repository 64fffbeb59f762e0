# SPDX-License-Identifier: Apache-2.0
"""`recon convert`, and the engine triposr wherever an engine can be named on the command line."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open

from recon_node.engines.lrm.triposr.checkpoint import read_state


@pytest.fixture
def converted(recon, triposr_file, tmp_path):
    """The tiny checkpoint as safetensors, named as if it were public."""
    public = shutil.copy(triposr_file, tmp_path / "model_both_trained_v1.ckpt")
    path = tmp_path / "weights" / "real3d.safetensors"
    run = recon("convert", public, "-o", path)
    assert (run.code, run.err) == (0, "")
    assert f"{path}: Real3D" in run.out and "preset real3d" in run.out
    return path


def test_the_tensors_stay_and_the_header_says_whose_they_are(converted, triposr_file):
    before, after = read_state(triposr_file), read_state(converted)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with safe_open(converted, "pt") as file:
        notes = file.metadata()
    assert notes["preset"] == "real3d"
    assert notes["licence"].startswith("MIT by its model card")
    assert "huggingface.co/hwjiang/Real3D" in notes["source"]
    assert notes["original_sha256"] == hashlib.sha256(triposr_file.read_bytes()).hexdigest()


def test_the_preset_can_be_said_and_the_rest_is_kept(converted, recon, triposr_file, tmp_path):
    again = tmp_path / "again.safetensors"
    assert recon("convert", converted, "-o", again, "--preset", "triposr").code == 0
    with safe_open(again, "pt") as file:
        notes = file.metadata()
    assert notes["preset"] == "triposr"
    assert "Real3D" in notes["source"]
    assert notes["original_sha256"] == hashlib.sha256(triposr_file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out.ckpt"], "the file to write is called out.ckpt; give it a name in .safetens"),
        (["-o", "out.safetensors", "--preset", "tripsr"], "did you mean 'triposr'?"),
    ],
)
def test_impossible_options_are_refused(options, message, recon, triposr_file, tmp_path):
    run = recon("convert", triposr_file, "-o", tmp_path / options[1], *options[2:])
    assert run.code == 2
    assert len(run.errors) == 1 and message in run.errors[0]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_converted_leaves_nothing(recon, triposr_file, tmp_path):
    short = shutil.copy(triposr_file, tmp_path / "short.ckpt")
    os.truncate(short, 1000)
    run = recon("convert", short, "-o", tmp_path / "out.safetensors")
    assert run.code == 2 and "truncated or corrupt" in run.errors[0]
    run = recon("convert", tmp_path / "gone.ckpt", "-o", tmp_path / "out.safetensors")
    assert run.code == 2 and "hf download stabilityai/TripoSR model.ckpt" in run.errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["short.ckpt"]


def test_a_picture_becomes_a_mesh_that_names_its_weights(ball, recon, converted):
    run = recon(*ball.command(engine="triposr", backend="torch", weights=converted))
    assert run.code == 0, run.err
    assert "Real3D" not in run.err  # the log line is for the node
    result = json.loads((ball.folder / "out" / "result.json").read_text())
    assert (result["engine"], result["watertight"]) == ("triposr", True)
    digest = hashlib.sha256(converted.read_bytes()).hexdigest()
    for part in ("Real3D", "MIT", "float32", str(converted), f"sha256 {digest[:12]}"):
        assert part in result["weights"]
    assert result["extents"] == pytest.approx([2 * ball.radius] * 3, rel=0.08)


def test_the_hull_names_no_weights(ball, recon):
    assert recon(*ball.command()).code == 0
    assert json.loads((ball.folder / "out" / "result.json").read_text())["weights"] is None


def test_triposr_without_weights_says_how_to_get_them(ball, recon):
    run = recon(*ball.command(engine="triposr"))
    assert run.code == 2
    assert len(run.errors) == 1
    assert "`hf download stabilityai/TripoSR model.ckpt --local-dir weights`" in run.errors[0]


def test_a_bag_becomes_meshes(recon, record, converted, tmp_path):
    mask = np.zeros((120, 160), np.uint8)
    mask[50:90, 60:100] = 1
    with record() as bag:
        bag.table(1, 1_000_000_000, without=("mask",))
        bag.write("/mask", bag.image(1_000_000_000, mask, "mono8"))
    run = recon(
        "bag", bag.path, "-o", tmp_path / "out", "-e", "triposr", "-b", "torch",
        "--weights", converted,
    )  # fmt: skip
    assert run.code == 0, run.err
    results = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("result.json")]
    assert results and all(result["engine"] == "triposr" for result in results)
    assert all("Real3D" in result["weights"] for result in results)
