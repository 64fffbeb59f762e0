# SPDX-License-Identifier: Apache-2.0
"""`recon train lrm`, `recon export` and `recon reconstruct --weights`, one after the other."""

import csv
import json

import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.training.checkpoint import Checkpoint


def train_command(data, out, **options):
    """Arguments of a run that is over soon."""
    command = ["train", "lrm", "--data", data, "--out", out]
    for name, value in ({"steps": 2, "batch": 2, "validation": 4, "seed": 5} | options).items():
        command += [f"--{name.replace('_', '-')}", value]
    return command


@pytest.mark.slow
def test_a_model_goes_from_training_to_a_mesh(ball, recon, collection_folder, tmp_path):
    """Train two steps, export, reconstruct, train one step more from what was exported."""
    run = recon(*train_command(collection_folder, tmp_path / "run", workers=1))
    assert (run.code, run.errors) == (0, [])
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2"]
    assert "Warp" not in run.out + run.err

    weights = tmp_path / "weights"
    run = recon("export", tmp_path / "run" / "checkpoint.pt", "-o", weights)
    assert (run.code, run.out, run.err) == (0, "", "")
    assert {path.name for path in weights.iterdir()} == {
        WEIGHTS_FILE,
        "encoder.onnx",
        "decoder.onnx",
    }
    for name in ("onnxruntime", "torch"):
        load_backend(name, ENCODER, weights)
        load_backend(name, DECODER, weights)

    # After two steps it may see nothing yet; then the hull serves.
    run = recon(*ball.command(engine="compact", weights=weights))
    assert run.code == 0, run.err
    result = json.loads((ball.folder / "out" / "result.json").read_text())
    assert result["engine"] == "compact" or any("'compact'" in w for w in result["warnings"])
    assert result["watertight"]

    more = train_command(collection_folder, tmp_path / "more", steps=1, weights=weights)
    run = recon(*more)
    assert (run.code, run.errors) == (0, [])
    assert Checkpoint(tmp_path / "more" / "checkpoint.pt").load()["step"] == 1


def test_training_without_data_says_what_is_missing(recon, tmp_path):
    run = recon(*train_command(tmp_path / "nowhere", tmp_path / "run"))
    assert run.code == 2
    assert len(run.errors) == 1
    assert "objects_train.npz does not exist" in run.errors[0] and "--data" in run.errors[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"learning_rate": -1}, "learning_rate is -1.0; it must be a positive number"),
        ({"steps": "many"}, "invalid int value: 'many'"),
        ({"precision": "half"}, "unknown precision 'half'; known: 32-true, auto, bf16-mixed"),
    ],
)
def test_impossible_options_are_refused(options, message, recon, collection_folder, tmp_path):
    run = recon(*train_command(collection_folder, tmp_path / "run", **options))
    assert run.code == 2
    assert len(run.errors) == 1 and message in run.errors[0]
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_started_where_nothing_can_be_written(recon, collection_folder, tmp_path):
    (tmp_path / "run").write_text("a file")
    run = recon(*train_command(collection_folder, tmp_path / "run"))
    assert run.code == 2
    assert f"cannot write {tmp_path / 'run'}" in run.errors[0]


def test_exporting_what_is_no_checkpoint_is_refused(recon, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    run = recon("export", checkpoint, "-o", tmp_path / "weights")
    assert run.code == 2
    assert f"there is nothing at {checkpoint}; name a file" in run.errors[0]
    checkpoint.write_bytes(b"weights?")
    run = recon("export", checkpoint, "-o", tmp_path / "weights")
    assert run.code == 2
    assert "is neither a safetensors file nor one that torch saved" in run.errors[0]
    assert not (tmp_path / "weights").exists()
