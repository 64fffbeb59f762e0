# SPDX-License-Identifier: Apache-2.0
"""How exact a measured depth is."""

import numpy as np

DEPTH_FLOOR, DEPTH_GROWTH = 1e-3, 1.1e-3  # [m], [1/m]


def depth_sigma(depth: np.ndarray) -> np.ndarray:
    """One standard deviation of measured depths, likewise in [m] (Nguyen 2012, eq. 3)."""
    return DEPTH_FLOOR + DEPTH_GROWTH * depth * depth
