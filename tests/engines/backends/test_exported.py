# SPDX-License-Identifier: Apache-2.0
"""Weights without graphs are exported once, into the user's cache."""

import logging
import subprocess
import sys

import numpy as np
import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.exported import exported_folder
from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.networks import ENCODER as COMPACT
from recon_node.engines.lrm.networks import WEIGHTS_DIRECTORY
from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The user's cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "recon" / "exported"


def test_a_folder_with_graphs_is_taken_as_it_is(tiny_triposr, cache):
    assert exported_folder(COMPACT, WEIGHTS_DIRECTORY) == WEIGHTS_DIRECTORY
    assert exported_folder(ENCODER, tiny_triposr) == tiny_triposr
    assert not cache.exists()


def test_a_checkpoint_is_exported_once(tiny_checkpoint, cache, caplog, rng):
    with caplog.at_level(logging.WARNING):
        backends = [load_backend("onnxruntime", n, tiny_checkpoint) for n in (ENCODER, DECODER)]
    assert [record.message.split(" to ")[0] for record in caplog.records] == [
        f"exporting {tiny_checkpoint}"
    ]
    (folder,) = cache.iterdir()
    assert exported_folder(DECODER, tiny_checkpoint.parent) == folder  # by what is in the file
    hidden = rng.normal(size=(3, 64)).astype(np.float32)
    assert backends[1].run({"hidden": hidden})["density"].shape == (3,)


def test_what_is_no_checkpoint_is_refused(tmp_path, cache):
    (tmp_path / "model.ckpt").write_bytes(b"weights?")
    with pytest.raises(WeightsError, match="is neither a safetensors file nor one that torch"):
        exported_folder(ENCODER, tmp_path / "model.ckpt")
    with pytest.raises(WeightsError, match="there is nothing at"):
        exported_folder(ENCODER, tmp_path / "none.ckpt")


WITHOUT_TORCH = """
import sys

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker)
from pathlib import Path
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.errors import MissingPackageError
from recon_node.engines.lrm.triposr.networks import DECODER

try:
    load_backend("onnxruntime", DECODER, Path(sys.argv[1]))
except MissingPackageError as error:
    print(error)
print(load_backend("onnxruntime", DECODER, Path(sys.argv[2])).name, "torch" in sys.modules)
"""


def test_without_torch_the_graphs_have_to_be_there(tiny_checkpoint, tiny_triposr):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tiny_checkpoint), str(tiny_triposr)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    refused, served = run.stdout.splitlines()
    assert "has no ONNX graphs" in refused and "run `recon export` on a machine" in refused
    assert served == "onnxruntime False"
