# SPDX-License-Identifier: Apache-2.0
"""An object on a table under a fixed light, seen by any camera: image, coverage and depth."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.srgb import to_linear, to_srgb
from recon_node.engines.transforms import invert, transform_points
from recon_node.kernels.ray_cast import RayCaster

_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])  # [px]
_CREASE_COSINE = 0.8  # beyond about 37 degrees an edge is lit sharp
_EXPOSURE = 0.75  # of a white surface under the mean light of the object's faces
_TABLE_REACH = 3.0  # radius of the table / longest side of the object
_WALL = np.array([0.42, 0.44, 0.46], np.float32)  # linear, behind the table
_LIFT = 2e-3  # of the longest side: where shadow rays start


class Light(Protocol):
    """What lights a scene; `training.appearance.Light` is one. Axes are the world's, z up."""

    sun_direction: np.ndarray  # unit, towards the sun, f32 (3,)
    sun: np.ndarray  # its irradiance over pi, linear, f32 (3,)

    def irradiance_at(self, normals: np.ndarray) -> np.ndarray:
        """Linear irradiance over pi of everything but the sun at unit normals (N, 3): (N, 3)."""


@dataclass(frozen=True, eq=False)
class Shot:
    """What a camera saw, before any fault of a sensor.

    Attributes:
        camera: Where it was taken, exactly.
        image: Object, table and wall, sRGB u8 (H, W, 3).
        coverage: Share of each pixel that the object covers, f32 (H, W).
        foreground: Mean sRGB of the object within each pixel, u8 (H, W, 3); black off it.
        depth: Along z through the pixel's centre, object and table, f32 (H, W) [m]; NaN off both.
        cosines: |cosine| between ray and surface there, f32 (H, W); NaN off both.
    """

    camera: Camera
    image: np.ndarray
    coverage: np.ndarray
    foreground: np.ndarray
    depth: np.ndarray
    cosines: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Where the object covers at least half of the pixel, bool (H, W)."""
        return self.coverage >= 0.5

    def on_white(self) -> np.ndarray:
        """The object alone before white, sRGB f32 (H, W, 3) in [0, 1]."""
        coverage = self.coverage[..., None]
        return self.foreground / np.float32(255) * coverage + (1 - coverage)


class PicturedObject:
    """A diffuse object that stands on a round table under a fixed light.

    Args:
        mesh: Of the object in the world, z up; vertex colours are sRGB albedo, grey without.
        light: Does not move with the camera.
        table: Linear albedo of the table, (3,).
    """

    def __init__(self, mesh: Mesh, light: Light, *, table: np.ndarray):
        self._mesh, self._light, self._table = mesh, light, np.asarray(table, np.float32)
        self._caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
        self._longest = float(mesh.extents.max())
        self._face_normals = mesh.face_normals()
        self._smooth_normals = _welded_normals(mesh)
        colors = np.full((len(mesh.vertices), 3), 160, np.uint8)
        self._albedo = to_linear(colors if mesh.colors is None else mesh.colors)
        used = mesh.vertices[mesh.faces].reshape(-1, 3)
        self._low, self._high = used.min(axis=0), used.max(axis=0)
        irradiance = light.irradiance_at(self._face_normals) + 0.25 * light.sun
        self._gain = _EXPOSURE / max(float(irradiance.mean()), 1e-3)

    def shoot(self, camera: Camera) -> Shot:
        """What the camera sees: one ray through each pixel's centre, four for colours near it."""
        size = camera.height, camera.width
        pixels = camera.pixel_grid().reshape(-1, 2)
        centres = self._trace(camera, pixels)
        near = np.flatnonzero(self._footprint(camera, pixels))
        fine = self._trace(camera, (pixels[near, None] + _SUBPIXELS).reshape(-1, 2))
        is_object = fine.is_object.reshape(len(near), len(_SUBPIXELS), 1)
        linear = fine.linear.reshape(len(near), len(_SUBPIXELS), 3)
        coverage = np.zeros(len(pixels), np.float32)
        coverage[near] = is_object.mean(axis=(1, 2))
        foreground = np.zeros((len(pixels), 3), np.float32)
        foreground[near] = (is_object * linear).sum(axis=1) / np.maximum(is_object.sum(axis=1), 1)
        image = centres.linear
        image[near] = linear.mean(axis=1)
        return Shot(
            camera=camera,
            image=to_srgb(image).reshape(*size, 3),
            coverage=coverage.reshape(size),
            foreground=to_srgb(foreground).reshape(*size, 3),
            depth=centres.depths.reshape(size),
            cosines=centres.cosines.reshape(size),
        )

    def _footprint(self, camera: Camera, pixels: np.ndarray) -> np.ndarray:
        """Which pixels (N, 2) the box of the projected object holds, bool (N,)."""
        T_camera_world = invert(camera.T_world_camera)
        corners = camera.project(transform_points(T_camera_world, self._mesh.vertices))
        inside = (pixels > corners.min(axis=0) - 1) & (pixels < corners.max(axis=0) + 1)
        return inside.all(axis=1)

    def _trace(self, camera: Camera, pixels: np.ndarray) -> "_Trace":
        """What rays through pixels (N, 2) meet first."""
        R_world_camera = camera.T_world_camera[:3, :3]
        eye = camera.T_world_camera[:3, 3]
        rays = camera.unproject(pixels, np.ones(len(pixels))) @ R_world_camera.T  # depth 1
        found = self._caster.cast(np.broadcast_to(eye, rays.shape), rays)
        linear = np.broadcast_to(_WALL, rays.shape).copy()
        depths = np.full(len(rays), np.nan, np.float32)
        normals = np.full(rays.shape, np.nan, np.float32)
        is_object = found.faces >= 0
        depths[is_object] = found.distances[is_object]
        faces, weights = found.faces[is_object], found.barycentric[is_object]
        corners = self._mesh.faces[faces]
        normals[is_object] = self._normals(faces, corners, weights, rays[is_object])
        linear[is_object] = np.einsum("nk,nkc->nc", weights, self._albedo[corners])
        to_table = self._meet_table(eye, rays)
        is_table = ~is_object & np.isfinite(to_table)
        depths[is_table] = to_table[is_table]
        normals[is_table] = (0.0, 0.0, 1.0)
        linear[is_table] = self._table
        lit = is_object | is_table
        points = eye + rays[lit] * depths[lit, None]
        linear[lit] *= self._gain * self._irradiance(points.astype(np.float32), normals[lit])
        cosines = np.abs(np.sum(normals * rays, axis=1)) / np.linalg.norm(rays, axis=1)
        return _Trace(linear.astype(np.float32), is_object, depths, cosines.astype(np.float32))

    def _meet_table(self, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """Ray parameter of the table f64 (N,), NaN where it is missed."""
        with np.errstate(divide="ignore"):
            t = (self._low[2] - eye[2]) / rays[:, 2]
        off = eye[:2] + rays[:, :2] * t[:, None] - 0.5 * (self._low + self._high)[:2]
        on = (t > 0) & (np.sum(off**2, axis=1) < (_TABLE_REACH * self._longest) ** 2)
        return np.where(on, t, np.nan)

    def _normals(
        self, faces: np.ndarray, corners: np.ndarray, weights: np.ndarray, rays: np.ndarray
    ) -> np.ndarray:
        """Unit normals towards the eye: smooth, but those of the face beyond a crease."""
        flat = self._face_normals[faces]
        smooth = self._smooth_normals[corners]
        creased = np.einsum("nkc,nc->nk", smooth, flat) < _CREASE_COSINE
        smooth = np.where(creased[..., None], flat[:, None], smooth)
        normals = np.einsum("nk,nkc->nc", weights, smooth)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        away = np.sum(flat * rays, axis=1, keepdims=True) > 0  # a back face seen: turn it round
        return np.where(away, -normals, normals)

    def _irradiance(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Linear irradiance over pi at surface points (N, 3), shadows of the sun included."""
        irradiance = self._light.irradiance_at(normals)
        sun = np.asarray(self._light.sun_direction, np.float32)
        cosines = normals @ sun
        towards = np.flatnonzero((cosines > 0) & np.any(self._light.sun > 0))
        if len(towards):
            lifted = points[towards] + _LIFT * self._longest * normals[towards]
            shadow = self._caster.cast(lifted, np.broadcast_to(sun, lifted.shape))
            bright = towards[shadow.faces < 0]
            irradiance[bright] += cosines[bright, None] * self._light.sun
        return irradiance


@dataclass(frozen=True, eq=False)
class _Trace:
    """What rays met: linear colours (N, 3), whether it was the object, depth [m], |cosine|."""

    linear: np.ndarray
    is_object: np.ndarray
    depths: np.ndarray
    cosines: np.ndarray


def _welded_normals(mesh: Mesh) -> np.ndarray:
    """Unit normals of the vertices f32 (V, 3), averaged over all vertices at one position."""
    grid = np.round(mesh.vertices / (1e-5 * mesh.extents.max())).astype(np.int64)
    _, position = np.unique(grid, axis=0, return_inverse=True)
    corners = position.ravel()[mesh.faces].ravel()
    normals = np.repeat(mesh.face_normals(), 3, axis=0)
    count = corners.max() + 1
    sums = np.stack([np.bincount(corners, normals[:, i], count) for i in range(3)], axis=1)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    padded = np.zeros((position.max() + 1, 3), np.float32)
    padded[:count] = sums
    return padded[position.ravel()]
