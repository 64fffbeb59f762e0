# SPDX-License-Identifier: Apache-2.0
"""An RGB-D camera that does not exist, moving around the example's table."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recon_node.baked_scene import BakedScene, load_baked_scene
from recon_node.engines.camera import Camera
from recon_node.engines.option import check_options, option
from recon_node.engines.transforms import look_at

PERIOD = 20.0  # of the motion [s]
RANGE = 3.0  # depth beyond is not measured [m]
_TARGET = (0.03, 0.01, 0.03)  # [m, world]
_HALF_FOV = np.radians(30.0)  # across
_AZIMUTH, _SWAY = -6.0, 42.0  # from the table's front, to either side of it [deg]
_ELEVATION, _RISE = 36.0, 3.0  # [deg]
_DISTANCE = 0.72  # [m]
_DEPTH_SIGMA = 1.1e-3  # at 1 m, growing with the square [m]: 0.03 px of a 5 cm baseline
_COLOR_SIGMA = 1.6  # of 255
_NOISE_SHIFTS = 64  # places that the noise's grid is taken from, along each axis


class CameraFrame(NamedTuple):
    """What the camera delivers for one moment.

    Attributes:
        color: u8 (H, W, 3) sRGB.
        labels: u8 (H, W), exact: 0 background, 1 mug, 2 carton, 3 bottle, 4 bowl, 5 apple,
            6 hammer.
        depth: f32 (H, W) [m] along z, NaN beyond `RANGE`.
        camera: Intrinsics and place.
        T_world_camera: f64 (4, 4) [m]; world: z up, origin in the middle of the table's top.
    """

    color: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    camera: Camera
    T_world_camera: np.ndarray


@dataclass(frozen=True)
class CameraConfig:
    """What can be chosen about the synthetic camera."""

    rate: float = option(10.0, "Frames a second [Hz].", low=0.1, high=60.0)
    width: int = option(640, "Columns of the images [px].", low=16, high=4096)
    height: int = option(480, "Rows of the images [px].", low=16, high=4096)
    moving: bool = option(True, "Move around the table; otherwise stay in front of it.")
    noise: float = option(
        1.0, "Strength of the noise of colours and depth; 0: none.", low=0.0, high=10.0
    )
    seed: int = option(0, "Seed of the noise.", low=0, high=2**31 - 1)
    compressed: bool = option(False, "Publish JPEG on `image/compressed` as well.")

    def __post_init__(self) -> None:
        check_options(self)


class SyntheticCamera:
    """Takes pictures of a baked scene; the same time and configuration give the same picture.

    Args:
        config: Size, motion and noise.
        scene: What it looks at; None for the example's table.
    """

    def __init__(self, config: CameraConfig | None = None, scene: BakedScene | None = None):
        self.config = config or CameraConfig()
        self._scene = scene or load_baked_scene()
        width, height = self.config.width, self.config.height
        focal = 0.5 * width / np.tan(_HALF_FOV)
        self._K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        rng = np.random.default_rng(self.config.seed)
        grid = (height + _NOISE_SHIFTS, width + _NOISE_SHIFTS)
        self._depth_noise = rng.standard_normal(grid, np.float32)
        noise = self.config.noise * _COLOR_SIGMA * rng.standard_normal((*grid, 3), np.float32)
        self._color_noise = np.round(noise).astype(np.int16)

    def camera(self, t: float) -> Camera:
        """The camera at a time [s]: a closed curve through a third of the way around the table."""
        phase = 2 * np.pi * t / PERIOD if self.config.moving else 0.0
        azimuth = np.radians(_AZIMUTH + _SWAY * np.sin(phase))
        elevation = np.radians(_ELEVATION - _RISE * np.cos(phase))
        direction = np.array(
            [
                np.sin(azimuth) * np.cos(elevation),
                -np.cos(azimuth) * np.cos(elevation),
                np.sin(elevation),
            ]
        )
        T_world_camera = look_at(_TARGET + _DISTANCE * direction, _TARGET, (0.0, 0.0, 1.0))
        return Camera(self._K, self.config.width, self.config.height, T_world_camera)

    def render(self, t: float) -> CameraFrame:
        """The frame of a time [s, from 0]."""
        camera = self.camera(t)
        color, labels, depth = self._scene.render(camera)
        depth[depth > RANGE] = np.nan
        if self.config.noise:
            self._disturb(color, depth, round(t * 1e6))
        return CameraFrame(color, labels, depth, camera, camera.T_world_camera)

    def _disturb(self, color: np.ndarray, depth: np.ndarray, number: int) -> None:
        """Adds noise, in place: a part of the grids that depends on the number."""
        rng = np.random.default_rng([self.config.seed, number])
        top, left = rng.integers(0, _NOISE_SHIFTS, 2)
        part = (slice(top, top + color.shape[0]), slice(left, left + color.shape[1]))
        np.copyto(color, np.clip(color + self._color_noise[part], 0, 255), casting="unsafe")
        sigma = np.float32(self.config.noise * _DEPTH_SIGMA)
        depth += sigma * depth * depth * self._depth_noise[part]
