# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is whole or refused, and gives the model that was averaged."""

import pickle

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from recon_node.engines.errors import OutputError, WeightsError
from recon_node.engines.lrm.model import CompactLRM
from recon_node.training.checkpoint import Checkpoint, averaged_model


@pytest.fixture(scope="module")
def model() -> CompactLRM:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return CompactLRM()


@pytest.fixture
def state(model) -> dict:
    """What a run saves, without its optimiser."""
    return {
        "step": 30,
        "averaged": AveragedModel(model).state_dict(),
        "options": {"batch": 4, "devices": 2, "seed": 7},
    }


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    assert not checkpoint.exists()
    for step in (1, 2):
        checkpoint.save({"step": step, "weights": torch.full((3,), step)})
        assert checkpoint.exists()
        loaded = checkpoint.load()
        assert loaded["step"] == step and loaded["weights"].tolist() == [step] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    checkpoint.save({"step": 1})
    (tmp_path / "checkpoint.pt.part").mkdir()
    with pytest.raises(OutputError, match="cannot write .*Is a directory.*last checkpoint"):
        checkpoint.save({"step": 2})
    assert checkpoint.load() == {"step": 1}


def test_a_missing_checkpoint_says_how_to_make_one(tmp_path):
    with pytest.raises(WeightsError, match="does not exist; make it with `recon train lrm`"):
        Checkpoint(tmp_path / "checkpoint.pt").load()


def broken_contents() -> dict[str, bytes]:
    """Files that are no checkpoints, by what is wrong with them."""
    return {
        "empty": b"",
        "text": b"step,loss\n1,0.5\n",
        "zeros": bytes(2000),
        "truncated pickle": pickle.dumps({"step": list(range(100))}, protocol=2)[:50],
        "code": b"cos\nsystem\n(S'true'\ntR.",
    }


@pytest.mark.parametrize("kind", broken_contents())
def test_other_files_are_refused(kind, tmp_path):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(broken_contents()[kind])
    with pytest.raises(WeightsError, match="is not a checkpoint or is corrupt .*; remove it"):
        Checkpoint(path).load()


@pytest.mark.parametrize("share", [0.99, 0.5, 0.01])
def test_a_truncated_checkpoint_is_refused(share, state, tmp_path):
    path = tmp_path / "checkpoint.pt"
    Checkpoint(path).save(state)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match="is not a checkpoint or is corrupt .*; remove it"):
        averaged_model(path)


def test_the_averaged_model_is_the_one_that_was_saved(model, state, tmp_path):
    Checkpoint(tmp_path / "checkpoint.pt").save(state)
    loaded, notes = averaged_model(tmp_path / "checkpoint.pt")
    assert notes == {"step": "30", "samples": "240", "seed": "7"}
    assert not loaded.training
    for (name, ours), theirs in zip(
        loaded.state_dict().items(), model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("wrong", ["averaged", "step", "options", "weight", "list"])
def test_a_checkpoint_of_something_else_is_refused(wrong, state, tmp_path):
    if wrong == "weight":
        del state["averaged"]["module.encoder.stem.bias"]
    elif wrong == "list":
        state["averaged"] = [1, 2]
    else:
        del state[wrong]
    Checkpoint(tmp_path / "checkpoint.pt").save(state)
    with pytest.raises(WeightsError, match="is not a checkpoint of the compact model"):
        averaged_model(tmp_path / "checkpoint.pt")
