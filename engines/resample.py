# SPDX-License-Identifier: Apache-2.0
"""Pictures resampled through a homography, antialiased, touching only the pixels that show."""

from __future__ import annotations

import numpy as np

# Bilinear samples at most this far apart [px] leave no source pixel out.
SAMPLE_SPACING = 1.5
# Source pixels along a crop pixel above which blocks of them are averaged first.
LARGEST_STEP = 3.0
SMALLEST_W = 1e-6  # of a ray in front of the source camera, whose optical axis has 1
FAR = 1_000_000_000  # [px], outside of every image


def map_pixels(H_source_target: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Source pixels of target pixels: `(x', y') = (h0, h1) / h2`, `h = H (x, y, 1)`.

    Args:
        H_source_target: (3, 3).
        x: [px], target.
        y: [px], target; broadcast against x.

    Returns:
        f64 (2, ...) [px]; far outside for what lies behind the source camera (h2 <= 0).
    """
    H = H_source_target
    numerator_x = H[0, 0] * x + (H[0, 1] * y + H[0, 2])
    numerator_y = H[1, 0] * x + (H[1, 1] * y + H[1, 2])
    w = H[2, 0] * x + (H[2, 1] * y + H[2, 2])
    behind = w < SMALLEST_W
    if behind.any():
        w = np.maximum(w, SMALLEST_W)
        numerator_x = np.where(behind, -FAR, numerator_x)
    return np.stack([numerator_x / w, numerator_y / w])


def resample(
    image: np.ndarray, mask: np.ndarray, H_source_target: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The image and the mask's coverage as a square target sees them.

    Where the target is coarser, blocks of source pixels are averaged until at most LARGEST_STEP
    of them span a target pixel; then each target pixel is the mean of bilinear samples on a
    regular grid. Beyond the image its edge goes on and the mask is empty.

    Args:
        image: u8 (H, W, 3).
        mask: bool (H, W).
        H_source_target: (3, 3), source pixel from target pixel.
        size: side of the target [px].

    Returns:
        u8 (size, size, 3), and f32 (size, size) coverage from 0 to 1.
    """
    height, width = mask.shape
    step_x, step_y = _steps(H_source_target, size)
    block_x, block_y = (max(1, int(np.ceil(step / LARGEST_STEP))) for step in (step_x, step_y))
    samples = int(np.ceil(max(step_x / block_x, step_y / block_y) / SAMPLE_SPACING))
    x0, y0, x1, y1 = _footprint(H_source_target, size, margin=(2 * block_x, 2 * block_y))
    x0, x1 = np.clip((x0, x1), 0, width)
    y0, y1 = np.clip((y0, y1), 0, height)
    block_x, block_y = min(block_x, x1 - x0), min(block_y, y1 - y0)
    pixels = np.concatenate(
        [
            _block_means(image[y0:y1, x0:x1], block_x, block_y),
            _block_means(mask[y0:y1, x0:x1, None].view(np.uint8), block_x, block_y),
        ],
        axis=2,
    )  # (h, w, 4)

    sums = np.zeros((4, size, size), dtype=np.float32)
    for i, j in np.ndindex(samples, samples):
        centres_x = np.arange(size) + (i + 0.5) / samples
        centres_y = np.arange(size) + (j + 0.5) / samples
        x, y = map_pixels(H_source_target, centres_x[None, :], centres_y[:, None])
        values = _bilinear(pixels, (x - x0) / block_x - 0.5, (y - y0) / block_y - 0.5)
        values[3] *= (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        sums += values
    sums /= samples * samples
    rgb = np.ascontiguousarray(np.moveaxis(sums[:3] + 0.5, 0, -1)).astype(np.uint8)
    return rgb, sums[3].copy()


def _steps(H_source_target: np.ndarray, size: int) -> tuple[float, float]:
    """Source pixels along x and along y that one target pixel spans, at the target's centre."""
    middle = size / 2
    x, y = np.array([middle, middle + 1, middle]), np.array([middle, middle, middle + 1])
    source = map_pixels(H_source_target, x, y)
    across = np.abs(source[:, 1:] - source[:, :1])  # (2, 2)
    return float(across[0].max()), float(across[1].max())


def _footprint(
    H_source_target: np.ndarray, size: int, margin: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom [px] of the source pixels under the target, and a margin."""
    corners = np.array([[0.0, size, 0.0, size], [0.0, 0.0, size, size], [1.0] * 4])
    if (H_source_target[2] @ corners < SMALLEST_W).any():
        return -FAR, -FAR, FAR, FAR
    x, y = np.clip(map_pixels(H_source_target, corners[0], corners[1]), -FAR, FAR)
    return (
        int(np.floor(x.min())) - margin[0],
        int(np.floor(y.min())) - margin[1],
        int(np.ceil(x.max())) + margin[0],
        int(np.ceil(y.max())) + margin[1],
    )


def _block_means(pixels: np.ndarray, block_x: int, block_y: int) -> np.ndarray:
    """Means over blocks of u8 (h, w, C) pixels: f32 (h // block_y, w // block_x, C).

    A last block that is not full is left out; reading beyond the last one repeats it.
    """
    if block_x == block_y == 1:
        return pixels.astype(np.float32)
    rows, columns = pixels.shape[0] // block_y, pixels.shape[1] // block_x
    pixels = pixels[: rows * block_y, : columns * block_x]
    sums = pixels[::block_y].astype(np.uint16 if block_y <= 257 else np.uint32)
    for i in range(1, block_y):
        sums += pixels[i::block_y]
    means = sums[:, ::block_x].astype(np.float32)
    for i in range(1, block_x):
        means += sums[:, i::block_x]
    return means / np.float32(block_x * block_y)


def _bilinear(pixels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values between the f32 (h, w, C) pixels at index coordinates: f32 (C, ...); edges go on."""
    height, width, channels = pixels.shape
    x = np.minimum(np.maximum(x, 0), width - 1)
    y = np.minimum(np.maximum(y, 0), height - 1)
    left, top = x.astype(np.int64), y.astype(np.int64)
    weight_x, weight_y = (x - left).astype(np.float32), (y - top).astype(np.float32)
    right = np.minimum(left + 1, width - 1)
    above, below = top * width, np.minimum(top + 1, height - 1) * width
    flat = pixels.reshape(-1, channels)
    # Whole pixels are gathered, then turned channel first: both are several times faster.
    corners = (above + left, above + right, below + left, below + right)
    a, b, c, d = (np.ascontiguousarray(np.moveaxis(flat.take(i, axis=0), -1, 0)) for i in corners)
    upper = a + (b - a) * weight_x
    lower = c + (d - c) * weight_x
    return upper + (lower - upper) * weight_y
