# SPDX-License-Identifier: Apache-2.0
"""Poses of messages against rotations that are known, and there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import InvalidInputError
from recon_node.messages.poses import quaternion_xyzw, rigid_transform, set_pose, transform_of

HALF = np.sqrt(0.5)


@pytest.mark.parametrize(
    "q_xyzw, x_goes_to, y_goes_to",
    [
        ((0, 0, 0, 1), (1, 0, 0), (0, 1, 0)),
        ((HALF, 0, 0, HALF), (1, 0, 0), (0, 0, 1)),
        ((0, HALF, 0, HALF), (0, 0, -1), (0, 1, 0)),
        ((0, 0, HALF, HALF), (0, 1, 0), (-1, 0, 0)),
    ],
)
def test_quarter_turns_are_right_handed(make, q_xyzw, x_goes_to, y_goes_to):
    T = transform_of(make.pose((1, 2, 3), q_xyzw))
    np.testing.assert_allclose(T[:3, 0], x_goes_to, atol=1e-12)
    np.testing.assert_allclose(T[:3, 1], y_goes_to, atol=1e-12)
    np.testing.assert_array_equal(T[:3, 3], (1, 2, 3))


numbers = st.floats(-1, 1)


@given(st.tuples(numbers, numbers, numbers, numbers), st.tuples(numbers, numbers, numbers))
def test_there_and_back(q, t):
    q = np.array(q)
    if np.linalg.norm(q) < 1e-3:
        q = np.array([0.0, 0.0, 1.0, 0.0])
    q /= np.linalg.norm(q)
    T = rigid_transform(t, q)
    again = quaternion_xyzw(T[:3, :3])
    np.testing.assert_allclose(again * np.sign(again @ q), q, atol=1e-9)
    np.testing.assert_allclose(rigid_transform(t, again), T, atol=1e-9)


def test_set_pose_is_undone_by_transform_of(make, rng):
    T = rigid_transform((0.1, -2, 3), (0.5, -0.5, 0.5, 0.5))
    pose = make.pose((0, 0, 0), (0, 0, 0, 1))
    set_pose(pose, T)
    assert type(pose.position.x) is float and type(pose.orientation.w) is float
    np.testing.assert_allclose(transform_of(pose), T, atol=1e-12)


def test_single_precision_is_accepted_and_made_exact(make):
    q = np.float32([0.1, 0.2, 0.3, 0.9273618])
    T = transform_of(make.pose((0, 0, 0), q.tolist()))
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    "q, words",
    [
        ((0, 0, 0, 0), "length 0, but a rotation has 1.*set w to 1"),
        ((0, 0, 0, 1.1), "has the length 1.1"),
        ((0, 0, np.nan, 1), "has the length nan"),
    ],
)
def test_what_is_no_rotation_is_refused(make, q, words):
    with pytest.raises(InvalidInputError, match=words):
        transform_of(make.pose((0, 0, 0), q))


def test_a_place_that_is_not_finite_is_refused(make):
    with pytest.raises(InvalidInputError, match="the pose has a NaN or infinite entry"):
        transform_of(make.pose((0, np.inf, 0), (0, 0, 0, 1)))


@pytest.mark.ros
def test_a_pose_of_rclpy_is_filled_and_read():
    from geometry_msgs.msg import Pose

    T = rigid_transform((0.1, -2, 3), (0.5, -0.5, 0.5, 0.5))
    pose = Pose(check_fields=True)
    set_pose(pose, T)
    np.testing.assert_allclose(transform_of(pose), T, atol=1e-12)
