# SPDX-License-Identifier: Apache-2.0
"""Views of a ball, and a process that refines it in steps of nothing."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
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
