# SPDX-License-Identifier: Apache-2.0
"""Real plans, built by TensorRT for RTX in a process of its own, with no GPU."""

import time

import numpy as np
import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.handover import HandoverBackend
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.backends.plan_cache import PlanCache
from recon_node.engines.backends.plans import plan_key, start_build
from recon_node.engines.errors import BackendUnavailableError, WeightsError
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY

PATIENCE = 300.0  # [s]; each takes a few where the machine is idle
NETWORKS = pytest.mark.parametrize("network", [ENCODER, DECODER], ids=lambda network: network.name)


def key_of(network, graphs, capability="8.9", precision="auto"):
    options = BackendOptions(precision=precision)
    return plan_key(network, graphs, options, compute_capability=capability)


@pytest.fixture
def build(tmp_path):
    """Starts builds into a folder of plans; ends them with the test."""
    cache, builds = PlanCache(tmp_path / "plans"), []

    def start(network, graphs, key):
        builds.append(start_build(network, graphs, cache, key, for_this_machine=False))
        return builds[-1], cache

    yield start
    for started in builds:
        started.close()


@NETWORKS
@pytest.mark.parametrize("capability", ["8.6", "8.9", "12.0"])
def test_the_shipped_networks_become_plans(network, capability, build):
    key = key_of(network, WEIGHTS_DIRECTORY, capability)
    started, cache = build(network, WEIGHTS_DIRECTORY, key)
    assert started.wait(PATIENCE)
    assert (started.fault, started.progress) == ("", 1.0)
    plan = cache.load(key)
    assert (key.precision, key.compute_capability) == ("fp16", capability)
    assert len(plan) > 500_000
    assert {path.name for path in cache.directory.iterdir()} == {key.file_name, "build.lock"}


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_network_of_the_family_becomes_a_plan_in_every_precision(
    precision, tiny_triposr, build
):
    from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER

    sizes = {}
    for network in (ENCODER, DECODER):
        key = key_of(network, tiny_triposr, precision=precision)
        started, cache = build(network, tiny_triposr, key)
        assert started.wait(PATIENCE) and not started.fault
        sizes[network.name] = len(cache.load(key))
    weights = (tiny_triposr / ENCODER.weights_file).stat().st_size
    assert sizes["encoder"] > (0.8 if precision == "fp32" else 0.4) * weights


def test_a_corrupt_plan_is_built_again(build):
    key = key_of(DECODER, WEIGHTS_DIRECTORY)
    cache = build(DECODER, WEIGHTS_DIRECTORY, key)[1]
    path = cache.path(key)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"recon plan 1\n and then something else altogether")
    started, _ = build(DECODER, WEIGHTS_DIRECTORY, key)
    assert started.wait(PATIENCE) and not started.fault
    assert cache.load(key) is not None


def test_another_backend_serves_until_the_plan_is_there(build, rng):
    """The one that follows would need a GPU; any other one shows that it takes over."""
    key = key_of(ENCODER, WEIGHTS_DIRECTORY)
    started, cache = build(ENCODER, WEIGHTS_DIRECTORY, key)
    present = load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY)
    backend = HandoverBackend(
        present,
        started,
        lambda: load_backend("torch", ENCODER, WEIGHTS_DIRECTORY),
        wanted="tensorrt",
    )
    crop = rng.uniform(0, 1, (1, 6, 128, 128)).astype(np.float32)
    inputs = {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}
    first = backend.run(inputs)
    assert backend.name == "onnxruntime"
    assert "until tensorrt is ready" in backend.status
    assert started.wait(PATIENCE) and cache.load(key) is not None
    second = backend.run(inputs)
    assert (backend.name, backend.status) == ("torch", "torch (cpu, fp32)")
    for port, values in first.items():
        np.testing.assert_allclose(second[port], values, atol=1e-4)


def test_the_one_that_serves_stays_where_the_build_fails(build, tmp_path, caplog):
    key = key_of(ENCODER, WEIGHTS_DIRECTORY)
    (tmp_path / "empty").mkdir()
    started, _ = build(ENCODER, tmp_path / "empty", key)
    backend = HandoverBackend(
        load_backend("onnxruntime", ENCODER, WEIGHTS_DIRECTORY),
        started,
        lambda: pytest.fail("there is nothing to take over"),
        wanted="tensorrt",
    )
    assert started.wait(PATIENCE)
    crop = np.zeros((1, 6, 128, 128), np.float32)
    for _ in range(2):
        backend.run({"crop": crop, "tan_half_fov": np.array([0.25], np.float32)})
    assert backend.name == "onnxruntime"
    assert backend.status.startswith("onnxruntime (cpu, fp32) instead of tensorrt: the process")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_build_can_be_ended(build):
    key = key_of(ENCODER, WEIGHTS_DIRECTORY)
    started, cache = build(ENCODER, WEIGHTS_DIRECTORY, key)
    begun = time.monotonic()
    started.close()
    assert started.is_over and started.fault
    assert time.monotonic() - begun < PATIENCE
    assert cache.load(key) is None
    assert not [path for path in cache.directory.iterdir() if path.suffix == ".part"]


def test_a_gpu_that_tensorrt_builds_nothing_for_is_named():
    with pytest.raises(BackendUnavailableError, match=r"no plans for compute capability 9\.9"):
        key_of(ENCODER, WEIGHTS_DIRECTORY, "9.9")


def test_graphs_of_other_weights_are_refused(random_weights, tmp_path):
    for path in random_weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "encoder.onnx").write_bytes((WEIGHTS_DIRECTORY / "encoder.onnx").read_bytes())
    with pytest.raises(WeightsError, match="exported for other weights.*recon export"):
        key_of(ENCODER, tmp_path)
