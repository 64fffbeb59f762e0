# SPDX-License-Identifier: Apache-2.0
"""Boxes, and an evaluation set of one box, made as its format says."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, look_at
from recon_node.kernels.ray_cast import RayCaster

BOX_SIDES = np.array([0.10, 0.06, 0.04])  # [m]
IMAGE_SIZE = 96  # [px]
DEPTH_UNIT = 1e-5  # [m]


def _box(sides: object, centre: object = (0.0, 0.0, 0.0)) -> Mesh:
    box = trimesh.creation.box(extents=sides)
    return Mesh(
        vertices=np.asarray(box.vertices + np.asarray(centre), np.float32),
        faces=np.asarray(box.faces, np.int32),
    )


@pytest.fixture
def make_box() -> Callable[..., Mesh]:
    """Makes a closed box mesh from its sides [m] and its centre [m]."""
    return _box


@pytest.fixture(scope="session")
def evaluation_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the evaluation format with one object, `crate`, a box seen in two views."""
    folder = tmp_path_factory.mktemp("evaluation") / "crate"
    folder.mkdir()
    mesh, rng = _box(BOX_SIDES), np.random.default_rng(5)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(folder / "mesh.ply")
    volume = rng.uniform(-0.5, 0.5, (6000, 3)) * (BOX_SIDES + 0.01)
    axes = np.repeat(np.arange(3), 2000)
    normals = np.zeros((6000, 3))
    normals[np.arange(6000), axes] = rng.choice([-1.0, 1.0], 6000)
    surface = rng.uniform(-0.5, 0.5, (6000, 3))
    surface[normals != 0] = 0.5 * normals[normals != 0]
    areas = np.prod(BOX_SIDES) / BOX_SIDES[axes]
    drawn = rng.choice(6000, 4000, p=areas / areas.sum())
    np.savez(
        folder / "gt.npz",
        surf_points=(surface * BOX_SIDES)[drawn].astype(np.float32),
        surf_normals=normals[drawn].astype(np.float32),
        vol_points=volume.astype(np.float32),
        vol_occ=np.all(np.abs(volume) < BOX_SIDES / 2, axis=1).astype(np.uint8),
    )
    views = []
    for index, eye in enumerate([(0.25, 0.1, 0.2), (-0.1, 0.28, 0.15)]):
        T_camera_object = invert(look_at(eye=eye, target=(0, 0, 0), up=(0, 0, 1)))
        _draw_view(folder, index, mesh, T_camera_object)
        views.append({"T_cam_obj": T_camera_object.tolist()})
    cameras = {
        "width": IMAGE_SIZE,
        "height": IMAGE_SIZE,
        "K": [[140.0, 0, IMAGE_SIZE / 2], [0, 140.0, IMAGE_SIZE / 2], [0, 0, 1]],
        "depth_unit_m": DEPTH_UNIT,
        "views": views,
    }
    (folder / "cameras.json").write_text(json.dumps(cameras))
    (folder / "meta.json").write_text(json.dumps({"name": "crate", "longest_m": 0.10}))
    return folder.parent


def _draw_view(folder: Path, index: int, mesh: Mesh, T_camera_object: np.ndarray) -> None:
    x, y = np.meshgrid(np.arange(IMAGE_SIZE) + 0.5, np.arange(IMAGE_SIZE) + 0.5)
    rays = np.stack([x - IMAGE_SIZE / 2, y - IMAGE_SIZE / 2, np.full_like(x, 140.0)], -1) / 140.0
    T_object_camera = invert(T_camera_object)
    origins = np.broadcast_to(T_object_camera[:3, 3], (x.size, 3))
    directions = rays.reshape(-1, 3) @ T_object_camera[:3, :3].T
    z = RayCaster(mesh.vertices, mesh.faces).cast(origins, directions).distances.reshape(x.shape)
    mask = np.isfinite(z)
    depth = np.where(mask, z / DEPTH_UNIT, 0).astype(np.uint16)
    Image.fromarray((255 * mask).astype(np.uint8)).save(folder / f"mask_{index:03d}.png")
    Image.fromarray(depth).save(folder / f"depth_{index:03d}.png")
    for name, background in (("rgb", 230), ("bg", 60)):
        picture = np.where(mask[..., None], (180, 90, 30), background).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{name}_{index:03d}.png")
