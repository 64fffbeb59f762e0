# SPDX-License-Identifier: Apache-2.0
"""TensorRT runs plans on a GPU; without one it says so."""

import numpy as np
import pytest
import warp

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import BackendUnavailableError
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY

PATIENCE = 300.0  # [s]


def test_without_a_gpu_it_says_so_and_what_to_do():
    if warp.is_cuda_available():
        pytest.skip("Warp finds a GPU, which this test wants missing")
    with pytest.raises(
        BackendUnavailableError, match="no NVIDIA GPU on this machine.*--backend onnxruntime"
    ):
        load_backend("tensorrt", ENCODER, WEIGHTS_DIRECTORY)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-3), ("bf16", 5e-2), ("fp16", 1e-2)])
def test_a_plan_answers_as_onnxruntime_does(precision, limit, tmp_path, rng):
    """Serve at once, hand over when the plan is there, and take the plan from the cache after."""
    options = BackendOptions(precision=precision, plan_directory=str(tmp_path))
    crop = rng.uniform(0, 1, (1, 6, 128, 128)).astype(np.float32)
    inputs = {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}
    reference = load_backend(
        "onnxruntime", ENCODER, WEIGHTS_DIRECTORY, BackendOptions(provider="cpu")
    ).run(inputs)
    backend = load_backend("tensorrt", ENCODER, WEIGHTS_DIRECTORY, options)
    assert backend.name == "onnxruntime"
    assert backend.wait(PATIENCE)
    for _ in range(2):
        answer = backend.run(inputs)
        assert backend.name == "tensorrt"
        for port, values in reference.items():
            error = np.abs(answer[port] - values).mean() / np.abs(values).mean()
            assert error < limit
        backend = load_backend("tensorrt", ENCODER, WEIGHTS_DIRECTORY, options)


@pytest.mark.gpu
def test_more_points_than_a_plan_takes_are_asked_in_turns(tmp_path, rng):
    options = BackendOptions(precision="fp32", plan_directory=str(tmp_path))
    crop = rng.uniform(0, 1, (1, 6, 128, 128)).astype(np.float32)
    inputs = {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}
    planes = load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY).run(inputs)
    points = rng.uniform(-1, 1, (1, 300_000, 3)).astype(np.float32)
    asked = {**inputs, **planes, "points": points}
    backend = load_backend("tensorrt", DECODER, WEIGHTS_DIRECTORY, options)
    assert backend.wait(PATIENCE)
    sdf = backend.run(asked, ["sdf"])["sdf"]
    assert sdf.shape == (1, 300_000)
    expected = load_backend("onnxruntime", DECODER, WEIGHTS_DIRECTORY).run(asked, ["sdf"])["sdf"]
    assert np.abs(sdf - expected).max() < 1e-2
