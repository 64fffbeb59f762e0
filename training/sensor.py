# SPDX-License-Identifier: Apache-2.0
"""What a camera makes of a scene: blur, noise, exposure, stereo depth errors, ragged masks."""

import numpy as np
from PIL import Image

from recon_node.training.appearance import linear_to_srgb


def photograph(radiance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """sRGB in [0, 1] of linear radiance (S, S, 3) after optics, sensor and compression."""
    white_balance = np.exp(rng.normal(0.0, 0.06, 3)).astype(np.float32)
    noise = rng.uniform(0.0, 0.03) if rng.uniform() < 0.5 else 0.003
    image = _blur(linear_to_srgb(radiance * white_balance), rng.choice([0, 1, 1, 2]))
    image = image + noise * rng.standard_normal(image.shape, np.float32)
    picture = Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    if rng.uniform() < 0.3:
        picture = _coarsened(picture, rng.uniform(1.2, 2.5))
    return np.asarray(picture, np.float32) / 255.0


def ragged(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mask coverage, f32 (S, S): clean for a half, else with a wobbling, shifted outline."""
    soft = _blur(mask[..., None].astype(np.float32), 1)[..., 0]
    if rng.uniform() < 0.5:
        return soft
    wobble = _smooth_field(mask.shape[0], int(rng.choice([8, 16, 32])), rng)
    wide = _blur(mask[..., None].astype(np.float32), int(rng.integers(2, 5)))[..., 0]
    level = 0.5 + rng.uniform(-0.15, 0.15) + rng.uniform(0.03, 0.15) * wobble
    return (wide > level).astype(np.float32)


def stereo_depth(depth: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Measured depth (S, S), NaN where unknown, as a stereo or structured-light camera gives it.

    Depth is in half sizes of the cube. Errors: a smooth wobble and white noise, quantised
    disparity, flying pixels at the outline, holes. One in four is left clean.
    """
    measured = np.where(mask, depth, np.nan).astype(np.float32)
    if rng.uniform() < 0.25:
        return measured
    size = depth.shape[0]
    sigma = np.exp(rng.uniform(np.log(0.003), np.log(0.04)))
    measured += sigma * _smooth_field(size, int(rng.choice([4, 8, 16, 32])), rng)
    measured += 0.5 * sigma * rng.standard_normal(depth.shape, np.float32)
    if rng.uniform() < 0.3:
        step = rng.uniform(0.005, 0.04)
        measured = np.round(measured / step) * np.float32(step)
    if rng.uniform() < 0.5:
        edge = mask & (_blur(mask[..., None].astype(np.float32), 2)[..., 0] < 0.9)
        flying = edge & (rng.uniform(size=depth.shape) < rng.uniform(0.1, 0.6))
        measured[flying] += rng.exponential(0.3, int(flying.sum())).astype(np.float32)
    if rng.uniform() < 0.5:
        holes = _smooth_field(size, int(rng.choice([4, 8, 16])), rng)
        measured[holes > rng.uniform(0.8, 2.0)] = np.nan
    if rng.uniform() < 0.3:
        measured[rng.uniform(size=depth.shape) < rng.uniform(0.02, 0.4)] = np.nan
    return measured


def _smooth_field(size: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of about unit variance that varies over size / cells pixels, f32 (size, size)."""
    coarse = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) * 1.2


def _blur(image: np.ndarray, passes: int) -> np.ndarray:
    """The image (S, S, C) after that many 3 x 3 binomial filters."""
    for _ in range(passes):
        for axis in (0, 1):
            last = len(image) - 1
            before = image.take([0, *range(last)], axis)
            after = image.take([*range(1, last + 1), last], axis)
            image = 0.5 * image + 0.25 * (before + after)
    return image


def _coarsened(picture: Image.Image, factor: float) -> Image.Image:
    """The picture as if taken with that many times fewer pixels."""
    small = picture.resize(
        (round(picture.width / factor), round(picture.height / factor)), Image.Resampling.BOX
    )
    return small.resize(picture.size, Image.Resampling.BILINEAR)
