# SPDX-License-Identifier: Apache-2.0
"""A sphere and a box of which everything is known, and a camera that looks at them."""

from dataclasses import dataclass

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import Camera, View
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0  # [px]


@dataclass(frozen=True, eq=False)
class Solid:
    """A solid of one colour, somewhere in the world.

    Attributes:
        mesh: In the world [m].
        color: sRGB.
    """

    mesh: trimesh.Trimesh
    color: tuple[int, int, int]

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether points of the world (N, 3) [m] lie inside, bool (N,)."""
        return RayCaster(self.mesh.vertices, self.mesh.faces).signed_distance(points) < 0

    def view(self, T_world_camera: np.ndarray, *, with_depth: bool = True) -> View:
        """The solid in lamplight before a grey wall."""
        K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
        camera = Camera(K, WIDTH, HEIGHT, T_world_camera)
        pixels = camera.pixel_grid().reshape(-1, 2)
        directions = camera.unproject(pixels, np.ones(len(pixels))) @ T_world_camera[:3, :3].T
        origins = np.broadcast_to(T_world_camera[:3, 3], directions.shape)
        hits = RayCaster(self.mesh.vertices, self.mesh.faces).cast(origins, directions)
        mask = hits.faces >= 0
        lamp = T_world_camera[:3, :3] @ np.array([-0.4, -0.7, -0.6])
        light = 0.6 + 0.4 * np.maximum(self.mesh.face_normals[hits.faces] @ lamp, 0)
        image = np.where(mask[:, None], light[:, None] * self.color, 95).astype(np.uint8)
        depth = np.where(mask, hits.distances, np.nan).astype(np.float32)
        return View(
            image.reshape(HEIGHT, WIDTH, 3),
            mask.reshape(HEIGHT, WIDTH),
            camera,
            depth.reshape(HEIGHT, WIDTH) if with_depth else None,
        )


@pytest.fixture(scope="session")
def T_world_camera() -> np.ndarray:
    """A camera half a metre away that looks down on the origin."""
    return look_at(eye=(0.45, 0.25, 0.35), target=(0, 0, 0), up=(0, 0, 1))


@pytest.fixture(scope="session", params=["sphere", "box"])
def solid(request: pytest.FixtureRequest) -> Solid:
    """A red sphere and a blue box, each about 10 cm, beside the origin."""
    if request.param == "sphere":
        mesh, color = trimesh.creation.icosphere(subdivisions=4, radius=0.05), (215, 60, 40)
    else:
        mesh, color = trimesh.creation.box(extents=(0.12, 0.08, 0.1)), (50, 110, 210)
    mesh.apply_translation((0.03, -0.04, 0.02))
    return Solid(mesh, color)
