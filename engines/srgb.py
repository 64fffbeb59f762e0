# SPDX-License-Identifier: Apache-2.0
"""sRGB and linear light (IEC 61966-2-1)."""

import numpy as np


def to_linear(colors: np.ndarray) -> np.ndarray:
    """Linear light, f32 in [0, 1] of any shape, of sRGB colours u8."""
    encoded = np.arange(256) / 255
    table = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return table.astype(np.float32)[colors]


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """sRGB colours u8 of linear light f32; what lies outside [0, 1] is clipped."""
    linear = np.clip(linear, 0, 1)
    curve = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.round(255 * np.where(linear <= 0.0031308, 12.92 * linear, curve)).astype(np.uint8)
