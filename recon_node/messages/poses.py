# SPDX-License-Identifier: Apache-2.0
"""Poses of messages as rigid transforms. Quaternions are in ROS's order, x y z w."""

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import as_transform

NORM_TOLERANCE = 1e-2  # of a quaternion from 1: what single precision and printing leave


def transform_of(pose: object) -> np.ndarray:
    """`T_frame_object` f64 (4, 4) [m] of a `geometry_msgs/Pose`, the pose of an object in a frame.

    Raises:
        InvalidInputError: The quaternion is zero, not of length 1, or a number is not finite.
    """
    p, q = pose.position, pose.orientation
    return rigid_transform((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))


def set_pose(pose: object, T_frame_object: np.ndarray) -> None:
    """Nothing; fills a `geometry_msgs/Pose` with a rigid transform (4, 4) [m]."""
    p, q = pose.position, pose.orientation
    p.x, p.y, p.z = (float(value) for value in T_frame_object[:3, 3])
    q.x, q.y, q.z, q.w = quaternion_xyzw(T_frame_object[:3, :3]).tolist()


def rigid_transform(t: tuple[float, ...], q_xyzw: tuple[float, ...]) -> np.ndarray:
    """The rigid transform f64 (4, 4) of a translation and a quaternion.

    >>> rigid_transform((1, 2, 3), (0, 0, 1, 0)).tolist()  # half a turn about z
    [[-1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 0.0, 2.0], [0.0, 0.0, 1.0, 3.0], [0.0, 0.0, 0.0, 1.0]]

    Args:
        t: Three numbers [m].
        q_xyzw: Four numbers, of length 1.

    Raises:
        InvalidInputError: The quaternion is zero, not of length 1, or a number is not finite.
    """
    q = np.array(q_xyzw, np.float64)
    length = float(np.linalg.norm(q))
    if not abs(length - 1) <= NORM_TOLERANCE:  # NaN fails too
        raise InvalidInputError(
            f"the orientation x y z w = {q.tolist()} has the length {length:.4g}, but a rotation "
            "has 1; a message that was never filled has zeros: set w to 1 for no rotation"
        )
    x, y, z, w = q / length
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = t
    return as_transform(T + 0.0, name="the pose")  # + 0.0: no -0.0


def quaternion_xyzw(R: np.ndarray) -> np.ndarray:
    """The unit quaternion x y z w of a rotation (3, 3), f64 (4,), with w >= 0.

    The largest of the four squares is taken as the divisor (Shepperd 1978), so that half turns
    are as exact as any other.

    >>> quaternion_xyzw(np.diag([-1.0, -1.0, 1.0])).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    R = np.asarray(R, np.float64)
    squares = np.array([*(2 * np.diag(R) - np.trace(R)), np.trace(R)]) + 1  # 4 x^2, ..., 4 w^2
    # Four times the products of each pair of components; the diagonal is filled from the squares.
    products = np.zeros((4, 4))
    products[:3, :3] = R + R.T
    products[3, :3] = products[:3, 3] = (
        R[2, 1] - R[1, 2],
        R[0, 2] - R[2, 0],
        R[1, 0] - R[0, 1],
    )
    np.fill_diagonal(products, squares)
    q = products[squares.argmax()]
    q = q / np.linalg.norm(q)
    return (-q if q[3] < 0 else q) + 0.0
