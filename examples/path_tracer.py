# SPDX-License-Identifier: Apache-2.0
"""A small path tracer for the table scene: one window, the room's own light, three bounces.

Kajiya 1986, with the window sampled at every matt surface and therefore left out of matt bounces.
"""

import numpy as np
from table_paint import Coat
from table_scene import TableScene

from recon_node.kernels.ray_cast import SurfaceHits

WINDOW_CENTRE = np.array([-1.25, -0.35, 1.55])  # [m]
_WINDOW_SIDE = 0.62  # of the square [m]
_WINDOW_RADIANCE = np.array([27.0, 24.5, 21.0], np.float32)
_BOUNCES = 3
_MIRRORING = 0.04  # of a dielectric seen head-on
_LIFT = 2e-4  # start of secondary rays above the surface [m]

_INWARD = -WINDOW_CENTRE / np.linalg.norm(WINDOW_CENTRE)
_WINDOW_X = np.cross(_INWARD, [0.0, 0.0, 1.0]) / np.linalg.norm(_INWARD[:2])
_WINDOW_Y = np.cross(_INWARD, _WINDOW_X)


def radiance(
    scene: TableScene,
    origins: np.ndarray,
    directions: np.ndarray,
    rng: np.random.Generator,
    *,
    sees_window: bool = True,
) -> np.ndarray:
    """One random estimate of the linear light along each ray, f32 (N, 3).

    Args:
        scene: What the rays meet.
        origins: f32 (N, 3) [m, world].
        directions: Unit, f32 (N, 3).
        rng: Of all the choices on the way.
        sees_window: Whether a ray that leads straight to the window brings its light.
    """
    light = np.zeros((len(origins), 3), np.float32)
    weight = np.ones((len(origins), 3), np.float32)
    ray = np.arange(len(origins))
    after_mirror = np.full(len(origins), sees_window)
    for bounce in range(_BOUNCES):
        hits = scene.caster.cast(origins, directions)
        out = hits.faces < 0
        light[ray[out]] += weight[out] * _surroundings(
            scene, origins[out], directions[out], with_window=after_mirror[out]
        )
        met = ~out
        hits = SurfaceHits(hits.distances[met], hits.faces[met], hits.barycentric[met])
        ray, weight, directions = ray[met], weight[met], directions[met]
        points = origins[met] + hits.distances[:, None] * directions
        normals, coat = scene.shading(points, hits)
        normals = np.where((normals * directions).sum(1, keepdims=True) > 0, -normals, normals)
        after_mirror = _chooses_mirror(directions, normals, coat, rng)
        origins = (points + _LIFT * normals).astype(np.float32)
        tint = np.where((coat.metal < 0.5)[:, None] & after_mirror[:, None], 1.0, coat.albedo)
        weight = (weight * tint).astype(np.float32)
        matt = ~after_mirror
        light[ray[matt]] += weight[matt] * _window_light(scene, origins[matt], normals[matt], rng)
        if bounce == _BOUNCES - 2:
            weight[matt] *= 0.8  # the last matt bounce only sees the surroundings
        directions = _next_directions(directions, normals, coat, after_mirror, rng)
    return light


