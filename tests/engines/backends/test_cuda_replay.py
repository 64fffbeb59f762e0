# SPDX-License-Identifier: Apache-2.0
"""A recorded module answers as the module does, for every shape and every value."""

import pytest
import torch

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.cuda_replay import CudaReplay
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.lrm.triposr.networks import ENCODER


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_recording_answers_as_the_module_does(dtype):
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.LayerNorm(16), torch.nn.Linear(16, 3)
    )
    module.to("cuda", dtype)
    replay = CudaReplay(module)
    with torch.inference_mode():
        for count in (1, 5, 1, 5):
            x = torch.randn(count, 8, generator=generator).to("cuda", dtype)
            torch.testing.assert_close(replay(x), module(x))


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-3), ("bf16", 3e-2), ("fp16", 4e-3)])
def test_the_typed_network_answers_as_on_the_cpu(precision, limit, tiny_triposr, rng):
    exact = load_backend("torch", ENCODER, tiny_triposr, BackendOptions(provider="cpu"))
    options = BackendOptions(provider="cuda", precision=precision)
    fast = load_backend("torch", ENCODER, tiny_triposr, options)
    for count in (1, 2, 1):
        image = {"image": rng.uniform(0, 1, (count, 3, 512, 512)).astype("float32")}
        expected, planes = exact.run(image)["planes"], fast.run(image)["planes"]
        assert abs(planes - expected).mean() < limit * abs(expected).mean()
