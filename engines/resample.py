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
    x0, x1 = _whole_blocks(x0, x1, block_x, width)
    y0, y1 = _whole_blocks(y0, y1, block_y, height)
    pixels = _padded_means(image[y0:y1, x0:x1], mask[y0:y1, x0:x1], block_x, block_y)

    sums = np.zeros((4, size, size), dtype=np.float32)
    for i, j in np.ndindex(samples, samples):
        centres_x = np.arange(size) + (i + 0.5) / samples
        centres_y = np.arange(size) + (j + 0.5) / samples
        x, y = map_pixels(H_source_target, centres_x[None, :], centres_y[:, None])
        # Index 0 is the padding: the first block's centre, half a block in, has the index 1.
        sums += _bilinear(pixels, (x - x0) / block_x + 0.5, (y - y0) / block_y + 0.5)
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


def _whole_blocks(start: int, end: int, block: int, length: int) -> tuple[int, int]:
    """The interval [px] clipped to the image, then grown to whole blocks as far as it goes."""
    start, end = int(np.clip(start, 0, length - 1)), int(np.clip(end, 1, length))
    end = max(end, start + 1)
    return start, min(start + -(-(end - start) // block) * block, length)


def _padded_means(image: np.ndarray, mask: np.ndarray, block_x: int, block_y: int) -> np.ndarray:
    """Means over blocks with one more on every side: there the image goes on, the mask ends.

    Args:
        image: u8 (h, w, 3); the last blocks may be cut short by the image's border.
        mask: bool (h, w).
        block_x: block width [px].
        block_y: block height [px].

    Returns:
        f32 (rows + 2, columns + 2, 4): red, green, blue, coverage.
    """
    height, width = mask.shape
    rows, columns = -(-height // block_y), -(-width // block_x)
    means = np.zeros((rows + 2, columns + 2, 4), dtype=np.float32)
    inner = means[1:-1, 1:-1]
    inner[..., :3] = _block_sums(image, block_x, block_y)
    inner[..., 3:] = _block_sums(mask[..., None].view(np.uint8), block_x, block_y)
    if block_x > 1 or block_y > 1:
        means /= block_x * block_y
        # Blocks cut short have fewer colours to average, and no mask in what is missing.
        inner[-1, :, :3] *= block_y / (height - (rows - 1) * block_y)
        inner[:, -1, :3] *= block_x / (width - (columns - 1) * block_x)
    means[[0, -1]] = means[[1, -2]]
    means[:, [0, -1]] = means[:, [1, -2]]
    for rim in (means[0], means[-1], means[:, 0], means[:, -1]):
        rim[..., 3] = 0
    return means


def _block_sums(pixels: np.ndarray, block_x: int, block_y: int) -> np.ndarray:
    """Sums over blocks of u8 (h, w, C) pixels, the last of them not full: (rows, columns, C)."""
    if block_x == block_y == 1:
        return pixels
    height, width, channels = pixels.shape
    wide = np.uint16 if block_y <= 257 else np.uint32
    by_rows = np.zeros((-(-height // block_y), width, channels), dtype=wide)
    for i in range(min(block_y, height)):
        lines = pixels[i::block_y]
        by_rows[: len(lines)] += lines
    sums = np.zeros((len(by_rows), -(-width // block_x), channels), dtype=np.float32)
    for i in range(min(block_x, width)):
        lines = by_rows[:, i::block_x]
        sums[:, : lines.shape[1]] += lines
    return sums


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
