# SPDX-License-Identifier: Apache-2.0
"""Which of several keyframes show the same object at the same place, and from where."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from recon_node.engines.keyframes.agreement import agree, agreement
from recon_node.engines.keyframes.keyframe import Keyframe, with_T_world_camera
from recon_node.engines.keyframes.matching import NOISE
from recon_node.engines.keyframes.registration import (
    SIGMA_ROTATION,
    SIGMA_TRANSLATION,
    register,
)

FINE = 2 * NOISE  # between surfaces of cameras that fit [m]
LEAST_GAIN = 0.05  # of the share of points that contradict, for cameras to be moved


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


def registered(keyframes: Sequence[Keyframe]) -> list[Keyframe]:
    """The keyframes with their cameras registered, or as they are if that helps nothing.

    Registration is exact to about a millimetre and can go wrong where few points are seen twice,
    so cameras that fit as they are given stay where they are.

    Args:
        keyframes: with the cameras' given poses; of one object, at one place.
    """
    places = register(keyframes).T_world_cameras
    moved = [
        with_T_world_camera(keyframe, T) for keyframe, T in zip(keyframes, places, strict=True)
    ]
    gain = _contradiction(keyframes) - _contradiction(moved)
    return moved if gain > LEAST_GAIN else list(keyframes)


def _contradiction(keyframes: Sequence[Keyframe]) -> float:
    """Share of the points compared between every two that contradict."""
    found = [agreement(a, b, tolerance=FINE) for a, b in itertools.combinations(keyframes, 2)]
    contradicted = sum(each.contradicted for each in found)
    return contradicted / max(sum(each.compared for each in found), 1)
