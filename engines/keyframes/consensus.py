# SPDX-License-Identifier: Apache-2.0
"""Which of several keyframes show the same object at the same place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recon_node.engines.keyframes.agreement import agree
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.registration import SIGMA_ROTATION, SIGMA_TRANSLATION


def outliers(keyframes: Sequence[Keyframe]) -> list[int]:
    """Places of the keyframes that contradict more of the others than they agree with, ascending.

    Every two are compared; the one with the worst balance leaves, until nobody has a bad one. The
    first keyframe never leaves, as it says where the object is.

    Args:
        keyframes: with the cameras' given poses.
    """
    count = len(keyframes)
    balance = np.zeros((count, count), np.int64)
    for i in range(count):
        for j in range(i):
            answer = agree(
                keyframes[i],
                keyframes[j],
                sigma_translation=SIGMA_TRANSLATION,
                sigma_rotation=SIGMA_ROTATION,
            )
            balance[i, j] = balance[j, i] = 0 if answer is None else (1 if answer else -1)
    left = np.ones(count, bool)
    while True:
        sums = np.where(left, balance[:, left].sum(axis=1), 0)
        sums[0] = 0
        worst = int(sums.argmin())
        if sums[worst] >= 0:
            return np.flatnonzero(~left).tolist()
        left[worst] = False
