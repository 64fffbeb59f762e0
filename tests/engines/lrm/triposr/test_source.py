# SPDX-License-Identifier: Apache-2.0
"""Whose weights are in a file, and how a user may name it."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from recon_node.engines.errors import MissingPackageError, UnknownNameError, WeightsError
from recon_node.engines.lrm.triposr import source
from recon_node.engines.lrm.triposr.checkpoint_file import Format
from recon_node.engines.lrm.triposr.presets import REAL3D, TRIPOSR, UNKNOWN_LICENCE
from recon_node.engines.lrm.triposr.source import identify, is_repository, weights_file


def cached(root: Path, repository: str, name: str, content: Path) -> Path:
    """A file in a cache laid out as huggingface_hub does it."""
    folder = root / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    path = folder / "snapshots" / ("0" * 40) / name
    path.parent.mkdir(parents=True)
    shutil.copy(content, path)
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of a hub that is switched off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_file_without_marks_is_taken_for_triposr_of_unknown_licence(triposr_file):
    found = identify(triposr_file)
    assert (found.preset, found.licence) == (TRIPOSR, UNKNOWN_LICENCE)
    assert found.file.format is Format.ZIP and found.file.dtype == "float32"
    assert found.sha256 == hashlib.sha256(triposr_file.read_bytes()).hexdigest()
    for part in ("unknown source", "not known", "float32", str(triposr_file), found.sha256[:12]):
        assert part in str(found)


def test_the_public_file_is_known_by_its_digest(triposr_file, monkeypatch):
    digest = hashlib.sha256(triposr_file.read_bytes()).hexdigest()
    monkeypatch.setattr(source, "PUBLIC_TRIPOSR_SHA256", digest)
    found = identify(triposr_file)
    assert (found.preset, found.licence, found.source) == (TRIPOSR, "MIT", TRIPOSR.source)


@pytest.mark.parametrize("is_legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("marks", ["nested", "wrapped"])
def test_training_files_are_taken_for_real3d(marks, is_legacy, triposr_state, tmp_path):
    path = tmp_path / "cpt_last.pth.tar"
    stored = {"state_dict": triposr_state, "epoch": 3}
    if marks == "wrapped":
        stored = {f"module.{name}": tensor for name, tensor in triposr_state.items()}
    torch.save(stored, path, _use_new_zipfile_serialization=not is_legacy)
    found = identify(path)
    assert (found.preset, found.licence) == (REAL3D, UNKNOWN_LICENCE)
    assert found.file.format is (Format.LEGACY if is_legacy else Format.ZIP)
    assert found.file.dtype == "float32"


def test_real3ds_files_are_known_by_name(triposr_file, tmp_path):
    found = identify(Path(shutil.copy(triposr_file, tmp_path / "model_both_trained_v1.ckpt")))
    assert (found.preset, found.source) == (REAL3D, REAL3D.source)
    assert "model card" in found.licence


@pytest.mark.parametrize("preset", [TRIPOSR, REAL3D], ids=lambda preset: preset.name)
def test_what_the_hub_cached_is_known_and_needs_no_network(preset, triposr_file, cache):
    path = cached(cache, preset.repository, preset.file, triposr_file)
    assert weights_file(preset.repository) == path
    found = identify(path)
    assert (found.preset, found.licence) == (preset, preset.licence)


def test_an_unknown_repository_may_hold_a_file_of_a_usual_name(triposr_file, cache):
    path = cached(cache, "someone/finetuned", "model.ckpt", triposr_file)
    assert weights_file("someone/finetuned") == path
    assert identify(path).licence == UNKNOWN_LICENCE


def test_a_repository_out_of_reach_names_the_commands(cache):
    with pytest.raises(WeightsError, match="cannot be fetched without a network.*hf download"):
        weights_file("stabilityai/TripoSR")


def test_a_repository_without_the_hubs_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"pip install '.\[hub\]'"):
        weights_file("stabilityai/TripoSR")


def test_the_notes_of_a_converted_file_come_before_every_guess(triposr_state, tmp_path):
    path = tmp_path / "model_both.safetensors"
    notes = {"preset": "triposr", "licence": "ours", "source": "a run", "original_sha256": "ab"}
    save_file({name: t.half() for name, t in triposr_state.items()}, path, notes)
    found = identify(path)
    assert (found.preset, found.licence, found.source) == (TRIPOSR, "ours", "a run")
    assert (found.file.format, found.file.dtype) == (Format.SAFETENSORS, "float16")
    assert found.notes == notes
    save_file(triposr_state, path, {"preset": "later"})
    with pytest.raises(UnknownNameError, match="unknown preset 'later'"):
        identify(path)


def test_a_folder_gives_its_one_file_and_safetensors_first(triposr_file, triposr_state, tmp_path):
    with pytest.raises(WeightsError, match="holds no checkpoint.*hf download"):
        weights_file(tmp_path)
    shutil.copy(triposr_file, tmp_path / "model.ckpt")
    (tmp_path / "README.md").touch()
    assert weights_file(tmp_path) == tmp_path / "model.ckpt"
    shutil.copy(triposr_file, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"several checkpoints \(model.ckpt, other.ckpt\)"):
        weights_file(str(tmp_path))
    save_file(triposr_state, tmp_path / "a.safetensors")
    assert weights_file(tmp_path) == tmp_path / "a.safetensors"


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_weights_at_all_name_the_commands(nothing):
    with pytest.raises(WeightsError, match="without weights.*`hf download.*--weights weights/mod"):
        weights_file(nothing)


def test_a_path_to_nowhere_is_not_asked_of_the_hub(tmp_path):
    for name in (tmp_path / "model.ckpt", "weights/model.ckpt", "one", "a/b/c", "../x"):
        assert not is_repository(name)
        with pytest.raises(WeightsError, match="there is nothing at.*hf download"):
            weights_file(name)


def test_a_folder_here_hides_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_repository("stabilityai/TripoSR")
    (tmp_path / "stabilityai").mkdir()
    assert not is_repository("stabilityai/TripoSR")


@pytest.mark.parametrize("content", [b"", b"PK", b"version https://git-lfs", bytes(64)])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is empty|is neither a safetensors file nor one that"):
        identify(path)


def test_a_zip_that_torch_did_not_save_is_refused(tmp_path):
    shutil.make_archive(str(tmp_path / "weights"), "zip", Path(__file__).parent)
    with pytest.raises(WeightsError, match="torch did not save: it has no data.pkl"):
        identify(tmp_path / "weights.zip")


@pytest.mark.parametrize("share", [0.9999, 0.5])
@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
def test_a_file_cut_short_is_refused_without_torch(
    suffix, share, triposr_file, triposr_state, tmp_path
):
    path = tmp_path / f"model.{suffix}"
    if suffix == "ckpt":
        shutil.copy(triposr_file, path)
    else:
        save_file(triposr_state, path)
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(WeightsError, match="truncated or corrupt"):
        identify(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(WeightsError, match=f"cannot read {tmp_path / 'gone'}: No such file"):
        identify(tmp_path / "gone")
