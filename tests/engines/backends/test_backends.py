# SPDX-License-Identifier: Apache-2.0
"""The backends of any machine run the exported networks alike, and refuse what they cannot."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.errors import UnknownNameError, WeightsError
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import checked_weights

SIDE = 128
ANYWHERE = ("onnxruntime", "torch")  # tensorrt needs a GPU


@pytest.fixture
def weights(random_weights: Path, tmp_path: Path) -> Path:
    """A folder of weights and graphs that may be broken."""
    return Path(shutil.copytree(random_weights, tmp_path / "weights"))


@pytest.fixture
def inputs(rng) -> dict[str, np.ndarray]:
    """Of the encoder: noise, with depth in half of the pixels."""
    crop = rng.uniform(0, 1, (1, 6, SIDE, SIDE)).astype(np.float32)
    crop[:, 5] = crop[:, 5] > 0.5
    crop[:, 4] *= crop[:, 5]
    return {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}


def points(rng, count: int) -> np.ndarray:
    drawn = rng.uniform(-1, 1, (1, count, 3)).astype(np.float32)
    drawn[0, : count // 8] = np.sign(drawn[0, : count // 8])  # corners, which project outside
    return drawn


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


def test_both_backends_see_the_same_planes(random_weights, inputs):
    here, there = (load_backend(name, ENCODER, random_weights).run(inputs) for name in ANYWHERE)
    assert list(here) == list(there) == ["front", "sides"]
    for port in here:
        assert here[port].dtype == np.float32
        assert relative_error(here[port], there[port]) < 1e-5


def test_both_backends_answer_alike_for_any_number_of_points(random_weights, inputs, rng):
    planes = load_backend("torch", ENCODER, random_weights).run(inputs)
    here, there = (load_backend(name, DECODER, random_weights) for name in ANYWHERE)
    for count in (1, 2, 64, 5000):
        asked = {**inputs, **planes, "points": points(rng, count)}
        ours, theirs = here.run(asked), there.run(asked)
        assert list(ours) == list(theirs) == ["sdf", "colours"]
        assert ours["sdf"].shape == theirs["sdf"].shape == (1, count)
        assert ours["colours"].shape == theirs["colours"].shape == (1, count, 3)
        for port in ours:
            assert relative_error(ours[port], theirs[port]) < 1e-5


def test_torch_answers_several_callers_with_one_thread_each(random_weights, inputs, rng):
    planes = load_backend("torch", ENCODER, random_weights).run(inputs)
    usual = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        backend = load_backend("torch", DECODER, random_weights)
        assert backend.concurrency == 3
        seen = []
        watch = backend._module.register_forward_hook(
            lambda *_: seen.append(torch.get_num_threads())
        )
        asked = {**inputs, **planes, "points": points(rng, 9000)}
        with ThreadPoolExecutor(3) as callers:
            pieces = [{**asked, "points": piece} for piece in np.split(asked["points"], 9, axis=1)]
            answers = list(callers.map(lambda piece: backend.run(piece)["sdf"], pieces))
        assert seen == [1] * 9
        assert torch.get_num_threads() == 3
        watch.remove()
        assert relative_error(np.concatenate(answers, axis=1), backend.run(asked)["sdf"]) < 1e-5
    finally:
        torch.set_num_threads(usual)


def test_a_backend_runs_what_is_in_the_file_rounded_to_half(random_weights, inputs):
    """Compare with the model itself, made anew, so that both backends cannot err together."""
    from recon_node.engines.lrm.model import CompactLRM

    model = CompactLRM().eval()
    state = safetensors.torch.load_file(random_weights / WEIGHTS_FILE)
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    with torch.inference_mode():
        front, sides = model.encoder(*(torch.from_numpy(array) for array in inputs.values()))
    for name in ANYWHERE:
        planes = load_backend(name, ENCODER, random_weights).run(inputs)
        assert relative_error(planes["front"], front.numpy()) < 1e-5
        assert relative_error(planes["sides"], sides.numpy()) < 1e-5


def test_an_unknown_backend_names_the_known(random_weights):
    with pytest.raises(UnknownNameError, match="'onnxruntme'; known: onnxruntime, tensorrt, "):
        load_backend("onnxruntme", ENCODER, random_weights)


@pytest.mark.parametrize("name", ANYWHERE)
def test_missing_weights_are_named(name, tmp_path):
    with pytest.raises(WeightsError, match=f"{WEIGHTS_FILE} is missing.*--engine hull"):
        load_backend(name, ENCODER, tmp_path)


@pytest.mark.parametrize("name", ANYWHERE)
def test_flipped_bits_in_the_header_are_seen(name, weights, rng):
    path = weights / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    for position in [*range(8), *rng.integers(8, 8 + length, 12)]:
        bit = 1 << int(rng.integers(8))
        content[position] ^= bit
        path.write_bytes(content)
        with pytest.raises(WeightsError):
            load_backend(name, DECODER, weights)
        content[position] ^= bit


def test_torch_refuses_the_weights_of_another_model(weights):
    path = weights / WEIGHTS_FILE
    state = safetensors.torch.load_file(path)
    state["decoder.layers.0.bias"] = torch.zeros(81, dtype=torch.float16)
    del state["encoder.stem.bias"]
    safetensors.torch.save_file(state | {"extra": torch.zeros(1)}, path)
    with pytest.raises(
        WeightsError,
        match=r"another shape are decoder.layers.0.bias, encoder.stem.bias, extra; .*recon export",
    ):
        load_backend("torch", DECODER, weights)


def test_torch_refuses_a_header_that_only_safetensors_understands(weights):
    path = weights / WEIGHTS_FILE
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["encoder.stem.bias"]["dtype"] = "F61"
    broken = json.dumps(header).encode()
    path.write_bytes(len(broken).to_bytes(8, "little") + broken + content[8 + length :])
    with pytest.raises(WeightsError, match="is corrupt .*; fetch it again"):
        load_backend("torch", DECODER, weights)


def test_onnxruntime_names_a_missing_graph(weights):
    (weights / "decoder.onnx").unlink()
    load_backend("onnxruntime", ENCODER, weights)
    with pytest.raises(WeightsError, match="decoder.onnx is missing.*`recon export`.*torch"):
        load_backend("onnxruntime", DECODER, weights)


@pytest.mark.parametrize("length", [0, 20_000])
def test_onnxruntime_refuses_a_truncated_graph(length, weights):
    path = weights / "decoder.onnx"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="decoder.onnx .* is corrupt; export both together"):
        load_backend("onnxruntime", DECODER, weights)


def test_onnxruntime_refuses_a_signed_file_that_is_no_graph(weights, capfd):
    path = weights / "decoder.onnx"
    path.write_bytes(b"no graph, but for " + checked_weights(weights / WEIGHTS_FILE).encode())
    with pytest.raises(WeightsError, match="cannot load .*decoder.onnx .*`recon export`"):
        load_backend("onnxruntime", DECODER, weights)
    # ONNX Runtime would write a line of its own, past every handler.
    assert capfd.readouterr().err == ""


def test_onnxruntime_refuses_the_graph_of_other_weights(weights):
    path = weights / WEIGHTS_FILE
    state = safetensors.torch.load_file(path)
    state["encoder.stem.bias"] += 1
    safetensors.torch.save_file(state, path)
    load_backend("torch", ENCODER, weights)
    with pytest.raises(WeightsError, match="exported for other weights.*export both together"):
        load_backend("onnxruntime", ENCODER, weights)


def test_onnxruntime_refuses_the_graph_of_the_other_network(weights):
    shutil.copy(weights / "encoder.onnx", weights / "decoder.onnx")
    with pytest.raises(WeightsError, match="is not the decoder: it has the ports crop, front"):
        load_backend("onnxruntime", DECODER, weights)


# A finder in front of all others refuses the packages, as if they were not installed.
LOAD_WITHOUT = """
import sys

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnxruntime"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker)
from pathlib import Path
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.errors import MissingPackageError
from recon_node.engines.lrm.networks import ENCODER

for name in ("torch", "onnxruntime"):
    try:
        load_backend(name, ENCODER, Path(sys.argv[1]))
    except MissingPackageError as error:
        print(error)
"""


def test_a_missing_package_names_its_extra(random_weights):
    command = [sys.executable, "-c", LOAD_WITHOUT, str(random_weights)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    without_torch, without_onnxruntime = run.stdout.splitlines()
    assert "'torch' could not be imported" in without_torch
    assert "pip install '.[torch]'" in without_torch
    assert "'onnxruntime' could not be imported" in without_onnxruntime
    assert "pip install '.[gpu]'" in without_onnxruntime


def test_onnxruntime_stays_on_the_cores_of_its_process(random_weights):
    """By default it starts a thread on each core of the machine, whatever taskset said."""
    script = f"""
import os
core = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, [core])
from pathlib import Path
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.lrm.networks import DECODER
backend = load_backend("onnxruntime", DECODER, Path({str(random_weights)!r}))
threads = [int(name) for name in os.listdir("/proc/self/task")]
print(all(os.sched_getaffinity(thread) == {{core}} for thread in threads))
"""
    command = [sys.executable, "-I", "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
