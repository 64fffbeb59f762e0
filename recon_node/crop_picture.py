# SPDX-License-Identifier: Apache-2.0
"""A crop for people to look at: its surroundings faded, the outline of its mask drawn."""

import numpy as np
from PIL import Image, ImageFilter

from recon_node.engines.crop import Crop

_OUTLINE = (255, 51, 119)


def input_picture(crop: Crop) -> Image.Image:
    """The crop with its surroundings faded and the outline of its mask."""
    smooth = _smooth_mask(crop)
    image = crop.image.astype(np.float32)
    gray = image @ np.array([0.299, 0.587, 0.114], np.float32)
    faded = 0.5 * (0.55 * gray[..., None] + 0.45 * image) + 0.5 * 236
    return _outlined(faded + smooth[..., None] * (image - faded), smooth)


def with_outline(picture: Image.Image, crop: Crop) -> Image.Image:
    """Any picture from the crop's camera with the outline of the crop's mask."""
    return _outlined(np.asarray(picture.convert("RGB"), np.float32), _smooth_mask(crop))


def _smooth_mask(crop: Crop) -> np.ndarray:
    """The mask without the stairs of the source's pixels, f32 (S, S), 0 to 1."""
    coverage = Image.fromarray(np.round(255 * crop.mask).astype(np.uint8))
    magnification = crop.camera.focal[0] / crop.source_camera.focal[0]
    blur = ImageFilter.GaussianBlur(float(np.clip(0.7 * magnification, 1.6, 8)))
    return np.asarray(coverage.filter(blur), np.float32) / 255


def _outlined(image: np.ndarray, smooth: np.ndarray) -> Image.Image:
    slope = np.hypot(*np.gradient(smooth))
    line = np.clip(2.0 - np.abs(smooth - 0.5) / np.maximum(slope, 1e-3), 0, 1)[..., None]
    image = image + line * (np.array(_OUTLINE, np.float32) - image)
    return Image.fromarray(np.round(image).astype(np.uint8))
