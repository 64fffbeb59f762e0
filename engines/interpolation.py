# SPDX-License-Identifier: Apache-2.0
"""The rigid transform between two, as a moving camera passes through it."""

import numpy as np


def interpolate(T_a_b: np.ndarray, T_a_c: np.ndarray, share: float) -> np.ndarray:
    """The transform a share of the way from `T_a_b` to `T_a_c`, f64 (4, 4) [m].

    The origin moves on a line and the axes turn about one axis at constant speed (Shoemake 1985,
    slerp, written with rotations): `t = (1 - s) t_b + s t_c`, `R = R_a_b (R_b_c)^s`.

    >>> quarter = np.array([[0.0, -1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> interpolate(np.eye(4), quarter, 0.5).round(3).tolist()[0]  # 45 degrees about z
    [0.707, -0.707, 0.0, 0.5]

    Args:
        T_a_b: (4, 4) rigid [m].
        T_a_c: (4, 4) rigid [m].
        share: 0 gives the first, 1 the second; beyond them the motion goes on.
    """
    R_a_b = T_a_b[:3, :3]
    axis, angle = _axis_angle(R_a_b.T @ T_a_c[:3, :3])
    T = np.eye(4)
    T[:3, :3] = R_a_b @ _rotation(axis, share * angle)
    T[:3, 3] = (1 - share) * T_a_b[:3, 3] + share * T_a_c[:3, 3]
    return T


def _axis_angle(R: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit axis (3,) and angle in [0, pi] [rad] of a rotation."""
    twice_sine = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    angle = float(np.arctan2(np.linalg.norm(twice_sine), np.trace(R) - 1))
    if angle < np.pi / 2:
        axis = twice_sine
    else:
        # Near a half turn the sine says little; the columns of the symmetric part lie along the
        # axis: R + R^T = 2 cos I + 2 (1 - cos) a a^T.
        outer = R + R.T - 2 * np.cos(angle) * np.eye(3)
        axis = outer[:, np.diag(outer).argmax()]
        axis = -axis if axis @ twice_sine < 0 else axis
    length = np.linalg.norm(axis)
    return (axis / length, angle) if length > 0 else (np.array([0.0, 0.0, 1.0]), 0.0)


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation (3, 3) by an angle [rad] about a unit axis (Rodrigues 1840)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
