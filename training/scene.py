# SPDX-License-Identifier: Apache-2.0
"""One object seen by a crop camera: a shaded picture, its mask and its depth."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.crop import FILL
from recon_node.kernels.ray_cast import RayCaster, SurfaceHits
from recon_node.training.appearance import (
    Appearance,
    sample_paint,
    srgb_to_linear,
)
from recon_node.training.collection import TrainingObject


@dataclass(frozen=True, eq=False)
class CropPose:
    """Where the crop camera stands.

    Attributes:
        R_crop_world: Rotation of world (z up) into the crop camera's axes, (3, 3).
        eye: The camera's position in the world, in object sizes, (3,).
        tan_half_fov: Tangent of half the field of view.
    """

    R_crop_world: np.ndarray
    eye: np.ndarray
    tan_half_fov: float


@dataclass(frozen=True, eq=False)
class Picture:
    """What the crop camera saw of an object.

    Attributes:
        image: Linear radiance, f32 (S, S, 3).
        mask: bool (S, S).
        depth: Along the camera's z, in object sizes, f32 (S, S); inf off the object.
        gain: Linear colour of a white surface under the picture's mean light, f32 (3,).
    """

    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    gain: np.ndarray


def sample_pose(vertices: np.ndarray, rng: np.random.Generator) -> CropPose:
    """A crop camera around the object as a robot's head or wrist camera would see it."""
    elevation = np.deg2rad(rng.uniform(-20.0, 80.0))
    azimuth = rng.uniform(0.0, 2.0 * np.pi)
    roll = np.deg2rad(rng.normal(0.0, 8.0) if rng.uniform() < 0.8 else rng.uniform(-90.0, 90.0))
    distance = np.exp(rng.uniform(np.log(1.5), np.log(10.0)))  # 0.3-2 m for 0.05-0.4 m objects
    flat = np.cos(elevation)
    direction = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
    forward = -direction
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    R_crop_world = np.stack([c * right + s * down, c * down - s * right, forward])
    eye = distance * direction
    return _framed(vertices, R_crop_world, eye, jitter=rng.normal(0.0, 0.015, 3))


def _framed(
    vertices: np.ndarray, R_camera_world: np.ndarray, eye: np.ndarray, jitter: np.ndarray
) -> CropPose:
    """The camera turned about its centre so that the object's box fills the crop as designed."""
    seen = (vertices - eye) @ R_camera_world.T
    R_crop_camera = np.eye(3)
    for _ in range(3):
        points = seen @ R_crop_camera.T
        uv = points[:, :2] / points[:, 2:]
        low, high = uv.min(0), uv.max(0)
        R_crop_camera = _turn_to(0.5 * (low + high)) @ R_crop_camera
    longer = (high - low).max()
    R_crop_camera = _turn_to(jitter[:2] * longer) @ R_crop_camera
    tan_half_fov = 0.5 * longer / FILL * np.exp(jitter[2])
    return CropPose(R_crop_camera @ R_camera_world, eye, float(tan_half_fov))


def _turn_to(uv: np.ndarray) -> np.ndarray:
    """Rotation that brings the ray (u, v, 1) onto the optical axis and keeps image-up up."""
    z = np.array([uv[0], uv[1], 1.0]) / np.sqrt(uv @ uv + 1.0)
    x = np.array([1.0, 0.0, 0.0]) - z[0] * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


