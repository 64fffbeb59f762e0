# SPDX-License-Identifier: Apache-2.0
"""A ball to look at: the one object of which everything is known in closed form."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from recon_node.training.appearance import Appearance
from recon_node.training.collection import TrainingObject
from recon_node.training.scene import Scene, sample_pose


@pytest.fixture(scope="session")
def appearance(collection_folder: Path) -> Appearance:
    """Random textures and environments."""
    return Appearance(collection_folder)


@pytest.fixture(scope="session")
def ball() -> TrainingObject:
    """A white ball of radius 0.5 around the origin; its facets lie up to 0.0004 inside."""
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=0.5)
    count = len(sphere.vertices)
    return TrainingObject(
        vertices=sphere.vertices.astype(np.float32),
        faces=sphere.faces.astype(np.int32),
        colors=np.full((count, 3), 255, np.uint8),
        parts=np.zeros(count, np.uint8),
        textured=False,
    )


@pytest.fixture(scope="session")
def ball_scene(ball: TrainingObject, appearance: Appearance) -> Callable[[int], Scene]:
    """Makes a scene of the ball, with pose, light and paint from a seed."""

    def make(seed: int) -> Scene:
        rng = np.random.default_rng(seed)
        return Scene(ball, sample_pose(ball.vertices, rng), appearance, rng)

    return make
