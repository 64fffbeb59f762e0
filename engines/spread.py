# SPDX-License-Identifier: Apache-2.0
"""Values spread from the pixels that have them to their neighbours."""

import numpy as np


def spread(values: np.ndarray, known: np.ndarray, *, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The values with unknown pixels filled from their known neighbours, step by step.

    Each step gives the unknown pixels beside known ones the mean of those; known pixels keep
    their values.

    Args:
        values: f32 (H, W, C), finite where known.
        known: Pixels that have values, bool (H, W).
        steps: Pixels over which values travel.

    Returns:
        The values, f32 (H, W, C), 0 where still unknown, and where they are known now.
    """
    layers = np.dstack([np.where(known[..., None], values, 0.0), known]).astype(np.float32)
    for _ in range(steps):
        padded = np.pad(layers, ((1, 1), (1, 1), (0, 0)))
        around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        around /= np.maximum(around[..., -1:], 1.0)
        layers = np.where(layers[..., -1:] > 0, layers, around)
    return layers[..., :-1], layers[..., -1] > 0
