# SPDX-License-Identifier: Apache-2.0
"""What objects are painted with and lit by: textures, environment maps, sun."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon_node.engines.errors import InvalidInputError

_LINEAR = np.power(np.arange(256) / 255.0, 2.2).astype(np.float32)


def srgb_to_linear(srgb: np.ndarray) -> np.ndarray:
    """Linear values in [0, 1] of sRGB bytes (the power-law approximation, exponent 2.2)."""
    return _LINEAR[srgb]


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] of linear values, clipped."""
    return np.power(np.clip(linear, 0.0, 1.0), 1.0 / 2.2, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Light:
    """An environment and a sun, both in the world's axes (z up).

    Attributes:
        environment: Linear radiance, f32 (H, W, 3), row 0 straight up.
        irradiance: Spherical-harmonic irradiance of it, f32 (9, 3).
        turn: Columns by which the environment is turned about z.
        sun_direction: Unit vector towards the sun, f32 (3,).
        sun: Its irradiance, linear, f32 (3,).
    """

    environment: np.ndarray
    irradiance: np.ndarray
    turn: float
    sun_direction: np.ndarray
    sun: np.ndarray

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """Linear radiance of the environment from unit directions (N, 3), (N, 3)."""
        height, width = self.environment.shape[:2]
        azimuth = np.arctan2(directions[:, 1], directions[:, 0]) + self.turn
        column = (azimuth / (2.0 * np.pi) * width).astype(np.int64) % width
        polar = np.arccos(np.clip(directions[:, 2], -1.0, 1.0))
        row = np.minimum((polar / np.pi * height).astype(np.int64), height - 1)
        return self.environment[row, column]

    def irradiance_at(self, normals: np.ndarray) -> np.ndarray:
        """Linear diffuse irradiance over pi at unit normals (N, 3), (N, 3)."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        x, y = normals[:, 0] * c - normals[:, 1] * s, normals[:, 0] * s + normals[:, 1] * c
        turned = np.stack([x, y, normals[:, 2]], axis=1)
        return np.maximum(harmonics(turned) @ self.irradiance, 0.0)


def harmonics(directions: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics up to degree 2 at unit directions (N, 3), f32 (N, 9)."""
    x, y, z = directions.T
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3.0 * z * z - 1.0),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=1,
    ).astype(np.float32)


def irradiance_coefficients(environment: np.ndarray) -> np.ndarray:
    """Coefficients (9, 3) whose dot with `harmonics` is irradiance / pi (Ramamoorthi 2001, eq. 8).

    Args:
        environment: Linear radiance, (H, W, 3), row 0 straight up.
    """
    height, width = environment.shape[:2]
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = (np.arange(width) + 0.5) * 2.0 * np.pi / width
    sine = np.sin(polar)[:, None]
    directions = np.stack(
        [sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(polar)[:, None] + 0.0 * azimuth],
        axis=-1,
    ).reshape(-1, 3)
    area = (sine * (np.pi / height) * (2.0 * np.pi / width) + 0.0 * azimuth).reshape(-1, 1)
    projected = harmonics(directions).T @ (environment.reshape(-1, 3) * area)
    cosine_lobe = np.array([1.0, 2 / 3, 2 / 3, 2 / 3, 0.25, 0.25, 0.25, 0.25, 0.25])
    return (cosine_lobe[:, None] * projected).astype(np.float32)


class Appearance:
    """Textures and environment maps to draw from.

    Args:
        data: Folder with `textures.npz` (rgb u8 (T, S, S, 3)) and `envmaps_cc0.npz`
            (rgbe u8 (E, H, W, 4)).
    """

    def __init__(self, data: Path):
        textures, environments = data / "textures.npz", data / "envmaps_cc0.npz"
        for required in (textures, environments):
            if not required.is_file():
                raise InvalidInputError(
                    f"{required} does not exist; pass the folder that has it with --data"
                )
        with np.load(textures) as file:
            self._textures = file["rgb"]
        with np.load(environments) as file:
            rgbe = file["rgbe"]
        exponent = rgbe[..., 3:].astype(np.float32) - 128
        radiance = rgbe[..., :3] / np.float32(255.0) * np.exp2(exponent)
        self._environments = np.minimum(radiance, 30.0).astype(np.float32)
        self._irradiance = [irradiance_coefficients(e) for e in self._environments]

    def texture(self, rng: np.random.Generator) -> np.ndarray:
        """One texture, sRGB u8 (S, S, 3)."""
        return self._textures[rng.integers(len(self._textures))]

    def light(self, rng: np.random.Generator) -> Light:
        """An environment turned at random with a sun of random height and strength."""
        index = rng.integers(len(self._environments))
        azimuth, height = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.25, 1.0)
        flat = np.sqrt(1.0 - height**2)
        strength = rng.choice([0.0, 0.5, 1.5]) * rng.uniform(0.5, 1.5)
        tint = 1.0 + 0.15 * rng.normal(size=3)
        return Light(
            environment=self._environments[index],
            irradiance=self._irradiance[index],
            turn=rng.uniform(0.0, 2.0 * np.pi),
            sun_direction=np.array(
                [flat * np.cos(azimuth), flat * np.sin(azimuth), height], np.float32
            ),
            sun=(strength * tint).astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class Paint:
    """Colour of an object's surface: vertex colours, or a texture laid along three axes.

    Attributes:
        colors: sRGB of each vertex, u8 (V, 3).
        texture: sRGB, u8 (S, S, 3), or None for vertex colours alone.
        frequency: Repeats of the texture over the object's longest side.
        tinted: Whether the texture is multiplied by the vertex colours.
    """

    colors: np.ndarray
    texture: np.ndarray | None = None
    frequency: float = 1.0
    tinted: bool = False

    def albedo(
        self,
        corners: np.ndarray,
        barycentric: np.ndarray,
        points: np.ndarray,
        normals: np.ndarray,
    ) -> np.ndarray:
        """Linear albedo at surface points, f32 (N, 3).

        Args:
            corners: The three vertices around each point, i32 (N, 3).
            barycentric: Their weights, f32 (N, 3).
            points: In the object's frame, f32 (N, 3).
            normals: Unit, in the object's frame, f32 (N, 3).
        """
        vertex = np.einsum(
            "nk,nkc->nc", barycentric, srgb_to_linear(self.colors)[corners]
        )
        if self.texture is None:
            return vertex
        side = self.texture.shape[0]
        axis = np.abs(normals).argmax(1)
        rows = np.arange(len(points))
        first, second = points[rows, (axis + 1) % 3], points[rows, (axis + 2) % 3]
        texels = np.stack([first, second], 1) * (self.frequency * side)
        texels = np.abs((texels.astype(np.int64) + side) % (2 * side) - side)  # mirrored repeat
        texels = np.minimum(texels, side - 1)
        colour = srgb_to_linear(self.texture[texels[:, 1], texels[:, 0]])
        return colour * (0.3 + 0.7 * vertex / vertex.max(1, keepdims=True).clip(1e-3)) if (
            self.tinted
        ) else colour


def sample_paint(
    colors: np.ndarray, textured: bool, appearance: Appearance, rng: np.random.Generator
) -> Paint:
    """The object's own colours, or, for two in five without a texture, a photographic one."""
    if textured or rng.uniform() < 0.6:
        return Paint(colors)
    return Paint(
        colors, appearance.texture(rng), frequency=rng.uniform(0.4, 2.5), tinted=rng.uniform() < 0.4
    )
