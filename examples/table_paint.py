# SPDX-License-Identifier: Apache-2.0
"""What the things of the table scene are painted with: procedural albedo, metal and gloss."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recon_node.engines.srgb import to_linear


@dataclass(frozen=True, eq=False)
class Coat:
    """Material at N surface points.

    Attributes:
        albedo: Linear, f32 (N, 3).
        metal: 1 where it mirrors in its own colour, 0 for everything else, f32 (N,).
        roughness: Spread of the mirrored direction, f32 (N,); 1 does not mirror at all.
    """

    albedo: np.ndarray
    metal: np.ndarray
    roughness: np.ndarray


# Points (N, 3) [m, z up, origin in the middle of the box], unit normals (N, 3), parts (N,).
Paint = Callable[[np.ndarray, np.ndarray, np.ndarray], Coat]


def noise(points: np.ndarray, seed: int) -> np.ndarray:
    """Value noise in [-1, 1], f32 (N,): one random number per unit cell's corner, blended."""
    cell = np.floor(points)
    share = (points - cell).astype(np.float32)
    share = share * share * (3 - 2 * share)
    corner = cell.astype(np.int64).astype(np.uint32)
    total = np.zeros(len(points), np.float32)
    for offset in np.ndindex(2, 2, 2):
        x, y, z = (corner + np.array(offset, np.uint32)).T
        h = x * np.uint32(374761393) + y * np.uint32(668265263) + z * np.uint32(2246822519)
        h = (h + np.uint32(seed * 3266489917 % 2**32)) * np.uint32(2654435761)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(1274126177)
        h ^= h >> np.uint32(16)
        weight = np.where(offset, share, 1 - share).prod(1)
        total += weight * (h.astype(np.float32) / np.float32(2**31) - 1)
    return total


def fractal_noise(points: np.ndarray, seed: int, octaves: int = 4) -> np.ndarray:
    """Sum of octaves of noise, each at twice the frequency and half the height, f32 (N,)."""
    return sum(noise(points * 2**k, seed + k) * 0.5**k for k in range(octaves))


def wood_albedo(points: np.ndarray, seed: int, dark: tuple, light: tuple) -> np.ndarray:
    """Grain along x of wood between two sRGB colours; points in [m], linear f32 (N, 3)."""
    bend = noise(points * (2.2, 11, 11), seed)
    rings = (points[:, 1] + 0.6 * points[:, 2]) * 34 + 2.6 * bend
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * (rings + 0.5 * noise(points * (6, 60, 60), seed + 1)))
    fibre = noise(points * (25, 900, 900), seed + 2)
    share = np.clip(0.34 * grain**1.5 + 0.25 * bend + 0.14 * fibre + 0.33, 0, 1)[:, None]
    low, high = to_linear(np.array([dark, light], np.uint8))
    return (low + share * (high - low)).astype(np.float32)


def plank_albedo(points: np.ndarray) -> np.ndarray:
    """The table's top: oiled oak planks along x, 14 cm wide, linear f32 (N, 3)."""
    plank = np.floor(points[:, 1] / 0.14)
    shift = np.stack([plank * 1.7, plank * 0.37, plank * 0.11], 1)
    albedo = wood_albedo(points + shift, 11, (128, 88, 54), (206, 164, 116))
    tone = 1 + 0.13 * np.sin(plank * 12.9898)[:, None]
    across = np.abs(points[:, 1] / 0.14 - plank - 0.5)
    gap = np.clip((0.5 - across) * 0.14 / 0.0012, 0.25, 1)[:, None]
    return albedo * tone * gap