class Scene:
    """An object, its paint and its light, ready to be pictured and queried.

    Lengths are object sizes; points are in the crop camera's frame.
    """

    def __init__(
        self, obj: TrainingObject, pose: CropPose, appearance: Appearance, rng: np.random.Generator
    ):
        self.pose = pose
        self.vertices = ((obj.vertices - pose.eye) @ pose.R_crop_world.T).astype(np.float32)
        self.faces = obj.faces
        self.caster = RayCaster(self.vertices, self.faces)
        self.paint = sample_paint(obj.colors, obj.textured, appearance, rng)
        self.light = appearance.light(rng)
        self._floor = float(obj.vertices[:, 2].min())
        self._appearance = appearance
        self._normals = _face_normals(self.vertices, self.faces)
        self._smooth = _vertex_normals(self.vertices, self.faces, self._normals)
        self._shiny = rng.uniform(0.0, 0.6) if rng.uniform() < 0.5 else 0.0
        self._polish = np.exp(rng.uniform(np.log(5.0), np.log(120.0)))
        self._flat = rng.uniform() < 0.3

    def picture(self, size: int, rng: np.random.Generator) -> Picture:
        """The object over a random background, size x size pixels."""
        q = self.pose.tan_half_fov
        axis = ((np.arange(size) + 0.5) * (2.0 / size) - 1.0) * q
        u, v = np.meshgrid(axis, axis)
        directions = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3).astype(np.float32)
        hits = self.caster.cast(np.zeros_like(directions), directions)
        on = np.flatnonzero(hits.faces >= 0)
        image = self._background(directions, rng)
        mean_light = np.ones(3, np.float32)
        if len(on):
            points = directions[on] * hits.distances[on, None]
            albedo, normals = self._surface(points, hits, on)
            light = self._irradiance(points, normals)
            view = -directions[on] / np.linalg.norm(directions[on], axis=1, keepdims=True)
            image[on] = albedo * light + self._highlight(normals, view)
            mean_light = light.mean(0)
        exposure = rng.uniform(0.35, 0.9) / max(float(mean_light.mean()), 1e-3)
        return Picture(
            image=(image * exposure).reshape(size, size, 3),
            mask=(hits.faces >= 0).reshape(size, size),
            depth=hits.distances.reshape(size, size),
            gain=mean_light * exposure,
        )

    def colours(self, points: np.ndarray, hits: SurfaceHits) -> np.ndarray:
        """Linear albedo of the surface points that `hits` found nearest to `points`."""
        return self._surface(points, hits, slice(None))[0]

    def _surface(self, points, hits: SurfaceHits, chosen) -> tuple[np.ndarray, np.ndarray]:
        """Linear albedo and unit normals facing the outside, each (N, 3), crop frame."""
        faces, barycentric = hits.faces[chosen], hits.barycentric[chosen]
        corners = self.faces[faces]
        normals = self._normals[faces]
        R = self.pose.R_crop_world
        world = points @ R + self.pose.eye
        albedo = self.paint.albedo(corners, barycentric, world, normals @ R)
        if not self._flat:
            smooth = np.einsum("nk,nkc->nc", barycentric, self._smooth[corners])
            length = np.linalg.norm(smooth, axis=1, keepdims=True)
            agrees = ((smooth * normals).sum(1, keepdims=True) > 0.6 * length) & (length > 0)
            normals = np.where(agrees, smooth / np.maximum(length, 1e-6), normals)
        towards = (normals * points).sum(1, keepdims=True) > 0  # a back face seen: turn it round
        return albedo, np.where(towards, -normals, normals)

    def _irradiance(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        light, R = self.light, self.pose.R_crop_world
        irradiance = light.irradiance_at(normals @ R)
        if not light.sun.any():
            return irradiance
        sun = (R @ light.sun_direction).astype(np.float32)
        cosine = normals @ sun
        lit = np.flatnonzero(cosine > 0)
        shadow = self.caster.cast(
            points[lit] + 2e-3 * normals[lit], np.broadcast_to(sun, (len(lit), 3))
        )
        bright = lit[shadow.faces < 0]
        irradiance[bright] += cosine[bright, None] * light.sun
        return irradiance

    def _highlight(self, normals: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Blinn-Phong highlight of the sun and mirror image of the environment."""
        if self._shiny == 0.0:
            return np.zeros_like(normals)
        R, light = self.pose.R_crop_world, self.light
        half = view + R @ light.sun_direction
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        lobe = np.maximum((normals * half).sum(1), 0.0) ** self._polish
        cosine = np.clip((normals * view).sum(1, keepdims=True), 0.0, 1.0)
        mirror = light.radiance((2.0 * cosine * normals - view) @ R)
        fresnel = 0.04 + 0.5 * (1.0 - cosine) ** 5
        highlight = lobe[:, None] * light.sun + fresnel * np.minimum(mirror, 4.0)
        return (self._shiny * highlight).astype(np.float32)

    def _background(self, directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Linear radiance behind the object: a plain colour, a texture, the room or a table."""
        kind = rng.choice(["plain", "texture", "environment", "table"], p=[0.25, 0.2, 0.15, 0.4])
        if kind == "plain":
            colour = rng.uniform(0.0, 1.0, 3) if rng.uniform() < 0.5 else rng.uniform(0.0, 1.0)
            return np.tile(np.broadcast_to(colour, 3).astype(np.float32), (len(directions), 1))
        texture = srgb_to_linear(self._appearance.texture(rng))
        side = texture.shape[0]
        if kind == "texture":
            scale = rng.uniform(0.3, 1.0) * side / (2.0 * self.pose.tan_half_fov)
            texels = (directions[:, :2] * scale + rng.uniform(0, side, 2)).astype(np.int64) % side
            return texture[texels[:, 1], texels[:, 0]]
        world = directions @ self.pose.R_crop_world
        length = np.linalg.norm(world, axis=1, keepdims=True)
        image = np.minimum(self.light.radiance(world / length), 4.0)
        if kind == "table":
            self._lay_table(image, world, texture, rng)
        return image

    def _lay_table(
        self, image: np.ndarray, world: np.ndarray, texture: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Paint, into the image, the plane on which the object stands, with its shadow."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self._floor - self.pose.eye[2]) / world[:, 2]
        on = np.flatnonzero((t > 0) & (t < 60.0))
        if len(on) == 0:
            return
        points = self.pose.eye + world[on] * t[on, None]
        side = texture.shape[0]
        texels = (points[:, :2] * rng.uniform(0.2, 1.5) * side).astype(np.int64) % side
        up = np.array([[0.0, 0.0, 1.0]], np.float32)
        light = np.repeat(self.light.irradiance_at(up), len(on), axis=0)
        near = np.abs(points[:, :2]).max(1) < 2.0
        R = self.pose.R_crop_world
        local = ((points[near] - self.pose.eye) @ R.T).astype(np.float32)
        if self.light.sun.any():
            sun = (R @ self.light.sun_direction).astype(np.float32)
            blocked = self.caster.cast(local + 2e-3 * R[:, 2], np.broadcast_to(sun, local.shape))
            open_sky = np.ones(len(on), np.float32)
            open_sky[near] = blocked.faces < 0
            light = light + open_sky[:, None] * self.light.sun * self.light.sun_direction[2]
        if len(local):
            distance = self.caster.closest(local, reach=0.15).distances
            light[near] *= (0.35 + 0.65 * np.clip(distance / 0.15, 0.0, 1.0))[:, None]
        image[on] = texture[texels[:, 1], texels[:, 0]] * light


def _face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _vertex_normals(
    vertices: np.ndarray, faces: np.ndarray, face_normals: np.ndarray
) -> np.ndarray:
    """Sum of the face normals around each position, whatever the splits between colours."""
    keys = np.round(vertices * 1e4).astype(np.int64)
    _, position = np.unique(
        keys[:, 0] * 1_000_003 + keys[:, 1] * 10_007 + keys[:, 2], return_inverse=True
    )
    count = position.max() + 1
    corner = position[faces].ravel()
    repeated = np.repeat(face_normals, 3, axis=0)
    summed = np.stack([np.bincount(corner, repeated[:, k], count) for k in range(3)], axis=1)
    return summed[position].astype(np.float32)
