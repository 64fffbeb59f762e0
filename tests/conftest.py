# SPDX-License-Identifier: Apache-2.0
"""Fixtures and markers of the whole suite: seeded randomness, devices, reasons to skip."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Before the first import of NumPy: threads make small work slower and sums depend on their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest
import trimesh
import warp

from recon_node.engines.camera import Camera, View
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster

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
def posed_views() -> Callable[..., list[View]]:
    """Makes views of one object from cameras on an arc around it, `T_world_camera` exact.

    The object is a block of 8 x 6 x 10 cm with a knob, its middle at (0.2, -0.1, 0.3) m.
    """
    block = trimesh.creation.box((0.08, 0.06, 0.10))
    knob = trimesh.creation.icosphere(radius=0.022).apply_translation((0.03, 0.03, 0.05))
    solid = trimesh.util.concatenate([block, knob]).apply_translation((0.2, -0.1, 0.3))
    caster = RayCaster(solid.vertices, solid.faces, signed=False)
    normals = solid.face_normals.astype(np.float32)

    def view(angle: float, distance: float, side: int) -> View:
        middle = np.array([0.2, -0.1, 0.3])
        away = np.array([np.cos(angle) * 0.87, np.sin(angle) * 0.87, 0.5])
        T = look_at(middle + distance * away, middle + (0.01, 0, 0.01), (0, 0, 1))
        K = np.array([[1.4 * side, 0, 0.5 * side], [0, 1.4 * side, 0.46 * side], [0, 0, 1]])
        camera = Camera(K, side, side, T)
        rays = camera.rays(camera.pixel_grid().reshape(-1, 2))
        origins = np.broadcast_to(T[:3, 3], rays.shape)
        hits = caster.cast(origins, rays @ T[:3, :3].T)
        mask = (hits.faces >= 0).reshape(side, side)
        depth = np.where(hits.faces >= 0, hits.distances * rays[:, 2], np.nan)
        image = np.full((side * side, 3), 30, np.uint8)
        image[hits.faces >= 0] = 127 + 100 * normals[hits.faces[hits.faces >= 0]]
        depth = depth.reshape(side, side).astype(np.float32)
        return View(image.reshape(side, side, 3), mask, camera, depth)

    def views(
        count: int, *, arc: float = 120.0, distance: float = 0.5, side: int = 96
    ) -> list[View]:
        """The views, the first from the middle of +x; arc in degrees, side in pixels."""
        angles = np.radians(np.linspace(0.0, arc, count))
        return [view(angle, distance, side) for angle in angles]

    return views


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
        longest_m=np.array([0.12, np.nan, 0.3, np.nan, 1.0], np.float32),
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