def glazed_mug(points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
    """White glaze, three blue rings and a row of dots around the outside of the body."""
    height = points[:, 2] / 0.079
    outward = np.hypot(points[:, 0] + 0.0204, points[:, 1])
    is_body = (outward < 0.0415) & (_radial(points + (0.0204, 0, 0), normals) > 0.2)
    blue = (np.abs(height - 0.33) < 0.02) | (np.abs(height - 0.27) < 0.012)
    blue |= np.abs(height + 0.36) < 0.035
    turn = np.arctan2(points[:, 1], points[:, 0] + 0.0204) * (14 / (2 * np.pi))
    blue |= np.hypot((turn - np.round(turn)) * 0.018, points[:, 2] + 0.004) < 0.0052
    white = np.array(to_linear(np.array([236, 232, 222], np.uint8)))
    cobalt = np.array(to_linear(np.array([30, 66, 138], np.uint8)))
    speckle = 1 + 0.05 * fractal_noise(points * 300, 3, 2)[:, None]
    albedo = np.where((is_body & blue)[:, None], cobalt, white) * speckle
    return _coat(albedo, roughness=0.08)


def stoneware_bowl(points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
    """Speckled cream outside, green running glaze inside, bare brown rim."""
    cream, moss, clay = to_linear(
        np.array([[214, 202, 178], [88, 124, 96], [120, 82, 54]], np.uint8)
    )
    cloud = fractal_noise(points * 35, 5)[:, None]
    albedo = np.where((parts == 1)[:, None], moss * (1 + 0.35 * cloud), cream * (1 + 0.1 * cloud))
    speckle = noise(points * 420, 6) > 0.62
    albedo = np.where((speckle & (parts == 0))[:, None], clay, albedo)
    albedo = np.where((points[:, 2] > 0.0175 + 0.001 * cloud[:, 0])[:, None], clay, albedo)
    return _coat(albedo, roughness=0.15)


def apple_skin(points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
    """Red over yellow in streaks from pole to pole, pale dots, darker hollow at the top."""
    direction = points / np.linalg.norm(points, axis=1, keepdims=True)
    turn = np.arctan2(direction[:, 1], direction[:, 0])
    round_trip = np.stack([4 * np.cos(turn), 4 * np.sin(turn), 0.8 * direction[:, 2]], 1)
    blush = 0.5 + 0.7 * noise(direction * 1.3, 8) + 0.35 * fractal_noise(round_trip, 9, 3)
    yellow, red, dot = to_linear(
        np.array([[222, 178, 64], [168, 26, 30], [226, 190, 120]], np.uint8)
    )
    albedo = yellow + np.clip(blush + 0.6, 0, 1)[:, None] * (red - yellow)
    albedo = np.where((noise(direction * 55, 10) > 0.75)[:, None], dot, albedo)
    return _coat(albedo, roughness=0.16)


def claw_hammer(points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
    """Ash handle with a red end, brushed steel head."""
    handle = wood_albedo(points, 21, (150, 100, 56), (216, 172, 116))
    lacquer = to_linear(np.array([160, 34, 28], np.uint8))
    handle = np.where((points[:, 0] < -0.092)[:, None], lacquer, handle)
    steel = np.array([0.52, 0.53, 0.55]) * (1 + 0.18 * noise(points * (900, 40, 900), 23)[:, None])
    is_steel = parts == 1
    albedo = np.where(is_steel[:, None], steel, handle)
    return Coat(
        albedo.astype(np.float32),
        metal=is_steel.astype(np.float32),
        roughness=np.where(is_steel, 0.22, 0.35).astype(np.float32),
    )


class PrintedCarton:
    """A drink carton: front and back with a name, sides with lines of text, a red cap."""

    def __init__(self) -> None:
        self._front = to_linear(np.asarray(_front_of_carton()))
        self._side = to_linear(np.asarray(_side_of_carton()))

    def __call__(self, points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
        u_x, u_y = points[:, 1] / 0.084 + 0.5, points[:, 0] / 0.072 + 0.5
        v = 0.5 - points[:, 2] / 0.2
        along_x = np.abs(normals[:, 0]) >= np.abs(normals[:, 1])
        u = np.where(along_x, u_x, u_y)
        u = np.where((normals[:, 0] < 0) & along_x | (normals[:, 1] > 0) & ~along_x, 1 - u, u)
        albedo = np.where(along_x[:, None], _texel(self._side, u, v), _texel(self._front, u, v))
        red = to_linear(np.array([190, 40, 36], np.uint8))
        albedo = np.where((parts == 2)[:, None], red, albedo)
        return _coat(albedo, roughness=0.3)


class LabelledBottle:
    """A green bottle with a paper label around it and a white cap."""

    def __init__(self) -> None:
        self._label = to_linear(np.asarray(_bottle_label()))

    def __call__(self, points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
        body, cap = to_linear(np.array([[24, 92, 70], [234, 232, 226]], np.uint8))
        turn = np.arctan2(points[:, 0], -points[:, 1]) / (2 * np.pi) + 0.5
        v = (0.005 - points[:, 2]) / 0.082
        albedo = np.where((parts == 1)[:, None], cap, body * np.ones((len(points), 1)))
        on_label = (v > 0) & (v < 1)
        albedo = np.where(on_label[:, None], _texel(self._label, turn, v), albedo)
        coat = _coat(albedo, roughness=0.06)
        return Coat(coat.albedo, coat.metal, np.where(on_label, 0.4, 0.06).astype(np.float32))


def _coat(albedo: np.ndarray, *, roughness: float) -> Coat:
    count = len(albedo)
    return Coat(
        np.clip(albedo, 0, 1).astype(np.float32),
        metal=np.zeros(count, np.float32),
        roughness=np.full(count, roughness, np.float32),
    )


def _radial(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Cosine between the normal and the way out from the vertical axis."""
    out = points[:, :2] / np.maximum(np.linalg.norm(points[:, :2], axis=1, keepdims=True), 1e-9)
    return (out * normals[:, :2]).sum(1)


def _texel(image: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    column = np.clip((u * width).astype(int), 0, width - 1)
    row = np.clip((v * height).astype(int), 0, height - 1)
    return image[row, column]


def _front_of_carton() -> Image.Image:
    sheet = Image.new("RGB", (420, 1000), (238, 232, 214))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle([0, 700, 420, 1000], fill=(46, 110, 158))
    draw.polygon(
        [(0, 640), (120, 600), (250, 660), (420, 590), (420, 720), (0, 720)], (230, 170, 50)
    )
    draw.ellipse([110, 300, 310, 500], fill=(232, 150, 40))
    draw.ellipse([150, 340, 270, 460], fill=(250, 214, 120))
    for text, y, size, ink in (
        ("OAT", 190, 120, (40, 70, 110)),
        ("drink", 545, 90, (40, 70, 110)),
        ("1 litre", 900, 54, (238, 232, 214)),
    ):
        draw.text((210, y), text, fill=ink, font=ImageFont.load_default(size), anchor="mm")
    return sheet


def _side_of_carton() -> Image.Image:
    sheet = Image.new("RGB", (420, 1000), (238, 232, 214))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle([0, 700, 420, 1000], fill=(46, 110, 158))
    draw.rectangle([50, 250, 370, 300], fill=(40, 70, 110))
    rng = np.random.default_rng(5)
    for y in range(330, 660, 30):
        draw.rectangle([50, y, int(rng.integers(220, 370)), y + 12], fill=(96, 104, 116))
    for x in range(90, 330, 9):
        draw.rectangle([x, 780, x + int(rng.integers(2, 7)), 930], fill=(20, 24, 30))
    return sheet


def _bottle_label() -> Image.Image:
    sheet = Image.new("RGB", (1600, 400), (240, 234, 214))
    draw = ImageDraw.Draw(sheet)
    for y in (0, 366):
        draw.rectangle([0, y, 1600, y + 34], fill=(196, 152, 44))
    for x in (400, 1200):
        draw.text(
            (x, 170), "OLIVA", fill=(34, 74, 48), font=ImageFont.load_default(150), anchor="mm"
        )
        draw.text(
            (x, 300), "extra fine", fill=(120, 84, 30), font=ImageFont.load_default(64), anchor="mm"
        )
        draw.ellipse([x + 330, 120, x + 470, 280], fill=(96, 120, 52))
    return sheet
