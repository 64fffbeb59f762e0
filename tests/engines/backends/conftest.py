# SPDX-License-Identifier: Apache-2.0
"""A network of the TripoSR family that fits into a test, and views of a ball."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import save_file

from recon_node.engines.backends.export_triposr import export_triposr
from recon_node.engines.camera import Camera, View
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.random_weights import random_state
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster

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


@pytest.fixture(scope="session")
def ball_views() -> list[View]:
    """A red ball in lamplight, once with depth and once without."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
    T_world_camera = look_at(eye=(0.45, 0.25, 0.35), target=(0, 0, 0), up=(0, 0, 1))
    camera = Camera(K, 320, 240, T_world_camera)
    directions = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(320 * 240))
    directions = directions @ T_world_camera[:3, :3].T
    origins = np.broadcast_to(T_world_camera[:3, 3], directions.shape)
    hits = RayCaster(sphere.vertices, sphere.faces).cast(origins, directions)
    mask = hits.faces >= 0
    lamp = T_world_camera[:3, :3] @ np.array([-0.4, -0.7, -0.6])
    light = 0.6 + 0.4 * np.maximum(sphere.face_normals[hits.faces] @ lamp, 0)
    image = np.where(mask[:, None], light[:, None] * (215, 60, 40), 95).astype(np.uint8)
    depth = np.where(mask, hits.distances, np.nan).astype(np.float32).reshape(240, 320)
    view = View(image.reshape(240, 320, 3), mask.reshape(240, 320), camera, depth)
    return [view, dataclasses.replace(view, depth=None)]
