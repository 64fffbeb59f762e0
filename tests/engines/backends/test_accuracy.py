# SPDX-License-Identifier: Apache-2.0
"""Backends and precisions see the same surface: 99 % of it within half a voxel."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.lrm.networks import WEIGHTS_DIRECTORY
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state
from recon_node.evaluation.backend_surfaces import compact_surfaces, triposr_surfaces
from recon_node.evaluation.surface_difference import hausdorff_percentile

HALF_A_VOXEL = 0.5
RESOLUTION = 64
PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
"""Of torch, each against ONNX Runtime in fp32."""

SMALL = TripoSRConfig(
    patch_size=32,
    native_grid=14,
    image_width=128,
    image_layers=3,
    image_heads=2,
    image_hidden=256,
    plane_grid=16,
    width=256,
    layers=3,
    heads=4,
)


@pytest.fixture(scope="module")
def small_checkpoint(tmp_path_factory):
    """Random weights that see a bumpy ball."""
    state = random_state(SMALL, torch.Generator().manual_seed(1))
    add_surface(state, SMALL)
    path = tmp_path_factory.mktemp("small_checkpoint") / "small.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The user's cache, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def compact_reference(ball_views):
    """By ONNX Runtime."""
    return compact_surfaces(ball_views, "onnxruntime", BackendOptions(), WEIGHTS_DIRECTORY)


@pytest.fixture(scope="module")
def triposr_reference(small_checkpoint, cache):
    """By ONNX Runtime, with the image it is of."""
    images = np.random.default_rng(5).uniform(0, 1, (1, 3, 512, 512)).astype(np.float32)
    options = BackendOptions()
    return images, triposr_surfaces(
        images, "onnxruntime", options, small_checkpoint, resolution=RESOLUTION
    )


def assert_alike(surfaces, reference, precision):
    for ours, theirs in zip(surfaces, reference, strict=True):
        assert len(theirs.vertices) > 5000
        assert hausdorff_percentile(ours, theirs) < (0.01 if precision == "fp32" else HALF_A_VOXEL)


@PRECISIONS
def test_the_shipped_network_sees_one_surface(precision, ball_views, compact_reference):
    options = BackendOptions(precision=precision, provider="cpu")
    surfaces = compact_surfaces(ball_views, "torch", options, WEIGHTS_DIRECTORY)
    assert_alike(surfaces, compact_reference, precision)


@PRECISIONS
def test_a_network_of_the_family_sees_one_surface(precision, small_checkpoint, triposr_reference):
    images, reference = triposr_reference
    options = BackendOptions(precision=precision, provider="cpu")
    surfaces = triposr_surfaces(images, "torch", options, small_checkpoint, resolution=RESOLUTION)
    assert_alike(surfaces, reference, precision)
