# SPDX-License-Identifier: Apache-2.0
"""Objects on a floor, seen by a depth camera: what the tests of keyframes look at."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster

K = np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
WIDTH, HEIGHT = 320, 240
TARGET = (0.0, 0.0, 0.04)
DISTANCE = 0.7


class Scene:
    """A mesh [m, world, z up] over the floor z = 0, rendered without light.

    Colours are a texture of the surface's points, fine enough that blur can be seen.
    """

    def __init__(self, solid):
        self.mesh = Mesh(np.asarray(solid.vertices, np.float32), np.asarray(solid.faces, np.int32))
        self._caster = RayCaster(self.mesh.vertices, self.mesh.faces, signed=False)

    def view(self, T_world_camera, *, noise=0.0, ragged=0, seed=0, moved=None):
        """The view of a camera; depth noise [m], ragged masks [px], the object moved (4, 4)."""
        camera = Camera(K, WIDTH, HEIGHT, T_world_camera)
        pixels = camera.pixel_grid().reshape(-1, 2)
        rays = camera.unproject(pixels, np.ones(len(pixels)))
        T = camera.T_world_camera
        directions, origin = rays @ T[:3, :3].T, T[:3, 3]
        to_object = np.eye(4) if moved is None else np.linalg.inv(moved)
        origins = np.broadcast_to(to_object[:3, :3] @ origin + to_object[:3, 3], rays.shape)
        hits = self._caster.cast(origins, directions @ to_object[:3, :3].T)
        floor = np.where(directions[:, 2] < -1e-6, -origin[2] / directions[:, 2], np.inf)
        mask = hits.distances < floor
        depth = np.where(mask, hits.distances, floor)
        points = (origin + depth[:, None] * directions) * 600
        waves = np.sin(points[:, :1] * (1.0, 1.7, 0.6)) * np.sin(points[:, 1:2] * 1.3)
        waves = waves * np.cos(points[:, 2:] * (1.1, 0.8, 1.4))
        image = (128 + 100 * np.where(np.isfinite(waves), waves, 0)).astype(np.uint8)
        rng = np.random.default_rng(seed)
        depth = np.where(depth < 3, depth + noise * rng.standard_normal(depth.shape), np.nan)
        shape = (HEIGHT, WIDTH)
        mask = _ragged(mask.reshape(shape), ragged, rng)
        image = image.reshape(*shape, 3)
        return View(image, mask, camera, depth.reshape(shape).astype(np.float32), seed)

    def keyframe(self, T_world_camera, **disturbed):
        """The keyframe of `view`."""
        return make_keyframe(self.view(T_world_camera, **disturbed))


def _ragged(mask, size, rng):
    """The mask with its outline moved to and fro by up to `size` pixels, in patches."""
    grown = np.repeat(np.repeat(rng.integers(-size, size + 1, (15, 20)), 16, 0), 16, 1)
    outer, result = mask.copy(), np.where(grown >= 0, mask, False)
    inner = mask.copy()
    for step in range(1, size + 1):
        padded = np.pad(outer, 1)
        outer = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        padded = np.pad(inner, 1, constant_values=True)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        result = np.where(grown == step, outer, np.where(grown == -step, inner, result))
    return result


def _bracket():
    """No symmetry: a bent plate, a peg and a ball."""
    parts = [
        trimesh.creation.box((0.09, 0.05, 0.02)),
        trimesh.creation.box((0.02, 0.05, 0.07)),
        trimesh.creation.cylinder(0.009, 0.05, sections=32),
        trimesh.creation.icosphere(3, 0.018),
    ]
    for part, place in zip(
        parts,
        ((0, 0, 0.01), (-0.035, 0, 0.035), (0.02, 0.012, 0.04), (0.03, -0.02, 0.03)),
        strict=True,
    ):
        part.apply_translation(place)
    return trimesh.util.concatenate(parts)


def _mug():
    body = trimesh.creation.cylinder(0.04, 0.09, sections=64)
    handle = trimesh.creation.torus(0.025, 0.006)
    handle.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    handle.apply_translation((0.045, 0, 0))
    mug = trimesh.util.concatenate([body, handle])
    mug.apply_translation((0, 0, 0.046))
    return mug


def _sphere():
    sphere = trimesh.creation.icosphere(5, 0.04)
    sphere.apply_translation((0, 0, 0.041))
    return sphere


def _box():
    box = trimesh.creation.box((0.09, 0.06, 0.05))
    box.apply_translation((0, 0, 0.026))
    return box


SHAPES = {"bracket": _bracket, "mug": _mug, "sphere": _sphere, "box": _box}


@pytest.fixture(scope="session")
def scene():
    """Function from the name of a shape to its scene, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = Scene(SHAPES[name]())
        return made[name]

    return get


@pytest.fixture(scope="session")
def arc():
    """Function from a count to the `T_world_camera` of cameras over an arc of 120 deg."""

    def cameras(count, span=120.0):
        places = []
        for azimuth in np.radians(np.linspace(-span / 2, span / 2, count)):
            elevation = np.radians(35 + 5 * np.cos(3 * azimuth))
            flat = np.cos(elevation)
            towards = np.array([np.sin(azimuth) * flat, -np.cos(azimuth) * flat, np.sin(elevation)])
            places.append(look_at(TARGET + DISTANCE * towards, TARGET, (0, 0, 1)))
        return places

    return cameras
