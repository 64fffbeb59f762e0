# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms `T_a_b` and similarities `S_a_b`: both map coordinates in b to coordinates in a.

Neighbours cancel: `T_a_c = T_a_b @ T_b_c`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.arrays import as_points
from recon_node.engines.errors import InvalidInputError

ROTATION_TOLERANCE = 1e-4  # of R R^T - I: a pose printed with five digits is still accepted


def as_transform(T: object, *, name: str = "T") -> np.ndarray:
    """The rigid transform as a read-only f64 (4, 4), its rotation exact to rounding.

    A rotation off by less than `ROTATION_TOLERANCE` (as printed numbers are) is replaced by the
    nearest true one.

    Args:
        T: (4, 4) [m].
        name: what to call it in the message.

    Returns:
        f64 (4, 4), a copy.

    Raises:
        InvalidInputError: not 4x4, not finite, last row not 0 0 0 1, or not a rotation.
    """
    try:
        T = np.array(T, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not a matrix of numbers: {error}") from error
    if T.shape != (4, 4):
        raise InvalidInputError(f"{name} has shape {T.shape}, but must be (4, 4)")
    if not np.isfinite(T).all():
        raise InvalidInputError(f"{name} has a NaN or infinite entry; is the pose known?")
    if not np.allclose(T[3], (0.0, 0.0, 0.0, 1.0), atol=1e-9):
        raise InvalidInputError(
            f"{name} has the last row {T[3].tolist()}, but must end in 0 0 0 1; is it transposed?"
        )
    T[3] = (0.0, 0.0, 0.0, 1.0)
    T[:3, :3] = as_rotation(T[:3, :3], name=f"the rotation of {name}")
    T.flags.writeable = False
    return T


def as_rotation(R: object, *, name: str = "R") -> np.ndarray:
    """The rotation as f64 (3, 3), exact to rounding.

    Args:
        R: (3, 3), orthonormal to `ROTATION_TOLERANCE`.
        name: what to call it in the message.

    Returns:
        f64 (3, 3), a copy.

    Raises:
        InvalidInputError: another shape, scaled, sheared or mirrored.
    """
    R = np.array(R, dtype=np.float64)
    if R.shape != (3, 3) or not np.isfinite(R).all():
        raise InvalidInputError(f"{name} must be a finite (3, 3) matrix, got shape {R.shape}")
    error = np.abs(R @ R.T - np.eye(3)).max()
    if error > ROTATION_TOLERANCE:
        raise InvalidInputError(
            f"{name} is not orthonormal (off by {error:.2g}, allowed {ROTATION_TOLERANCE}); "
            "take scale and shear out of it"
        )
    if np.linalg.det(R) < 0:
        raise InvalidInputError(f"{name} mirrors (determinant -1); flip one axis")
    if error > 1e-12:
        U, _, Vt = np.linalg.svd(R)
        R = U @ Vt
    return R


def invert(T_a_b: np.ndarray) -> np.ndarray:
    """`T_b_a`, the inverse of a rigid transform: (R^T, -R^T t).

    Args:
        T_a_b: (4, 4) rigid [m].

    Returns:
        f64 (4, 4) [m].
    """
    T_a_b = np.asarray(T_a_b, dtype=np.float64)
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = T_a_b[:3, :3].T
    T_b_a[:3, 3] = -T_a_b[:3, :3].T @ T_a_b[:3, 3]
    return T_b_a


def transform_points(T_a_b: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """The points in frame a: `p_a = R p_b + t`.

    Args:
        T_a_b: (4, 4) rigid [m].
        points_b: (N, 3) [m, frame b].

    Returns:
        f64 (N, 3) [m, frame a].
    """
    T_a_b = np.asarray(T_a_b, dtype=np.float64)
    return as_points("points", points_b, 3) @ T_a_b[:3, :3].T + T_a_b[:3, 3]


def look_at(eye: object, target: object, up: object) -> np.ndarray:
    """`T_world_camera` of a camera at `eye` that sees `target` in its centre (OpenCV axes).

    >>> T = look_at(eye=(0, -2, 0), target=(0, 0, 0), up=(0, 0, 1))
    >>> T[:3, 2].tolist()  # the optical axis, in the world: along +y
    [0.0, 1.0, 0.0]
    >>> T[:3, 1].tolist()  # image down is world down
    [0.0, 0.0, -1.0]

    Args:
        eye: (3,) [m, world].
        target: (3,) [m, world].
        up: (3,) direction in the world that image-up is to be closest to.

    Returns:
        f64 (4, 4) [m].

    Raises:
        InvalidInputError: eye and target coincide, or up lies along the line of sight.
    """
    eye, target, up = (np.asarray(v, dtype=np.float64) for v in (eye, target, up))
    z_axis = target - eye
    x_axis = np.cross(z_axis, up)
    lengths = np.linalg.norm(z_axis), np.linalg.norm(x_axis)
    if not lengths[1] > 1e-9 * lengths[0] * np.linalg.norm(up):
        raise InvalidInputError(
            f"look_at cannot tell the roll: eye {eye.tolist()}, target {target.tolist()} and up "
            f"{up.tolist()} are on one line; choose another up"
        )
    z_axis, x_axis = z_axis / lengths[0], x_axis / lengths[1]
    T = np.eye(4)
    T[:3, :3] = np.stack([x_axis, np.cross(z_axis, x_axis), z_axis], axis=1) + 0.0  # no -0.0
    T[:3, 3] = eye
    return T


def rotation_between(a: object, b: object) -> np.ndarray:
    """The smallest rotation R that turns direction a into direction b: `R a/|a| = b/|b|`.

    For opposite directions, where the axis is free, it is a half turn about some axis across a.

    Args:
        a: (3,) any length but zero.
        b: (3,) any length but zero.

    Returns:
        f64 (3, 3).

    Raises:
        InvalidInputError: a direction has no length.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if not min(lengths) > 0:
        raise InvalidInputError(f"a direction has no length: {a.tolist()}, {b.tolist()}")
    a, b = a / lengths[0], b / lengths[1]
    # Two reflections make the rotation; the half vector is well conditioned unless b = -a.
    half = a + b
    if np.linalg.norm(half) < 1e-7:
        across = np.cross(a, np.eye(3)[np.abs(a).argmin()])
        across /= np.linalg.norm(across)
        return 2.0 * np.outer(across, across) - np.eye(3)
    half /= np.linalg.norm(half)
    reflect_a = np.eye(3) - 2.0 * np.outer(a, a)
    reflect_half = np.eye(3) - 2.0 * np.outer(half, half)
    return reflect_half @ reflect_a


@dataclass(frozen=True, eq=False)
class Similarity:
    """The map `p_a = scale * R @ p_b + t`, called `S_a_b`.

    Attributes:
        scale: length in a of a unit length in b, > 0.
        R: f64 (3, 3) rotation `R_a_b`.
        t: f64 (3,), the origin of b in a.
    """

    scale: float
    R: np.ndarray
    t: np.ndarray

    def __post_init__(self) -> None:
        scale = float(self.scale)
        if not (np.isfinite(scale) and scale > 0):
            raise InvalidInputError(f"Similarity.scale must be finite and > 0, got {scale}")
        R = as_rotation(self.R, name="Similarity.R")
        t = np.array(self.t, dtype=np.float64)
        if t.shape != (3,) or not np.isfinite(t).all():
            raise InvalidInputError(f"Similarity.t must be finite (3,), got {t}")
        for array in (R, t):
            array.flags.writeable = False
        for name, value in (("scale", scale), ("R", R), ("t", t)):
            object.__setattr__(self, name, value)

    @classmethod
    def identity(cls) -> Similarity:
        """The similarity that changes nothing."""
        return cls(1.0, np.eye(3), np.zeros(3))

    @classmethod
    def from_transform(cls, T_a_b: np.ndarray) -> Similarity:
        """The rigid transform `T_a_b` (4, 4) as a similarity of scale 1."""
        T_a_b = as_transform(T_a_b)
        return cls(1.0, T_a_b[:3, :3], T_a_b[:3, 3])

    def apply(self, points_b: np.ndarray) -> np.ndarray:
        """The points (N, 3) of frame b in frame a, f64 (N, 3)."""
        return self.scale * (as_points("points", points_b, 3) @ self.R.T) + self.t

    def inverse(self) -> Similarity:
        """`S_b_a`: `p_b = R^T (p_a - t) / scale`."""
        return Similarity(1.0 / self.scale, self.R.T, -(self.R.T @ self.t) / self.scale)

    def __matmul__(self, other: Similarity) -> Similarity:
        """`S_a_c = S_a_b @ S_b_c`."""
        if not isinstance(other, Similarity):
            return NotImplemented
        return Similarity(
            self.scale * other.scale,
            self.R @ other.R,
            self.scale * (self.R @ other.t) + self.t,
        )

    def rigid(self) -> np.ndarray:
        """Rotation and translation without the scale, f64 (4, 4): b's axes and origin in a."""
        T_a_b = np.eye(4)
        T_a_b[:3, :3], T_a_b[:3, 3] = self.R, self.t
        return T_a_b

    def matrix(self) -> np.ndarray:
        """The same map as f64 (4, 4): `[[scale R, t], [0, 1]]`."""
        M = np.eye(4)
        M[:3, :3] = self.scale * self.R
        M[:3, 3] = self.t
        return M
