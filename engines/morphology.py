# SPDX-License-Identifier: Apache-2.0
"""Masks grown and shrunk by a pixel."""

import numpy as np


def dilated(mask: np.ndarray, *, corners: bool = False) -> np.ndarray:
    """The mask and the pixels that touch it along a side, bool (H, W).

    Args:
        mask: bool (H, W).
        corners: whether those that touch it at a corner count as well.
    """
    padded = np.pad(mask, 1)
    columns = padded[:-2] | padded[1:-1] | padded[2:]
    if corners:
        return columns[:, :-2] | columns[:, 1:-1] | columns[:, 2:]
    return columns[:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def eroded(mask: np.ndarray) -> np.ndarray:
    """The mask without the pixels that touch its outside along a side, bool (H, W).

    Beyond the border of the picture is outside.

    Args:
        mask: bool (H, W).
    """
    padded = np.pad(mask, 1)
    inside = mask & padded[:-2, 1:-1] & padded[2:, 1:-1]
    return inside & padded[1:-1, :-2] & padded[1:-1, 2:]
