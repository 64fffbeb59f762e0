# SPDX-License-Identifier: Apache-2.0
"""A network of the TripoSR family that fits into a test: its checkpoint, and what is exported."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from recon_node.engines.backends.export_triposr import export_triposr
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.random_weights import random_state

TINY = TripoSRConfig(
    patch_size=64,
    native_grid=5,
    image_width=64,
    image_layers=2,
    image_heads=1,
    image_hidden=96,
    plane_grid=4,
    width=128,
    layers=2,
    heads=2,
    plane_channels=6,
)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights by the official keys."""
    state = random_state(TINY, torch.Generator().manual_seed(0), affine_spread=0.1)
    path = tmp_path_factory.mktemp("tiny_checkpoint") / "tiny.safetensors"
    save_file(state, path, {"source": "a test"})
    return path


@pytest.fixture(scope="session")
def tiny_triposr(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of exported weights and graphs."""
    directory = tmp_path_factory.mktemp("tiny_triposr")
    export_triposr(tiny_checkpoint, directory)
    return directory
