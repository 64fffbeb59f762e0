# SPDX-License-Identifier: Apache-2.0
"""Providers and precisions: what the installed packages have, and a clear refusal of the rest."""

import numpy as np
import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.onnxruntime_providers import (
    chosen_precision,
    chosen_provider,
    onnxruntime,
    provider_list,
)
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import BackendUnavailableError, InvalidInputError, UnknownNameError
from recon_node.engines.lrm.networks import ENCODER, WEIGHTS_DIRECTORY

ON_CPU = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="onnxruntime-gpu is installed, which has what these tests want refused",
)


@pytest.fixture
def inputs(rng) -> dict[str, np.ndarray]:
    crop = rng.uniform(0, 1, (1, 6, 128, 128)).astype(np.float32)
    return {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}


@ON_CPU
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_onnxruntime_names_what_it_has_and_how_to_get_more(provider):
    with pytest.raises(
        BackendUnavailableError,
        match=rf"'{provider}' was asked for.* has only cpu; .*requirements/gpu.txt",
    ):
        load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY, BackendOptions(provider=provider))


@ON_CPU
@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_onnxruntime_takes_the_cpu(provider):
    options = BackendOptions(provider=provider)
    assert chosen_provider(options) == "cpu"
    backend = load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY, options)
    assert backend.status == "onnxruntime (cpu, fp32)"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_onnxruntime_has_no_half_precision_on_a_cpu(precision):
    options = BackendOptions(provider="cpu", precision=precision)
    with pytest.raises(InvalidInputError, match=f"provider 'cpu', not in {precision}"):
        load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY, options)


def test_each_provider_is_told_its_precision(tmp_path):
    options = BackendOptions(plan_directory=str(tmp_path))
    assert [chosen_precision(options, name) for name in ("cpu", "cuda", "tensorrt")] == [
        "fp32",
        "fp32",
        "fp16",
    ]
    names = [name for name, _ in provider_list("tensorrt", "fp16", options)]
    assert names == ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    told = dict(provider_list("tensorrt", "fp16", options))["TensorrtExecutionProvider"]
    assert told["trt_fp16_enable"] == "1"
    assert told["trt_engine_cache_path"] == str(tmp_path / "onnxruntime")
    exact = BackendOptions(precision="fp32")
    assert dict(provider_list("cuda", "fp32", exact))["CUDAExecutionProvider"]["use_tf32"] == "0"


def test_torch_has_no_provider_of_onnxruntime():
    with pytest.raises(InvalidInputError, match="'tensorrt' is one of ONNX Runtime's"):
        load_backend("torch", ENCODER, WEIGHTS_DIRECTORY, BackendOptions(provider="tensorrt"))


def test_torch_without_a_gpu_says_so():
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch sees a GPU, which this test wants missing")
    with pytest.raises(BackendUnavailableError, match="'cuda' was asked for, and torch .* no GPU"):
        load_backend("torch", ENCODER, WEIGHTS_DIRECTORY, BackendOptions(provider="cuda"))


@pytest.mark.parametrize(
    ("precision", "limit"),
    [("fp32", 0.0), ("bf16", 5e-2), ("fp16", 5e-3)],  # 8 and 11 bits through some sixty layers
)
def test_torch_rounds_as_it_is_told(precision, limit, inputs):
    exact = load_backend("torch", ENCODER, WEIGHTS_DIRECTORY).run(inputs)
    options = BackendOptions(precision=precision, provider="cpu")
    backend = load_backend("torch", ENCODER, WEIGHTS_DIRECTORY, options)
    assert backend.status == f"torch (cpu, {precision})"
    for port, values in backend.run(inputs).items():
        assert values.dtype == np.float32
        error = np.abs(values - exact[port]).mean() / np.abs(exact[port]).mean()
        assert error <= limit and (error > 0) == (precision != "fp32")


@pytest.mark.parametrize(("precision", "limit"), [("bf16", 3e-2), ("fp16", 4e-3)])
def test_torch_rounds_the_typed_network_too(precision, limit, tiny_triposr, rng):
    from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER

    image = {"image": rng.uniform(0, 1, (1, 3, 512, 512)).astype(np.float32)}
    hidden = {"hidden": rng.normal(size=(1000, 64)).astype(np.float32)}
    for network, asked in ((ENCODER, image), (DECODER, hidden)):
        exact = load_backend("torch", network, tiny_triposr, BackendOptions(precision="fp32"))
        half = load_backend("torch", network, tiny_triposr, BackendOptions(precision=precision))
        expected = exact.run(asked)
        for port, values in half.run(asked).items():
            assert values.dtype == np.float32
            error = np.abs(values - expected[port]).mean() / np.abs(expected[port]).mean()
            assert 0 < error < limit


def test_options_are_checked():
    with pytest.raises(UnknownNameError, match="unknown precision 'half'; known: auto, bf16, fp16"):
        BackendOptions(precision="half")
    with pytest.raises(UnknownNameError, match="unknown provider 'gpu'; known: auto, cpu, cuda"):
        BackendOptions(provider="gpu")


def test_plans_lie_in_the_users_cache_or_where_they_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert BackendOptions().plans == tmp_path / "recon" / "plans"
    assert BackendOptions(plan_directory="elsewhere").plans.name == "elsewhere"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert BackendOptions().plans == tmp_path / ".cache" / "recon" / "plans"
