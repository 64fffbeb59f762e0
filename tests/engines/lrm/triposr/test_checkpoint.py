# SPDX-License-Identifier: Apache-2.0
"""Every kind of checkpoint gives the same network, or an error that says what does not fit."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import save_file

from recon_node.engines.errors import OutputError, WeightsError
from recon_node.engines.lrm.networks import WEIGHTS_DIRECTORY
from recon_node.engines.lrm.triposr.checkpoint import read_state, stored_model, write_state
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR

POOLER = "image_tokenizer.model.pooler.dense.weight"


def saved(kind: str, state: dict, folder: pathlib.Path) -> pathlib.Path:
    """A checkpoint of a kind, as TripoSR, Real3D's training or `recon convert` leave it."""
    path = folder / f"{kind}.ckpt"
    published = {**state, POOLER: torch.zeros(64, 64)}
    training = {
        "epoch": 3,
        "state_dict": {f"module.{name}": tensor for name, tensor in published.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(2.0)}}, "param_groups": [{"lr": 4e-4}]},
        "best_psnr": np.float64(20.5),
        "best_sim": np.float32(0.5),
    }
    if kind == "safetensors":
        save_file(published, path)
    elif kind == "nested":
        torch.save({"state_dict": state}, path)
    else:
        stored = training if kind.startswith("training") else published
        torch.save(stored, path, _use_new_zipfile_serialization=not kind.endswith("legacy"))
    return path


KINDS = ("flat", "flat legacy", "training", "training legacy", "nested", "safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_network(kind, triposr_state, tmp_path):
    model = stored_model(saved(kind, triposr_state, tmp_path))
    assert not model.training
    found = model.state_dict()
    assert found.keys() == triposr_state.keys()
    for name, tensor in triposr_state.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_the_sizes_are_those_of_the_tensors(triposr_file):
    config = stored_model(triposr_file).config
    assert (config.patch_size, config.native_grid, config.plane_grid) == (64, 4, 8)
    assert (config.layers, config.image_layers, config.hidden_layers) == (2, 1, 2)
    assert (config.plane_channels, config.hidden_width, config.heads) == (4, 8, 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_weights_become_float32(dtype, triposr_state, tmp_path):
    narrow = {name: tensor.to(dtype) for name, tensor in triposr_state.items()}
    save_file(narrow, tmp_path / "narrow.safetensors")
    found = stored_model(tmp_path).state_dict()
    for name, tensor in narrow.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], tensor.float(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["flat", "safetensors"])
def test_loading_maps_the_file_and_copies_nothing(kind, tmp_path):
    """A process that loads 200 MB of weights needs less than a tenth of that for it."""
    config = TripoSRConfig(width=256, heads=4, image_width=128, image_heads=2, image_hidden=64)
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in TripoSR(config).state_dict().items()}
    large = {name: torch.zeros(shape) for name, shape in shapes.items()}
    path = saved(kind, large, tmp_path)
    size = path.stat().st_size
    code = f"""
import pathlib, recon_node.engines.lrm.triposr.checkpoint as checkpoint
def private_bytes():
    return 1024 * int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0])
before = private_bytes()
model = checkpoint.stored_model(pathlib.Path({str(path)!r}))
print(private_bytes() - before)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 0.1 * size


def test_published_widths_are_held_against_the_published_sizes(tmp_path):
    """Blocks that are missing at the end are missed, though the rest would make a network."""
    with torch.device("meta"):
        state = TripoSR().state_dict()
    # Without a file of 1.7 GB: the tensors repeat one number.
    state = {name: torch.zeros(1).expand(tensor.shape) for name, tensor in state.items()}
    state = {name: tensor for name, tensor in state.items() if "blocks.15." not in name}
    torch.save(state, tmp_path / "model.ckpt")
    with pytest.raises(WeightsError, match=r"keys are 20 missing \(backbone.transformer_blocks.15"):
        stored_model(tmp_path / "model.ckpt")


def test_what_does_not_fit_is_listed(triposr_state, tmp_path):
    state = {name: t for name, t in triposr_state.items() if ".attn2." not in name}
    state["decoder.layers.2.weight"] = torch.zeros(3, 3)
    state["surplus"] = torch.zeros(1)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        stored_model(tmp_path)
    message = str(caught.value)
    assert "10 missing (backbone.transformer_blocks.0.attn2.to_q.weight, " in message
    assert " …), 1 unexpected (surplus), " in message
    assert "1 of another shape (decoder.layers.2.weight (3, 3) instead of (8, 8))" in message
    assert "fetch it again" in message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("image_estimator.head.weight", "SF3D"),
        ("synthesizer.decoder.net.0.weight", "OpenLRM.*CC BY-NC"),
        ("encoder.stem.weight", "recon's own network: use --engine compact"),
    ],
)
def test_checkpoints_of_other_models_are_told_apart(key, told, tmp_path):
    save_file({key: torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=f"not a whole TripoSR checkpoint.*{told}"):
        stored_model(tmp_path)


def test_the_compact_models_file_is_told_apart():
    with pytest.raises(WeightsError, match="use --engine compact"):
        stored_model(WEIGHTS_DIRECTORY)


class Payload:
    """Something that unpickling would run."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("is_legacy", [False, True], ids=["zip", "legacy"])
def test_nothing_but_tensors_and_numbers_is_unpickled(
    is_legacy, triposr_state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.ckpt"
    stored = {"state_dict": triposr_state, "config": Payload()}
    torch.save(stored, path, _use_new_zipfile_serialization=not is_legacy)
    with pytest.raises(WeightsError, match=r"tensors and numbers \(\w+.mkdir\).*you trust it"):
        stored_model(path)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("share", [0.99, 0.3])
def test_a_legacy_file_cut_short_is_refused(share, triposr_state, tmp_path):
    path = saved("flat legacy", triposr_state, tmp_path)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(WeightsError, match="corrupt or cut short.*fetch it again"):
        stored_model(path)


def test_what_is_no_network_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(WeightsError, match="holds a list, not the tensors of a network"):
        stored_model(tmp_path)
    torch.save({"epoch": 3}, tmp_path / "list.ckpt")
    with pytest.raises(WeightsError, match=r"keys are \d+ missing"):
        stored_model(tmp_path)


def test_a_state_is_written_whole_with_its_notes_for_everybody(triposr_state, tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    write_state(triposr_state, path, {"preset": "triposr"})
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"preset": "triposr"}
    assert read_state(path).keys() == triposr_state.keys()
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    (path.parent / "folder.safetensors").mkdir()
    with pytest.raises(OutputError, match="cannot write .*folder.safetensors: Is a directory"):
        write_state(triposr_state, path.parent / "folder.safetensors", {})
    assert {found.name for found in path.parent.iterdir()} == {path.name, "folder.safetensors"}
