# SPDX-License-Identifier: Apache-2.0
"""Fixtures and markers of the whole suite: seeded randomness, devices, reasons to skip."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

# Before the first import of NumPy: threads make small work slower and sums depend on their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
import warp

hypothesis.settings.register_profile(
    "recon", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.load_profile("recon")
warp.config.quiet = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    reasons = {}
    if not warp.is_cuda_available():
        reasons["gpu"] = "needs a CUDA device and Warp finds none"
    if importlib.util.find_spec("rclpy") is None:
        reasons["ros"] = "needs rclpy, which is not installed (pip install '.[ros]')"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts anew, from the same seed, in every test."""
    return np.random.default_rng(20_260_101)


@pytest.fixture(params=["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """The name of each device a kernel has to run on, in the spelling of Warp and torch."""
    return request.param


@pytest.fixture
def node() -> Iterator[object]:
    """A node of rclpy in a context of its own."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("test", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of exported weights and graphs of a compact model that has learned nothing."""
    import torch

    from recon_node.engines.backends.export import export_compact
    from recon_node.engines.lrm.model import CompactLRM

    directory = tmp_path_factory.mktemp("random_weights")
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(20_260_101)
        model = CompactLRM().eval()
        for parameter in model.parameters():  # some start at zero, which would hide what follows
            parameter += 0.02 * torch.randn_like(parameter)
    export_compact(model, directory, notes={"step": "0"})
    return directory


@pytest.fixture(scope="session")
def blind_weights(random_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of weights (for torch) of a model that answers "outside" everywhere."""
    import safetensors.torch

    from recon_node.engines.lrm.networks import WEIGHTS_FILE

    directory = tmp_path_factory.mktemp("blind_weights")
    state = safetensors.torch.load_file(random_weights / WEIGHTS_FILE)
    state["decoder.layers.6.weight"][0] = 0.0
    state["decoder.layers.6.bias"][0] = 10.0
    safetensors.torch.save_file(state, directory / WEIGHTS_FILE)
    return directory


@pytest.fixture(scope="session")
def triposr_state() -> dict:
    """Tensors by official key of a very small network of the TripoSR family that sees a ball."""
    import torch

    from recon_node.engines.lrm.triposr.config import TripoSRConfig
    from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state

    sizes = TripoSRConfig(
        patch_size=64,
        native_grid=4,
        image_width=64,
        image_layers=1,
        image_heads=1,
        image_hidden=64,
        plane_grid=8,
        width=64,
        layers=2,
        heads=1,
        plane_channels=4,
        hidden_width=8,
        hidden_layers=2,
    )
    state = random_state(sizes, torch.Generator().manual_seed(20_260_101))
    add_surface(state, sizes)
    return state


@pytest.fixture(scope="session")
def triposr_file(triposr_state: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of that network, as torch saves it."""
    import torch

    path = tmp_path_factory.mktemp("triposr") / "tiny.ckpt"
    torch.save(triposr_state, path)
    return path


@pytest.fixture(scope="session")
def collection_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to train from: five objects (one held out), random textures and environments."""
    from recon_node.training.shapes.sampler import sample_shape

    directory, rng = tmp_path_factory.mktemp("collection"), np.random.default_rng(3)
    families = {  # "carton_13" has a name that is held out
        "mug_0": "mug_cup",
        "bottle_1": "bottle_jar",
        "carton_13": "box_case",
        "shoe_2": "shoe_clothing",
        "wire_3": "cable",
    }
    shapes = [sample_shape(rng, family=name.partition("_")[0]) for name in families]
    np.savez(
        directory / "objects_train.npz",
        vertices=np.concatenate([shape.vertices for shape in shapes]),
        triangles=np.concatenate([shape.faces for shape in shapes]),
        colors=np.concatenate([shape.colors for shape in shapes]),
        parts=np.concatenate([shape.parts for shape in shapes]),
        vert_offset=np.cumsum([0, *(len(shape.vertices) for shape in shapes)]),
        tri_offset=np.cumsum([0, *(len(shape.faces) for shape in shapes)]),
        name=list(families),
        category=list(families.values()),
        color_kind=np.array([0, 1, 1, 2, 0], np.uint8),
    )
    filled = np.array([0.2, 0.2, 0.3, 0.2, 0.004])
    volumes = rng.uniform(size=(len(shapes), 16**3)) < filled[:, None]
    np.savez(directory / "objects_train_occ64.npz", occ=np.packbits(volumes, axis=1))
    textures = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    np.savez(directory / "textures.npz", rgb=textures.repeat(32, axis=1).repeat(32, axis=2))
    rgbe = rng.integers(60, 256, (2, 32, 64, 4), np.uint8)
    rgbe[..., 3] = rng.integers(127, 130, (2, 32, 64))
    np.savez(directory / "envmaps_cc0.npz", rgbe=rgbe)
    return directory
