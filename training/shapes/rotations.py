# SPDX-License-Identifier: Apache-2.0
"""Random orientations of an object on a table or in a hand, as rotation matrices (3, 3)."""

from __future__ import annotations

import numpy as np

ON_SIDE = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=float)
ON_EDGE = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=float)


def any_rotation(rng: np.random.Generator) -> np.ndarray:
    """Returns a rotation uniform over all orientations (Shoemake 1992)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])


def quarter_turn(rng: np.random.Generator) -> np.ndarray:
    """Returns one of the 24 rotations that map the axes onto axes."""
    turned = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], size=3)
    return turned * np.linalg.det(turned)
