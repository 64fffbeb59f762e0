# SPDX-License-Identifier: Apache-2.0
"""Small rigid motions: a shift and a turn about a centre, as six numbers."""

import numpy as np


def cross_matrix(v: np.ndarray) -> np.ndarray:
    """`[v]`, with `[v] u = v x u`, of a vector (3,): f64 (3, 3)."""
    x, y, z = v
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def rotation_of(vector: np.ndarray) -> np.ndarray:
    """The rotation by |v| [rad] about v (3,): `I + sin a/a [v] + (1 - cos a)/a^2 [v]^2`.

    The formula is Rodrigues's (1840).

    >>> rotation_of(np.array([0, 0, np.pi / 2])).round(6).tolist()  # x goes to y
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle = np.linalg.norm(vector)
    V = cross_matrix(vector)
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * V + second * (V @ V)


def rotation_vector(R: np.ndarray) -> np.ndarray:
    """The axis times the angle [rad] of a rotation (3, 3) by less than half a turn, f64 (3,)."""
    twice_sine = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    angle = np.arctan2(np.linalg.norm(twice_sine) / 2, (np.trace(R) - 1) / 2)
    return twice_sine / (2 * np.sinc(angle / np.pi))


def moved(T: np.ndarray, motion: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """T after a motion about a centre: `p -> R(w) (p - c) + c + v`.

    Args:
        T: (4, 4) rigid [m].
        motion: (6,): v [m], then w [rad].
        centre: (3,) [m].

    Returns:
        f64 (4, 4) [m].
    """
    R = rotation_of(motion[3:])
    after = np.eye(4)
    after[:3, :3] = R @ T[:3, :3]
    after[:3, 3] = R @ (T[:3, 3] - centre) + centre + motion[:3]
    return after


def distance_from(
    T: np.ndarray, given: np.ndarray, centre: np.ndarray, sigma_t: float, sigma_r: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of `|t - t_given|^2 / sigma_t^2 + |w(R R_given^T)|^2 / sigma_r^2`.

    Args:
        T: (4, 4) [m].
        given: (4, 4) [m].
        centre: (3,) [m], of the motions that T is moved by next.
        sigma_t: [m].
        sigma_r: [rad].

    Returns:
        A f64 (6, 6) and b f64 (6,): the motion `-A^-1 b` brings T back.
    """
    J = np.eye(6)
    J[:3, 3:] = -cross_matrix(T[:3, 3] - centre)  # w x o = -[o] w
    off = np.concatenate([T[:3, 3] - given[:3, 3], rotation_vector(T[:3, :3] @ given[:3, :3].T)])
    weighted = J.T * np.repeat([sigma_t**-2, sigma_r**-2], 3)
    return weighted @ J, weighted @ off
