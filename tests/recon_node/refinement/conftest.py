# SPDX-License-Identifier: Apache-2.0
"""Views of a ball, and a process that refines it in steps of nothing."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import manifold3d
import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.engines.refine.config import RefineConfig
from recon_node.engines.transforms import invert, transform_points
from recon_node.refinement.orders import Order
from recon_node.refinement.refiner_process import RefinerProcess

STAND_IN = (sys.executable, "-P", str(Path(__file__).with_name("stand_in.py")))
SIZE = 64


def ball_view(*, x: float = 0.0, stamp_ns: int = 0) -> View:
    """A ball of 10 cm, half a metre away and `x` [m] to the right."""
    K = np.array([[80.0, 0, SIZE / 2], [0, 80.0, SIZE / 2], [0, 0, 1]])
    camera = Camera(K, SIZE, SIZE)
    directions = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(SIZE * SIZE))
    centre = np.array([x, 0.0, 0.5])
    squared, along = (directions**2).sum(1), directions @ centre
    inside = along**2 - squared * (centre @ centre - 0.1**2)
    mask = (inside > 0).reshape(SIZE, SIZE)
    depth = (along - np.sqrt(np.maximum(inside, 0))) / squared
    depth = np.where(mask, depth.reshape(SIZE, SIZE), 0.8).astype(np.float32)
    shade = np.where(mask, 255 * (1.2 - 2 * (depth - 0.4)), 40).clip(0, 255)
    image = np.repeat(shade[..., None], 3, axis=2).astype(np.uint8)
    return View(image, mask, camera, depth, stamp_ns)


LUMPS = ((0.0, 0.0, 0.0, 0.06), (0.07, 0.0, 0.0, 0.045), (0.0, -0.06, 0.03, 0.04))


@pytest.fixture
def lumps_view() -> Callable[..., View]:
    """Views of three balls in one that looks different from every side, at the world's origin.

    The camera is that of the recordings of `recon_node/conftest.py`.
    """

    def view(
        T_world_camera: np.ndarray,
        *,
        at: tuple[float, float, float] = (0.0, 0.0, 0.0),
        stamp_ns: int = 0,
    ) -> View:
        f = 554.256258 / 4
        camera = Camera(np.array([[f, 0, 80], [0, f, 60], [0, 0, 1]]), 160, 120, T_world_camera)
        rays = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(160 * 120))
        depth = np.full(len(rays), np.inf)
        for x, y, z, radius in LUMPS:
            centre = transform_points(invert(T_world_camera), np.array([[x, y, z]]) + at)[0]
            squared, along = (rays**2).sum(1), rays @ centre
            root = along**2 - squared * (centre @ centre - radius**2)
            hit = np.where(root > 0, (along - np.sqrt(root.clip(0))) / squared, np.inf)
            depth = np.minimum(depth, hit)
        mask = np.isfinite(depth)
        depth = np.where(mask, depth, 0.9)
        points = transform_points(T_world_camera, rays * depth[:, None]) - at
        stripes = 130 + 60 * np.sin(90 * points[:, 0]) + 40 * np.sin(70 * points[:, 1])
        image = np.where(mask, stripes, 40).clip(0, 255).astype(np.uint8).reshape(120, 160)
        return View(
            np.repeat(image[..., None], 3, axis=2),
            mask.reshape(120, 160),
            camera,
            depth.reshape(120, 160).astype(np.float32),
            stamp_ns,
        )

    return view


@pytest.fixture
def lumps_result() -> Callable[..., Reconstruction]:
    """The three balls themselves, as if an engine had guessed them right from a camera."""
    solid = manifold3d.Manifold()
    for x, y, z, radius in LUMPS:
        solid += manifold3d.Manifold.sphere(radius, 48).translate((x, y, z))
    made = solid.to_mesh()
    mesh = Mesh(made.vert_properties[:, :3].astype(np.float32), made.tri_verts.astype(np.int32))

    def result(T_world_camera: np.ndarray) -> Reconstruction:
        return Reconstruction(
            object_id="lumps",
            version=1,
            parent_version=None,
            stage=Stage.INSTANT,
            mesh=mesh,
            T_world_object=invert(T_world_camera),
            scale_source=ScaleSource.DEPTH,
            scale_sigma=0.01,
            engine="compact",
            view_count=1,
        )

    return result


@pytest.fixture
def keyframe() -> Keyframe:
    """A view of the ball."""
    return make_keyframe(ball_view())


@pytest.fixture
def start() -> Reconstruction:
    """The hull of the ball."""
    return HullEngine().reconstruct([ball_view()], object_id="ball")


@pytest.fixture
def make_order(keyframe, start, tmp_path) -> Callable[..., Order]:
    """Orders with a number, for an object whose name says what befalls the process."""

    def make(number: int = 1, *, object_id: str = "ball", steps: int = 20) -> Order:
        config = RefineConfig(budget=0, steps=steps)
        return Order(
            number,
            (keyframe,),
            replace(start, object_id=object_id),
            config,
            tmp_path / "checkpoints" / object_id,
        )

    return make


@pytest.fixture
def process() -> Iterator[RefinerProcess]:
    """The process, ended at the end."""
    process = RefinerProcess(STAND_IN)
    yield process
    process.close(timeout=60.0)