def irradiance(
    scene: TableScene, points: np.ndarray, normals: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One random estimate of irradiance over pi, f32 (N, 3): times albedo it is a matt radiance.

    Args:
        scene: What throws shadows and light.
        points: f32 (N, 3) [m, world].
        normals: Unit, f32 (N, 3).
        rng: Of all the choices on the way.
    """
    origins = (points + _LIFT * normals).astype(np.float32)
    ball = rng.standard_normal(normals.shape, np.float32)
    spread = normals * 1.0001 + ball / np.linalg.norm(ball, axis=1, keepdims=True)
    directions = (spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float32)
    indirect = radiance(scene, origins, directions, rng, sees_window=False)
    return indirect + _window_light(scene, origins, normals, rng)


def _surroundings(
    scene: TableScene, origins: np.ndarray, directions: np.ndarray, *, with_window: np.ndarray
) -> np.ndarray:
    """Light from floor, wall, ceiling and window along rays that miss the mesh, (N, 3)."""
    distance, albedo = scene.room(origins, directions)
    up = directions[:, 2:]
    ceiling = np.float32([0.42, 0.43, 0.45]) * (0.65 + 0.35 * up)
    points = origins + np.where(np.isfinite(distance), distance, 0)[:, None] * directions
    nearness = 1 / (1 + 0.12 * ((points - WINDOW_CENTRE) ** 2).sum(1, keepdims=True))
    room = np.where(np.isfinite(distance)[:, None], albedo * (0.25 + 1.1 * nearness), ceiling)
    facing = directions @ -_INWARD
    with np.errstate(divide="ignore", invalid="ignore"):
        t = ((WINDOW_CENTRE - origins) @ -_INWARD) / facing
    offset = origins + t[:, None] * directions - WINDOW_CENTRE
    inside = (np.abs(offset @ _WINDOW_X) < 0.5 * _WINDOW_SIDE) & (
        np.abs(offset @ _WINDOW_Y) < 0.5 * _WINDOW_SIDE
    )
    shines = inside & (facing > 0) & with_window
    return np.where(shines[:, None], _WINDOW_RADIANCE, room).astype(np.float32)


def _chooses_mirror(
    directions: np.ndarray, normals: np.ndarray, coat: Coat, rng: np.random.Generator
) -> np.ndarray:
    """Whether each ray goes on as a reflection: by the chance that Schlick 1994, eq. 15 gives."""
    cosine = np.clip(-(directions * normals).sum(1), 0, 1)
    chance = _MIRRORING + (1 - _MIRRORING) * (1 - cosine) ** 5
    chance = chance * np.clip(1.25 - 1.25 * coat.roughness, 0, 1)
    return rng.random(len(chance), np.float32) < np.where(coat.metal > 0.5, 1.0, chance)


def _window_light(
    scene: TableScene, points: np.ndarray, normals: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Irradiance over pi from one random point of the window, f32 (N, 3)."""
    spot = (rng.random((len(points), 2), np.float32) - 0.5) * _WINDOW_SIDE
    to_window = WINDOW_CENTRE + spot[:, :1] * _WINDOW_X + spot[:, 1:] * _WINDOW_Y - points
    squared = (to_window**2).sum(1)
    direction = (to_window / np.sqrt(squared)[:, None]).astype(np.float32)
    cosines = np.clip((direction * normals).sum(1), 0, 1) * np.clip(direction @ -_INWARD, 0, 1)
    lit = np.flatnonzero(cosines > 0)
    blocked = scene.caster.cast(points[lit], direction[lit]).faces >= 0
    strength = np.zeros(len(points), np.float32)
    strength[lit] = np.where(blocked, 0, (cosines * _WINDOW_SIDE**2 / (np.pi * squared))[lit])
    return strength[:, None] * _WINDOW_RADIANCE


def _next_directions(
    directions: np.ndarray,
    normals: np.ndarray,
    coat: Coat,
    is_mirror: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Unit directions after the bounce: mirrored and spread, or over the hemisphere by cosine."""
    ball = rng.standard_normal(directions.shape, np.float32)
    unit = ball / np.maximum(np.linalg.norm(ball, axis=1, keepdims=True), 1e-6)
    mirrored = directions - 2 * (directions * normals).sum(1, keepdims=True) * normals
    mirrored = mirrored + (coat.roughness**2)[:, None] * ball
    below = (mirrored * normals).sum(1, keepdims=True)
    mirrored = mirrored - np.minimum(2 * below, 0) * normals
    chosen = np.where(is_mirror[:, None], mirrored, normals * 1.0001 + unit)
    return (chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).astype(np.float32)
