# SPDX-License-Identifier: Apache-2.0
"""Transforms of a bag: chains, static and moving frames, and what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from recon_node.bag_transforms import TransformBuffer
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import invert
from recon_node.messages.poses import quaternion_xyzw, rigid_transform

SECOND = 1_000_000_000  # [ns]
_TYPES = get_typestore(Stores.ROS2_JAZZY).types


def _transform(parent, frame, T_parent_frame, stamp=0):
    """A tf2_msgs/TFMessage of one transform."""
    header = _TYPES["std_msgs/msg/Header"](
        _TYPES["builtin_interfaces/msg/Time"](*divmod(stamp, SECOND)), parent
    )
    transform = _TYPES["geometry_msgs/msg/Transform"](
        _TYPES["geometry_msgs/msg/Vector3"](*T_parent_frame[:3, 3].tolist()),
        _TYPES["geometry_msgs/msg/Quaternion"](*quaternion_xyzw(T_parent_frame[:3, :3]).tolist()),
    )
    stamped = _TYPES["geometry_msgs/msg/TransformStamped"](header, frame, transform)
    return _TYPES["tf2_msgs/msg/TFMessage"]([stamped])


def _at(x, turn=0.0):
    """A frame at x [m], turned about z [rad]."""
    return rigid_transform((x, 0, 0), (0, 0, np.sin(turn / 2), np.cos(turn / 2)))


MOUNT = rigid_transform((0.1, 0.2, 0.3), (-0.5, 0.5, -0.5, 0.5))


@pytest.fixture
def buffer():
    """A robot that drives and turns in the map for a second, with a camera and an arm."""
    buffer = TransformBuffer()
    buffer.add(_transform("base", "camera", MOUNT), is_static=True)
    buffer.add(_transform("base", "arm", _at(0, 1.0)), is_static=True)
    for tenth in range(11):
        buffer.add(
            _transform("map", "base", _at(tenth / 10, tenth / 20), tenth * SECOND // 10),
            is_static=False,
        )
    return buffer


def test_chain_with_interpolation(buffer):
    """Multiply static and moving transforms along the chain, between two stamps evenly."""
    T_map_camera = buffer.lookup("map", "camera", 25 * SECOND // 100)
    np.testing.assert_allclose(T_map_camera, _at(0.25, 0.125) @ MOUNT, atol=1e-9)
    T_camera_map = buffer.lookup("/camera", "/map", 25 * SECOND // 100)
    np.testing.assert_allclose(T_camera_map, invert(T_map_camera), atol=1e-9)


def test_over_a_common_ancestor(buffer):
    """Relate two static frames at any time, whatever the robot does."""
    T_arm_camera = buffer.lookup("arm", "camera", 99 * SECOND)
    np.testing.assert_allclose(T_arm_camera, invert(_at(0, 1.0)) @ MOUNT, atol=1e-9)
    np.testing.assert_array_equal(buffer.lookup("map", "map", 0), np.eye(4))


def test_no_extrapolation(buffer):
    """Know nothing before the first and after the last transform, and say between which."""
    assert buffer.lookup("map", "camera", SECOND) is not None
    assert buffer.lookup("map", "camera", SECOND + 1) is None
    assert buffer.lookup("map", "camera", -1) is None
    assert buffer.explain("map", "camera", 2 * SECOND) == (
        "the transform from 'base' to 'map' is known from 0.000 to 1.000 s, but not at 2.000 s"
    )


def test_unknown_and_unconnected_frames(buffer):
    """Name the frames there are, or the roots that do not meet."""
    buffer.add(_transform("lab", "table", _at(1)), is_static=True)
    assert buffer.lookup("world", "camera", 0) is None
    assert buffer.explain("world", "camera", 0) == (
        "there is no frame 'world' in /tf and /tf_static; "
        "frames: arm, base, camera, lab, map, table"
    )
    assert "frames: none" in TransformBuffer().explain("map", "camera", 0)
    assert buffer.lookup("lab", "camera", 0) is None
    assert "not connected: their roots are 'lab' and 'map'" in buffer.explain("lab", "camera", 0)


def test_bag_that_starts_over(buffer):
    """Forget what moved when the stamps jump back, and keep what is static."""
    buffer.add(_transform("base", "camera", MOUNT), is_static=True)
    buffer.add(_transform("map", "base", _at(5), 9 * SECOND), is_static=False)
    buffer.add(_transform("map", "base", _at(7), 0), is_static=False)
    np.testing.assert_allclose(buffer.lookup("map", "camera", 0), _at(7) @ MOUNT, atol=1e-9)
    assert buffer.lookup("map", "camera", 9 * SECOND) is None


def test_late_transforms_and_new_parents(buffer):
    """Sort in a transform that comes late; follow a frame to another parent."""
    buffer.add(_transform("map", "base", _at(3), SECOND // 20), is_static=False)
    assert buffer.lookup("map", "base", SECOND // 20)[0, 3] == 3
    buffer.add(_transform("odom", "base", _at(9), SECOND), is_static=False)
    assert buffer.lookup("odom", "base", SECOND)[0, 3] == 9
    assert buffer.lookup("map", "base", SECOND) is None


def test_history_is_bounded():
    """Keep half a minute."""
    buffer = TransformBuffer()
    for second in range(100):
        buffer.add(_transform("map", "base", _at(second), second * SECOND), is_static=False)
    assert buffer.lookup("map", "base", 68 * SECOND) is None
    assert buffer.lookup("map", "base", 69 * SECOND)[0, 3] == 69


def test_ring_of_frames():
    """End, where frames are each other's parents."""
    buffer = TransformBuffer()
    buffer.add(_transform("a", "b", _at(1)), is_static=True)
    buffer.add(_transform("b", "a", _at(1)), is_static=True)
    assert buffer.lookup("map", "a", 0) is None
    assert buffer.lookup("a", "b", 0) is not None


def test_bad_transform():
    """Refuse a rotation of zeros when it is needed, and an empty name at once."""
    buffer, message = TransformBuffer(), _transform("map", "base", _at(0))
    message.transforms[0].transform.rotation.w = 0.0
    buffer.add(message, is_static=True)
    with pytest.raises(InvalidInputError, match="has the length 0"):
        buffer.lookup("map", "base", 0)
    with pytest.raises(InvalidInputError, match="empty frame_id"):
        buffer.add(_transform("", "base", _at(0)), is_static=True)


@given(
    parents=st.lists(st.integers(0, 100), min_size=1, max_size=8),
    ends=st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)),
)
def test_neighbours_cancel(parents, ends):
    """Satisfy `T_a_c = T_a_b T_b_c` between any three frames of any tree."""
    buffer = TransformBuffer()
    for frame, choice in enumerate(parents, start=1):
        T = rigid_transform((frame, choice, 1), (0.5, -0.5, 0.5, 0.5)) @ _at(1, frame)
        buffer.add(_transform(f"f{choice % frame}", f"f{frame}", T), is_static=True)
    a, b, c = (f"f{end % (len(parents) + 1)}" for end in ends)
    T_a_b, T_b_c, T_a_c = (buffer.lookup(*pair, 0) for pair in ((a, b), (b, c), (a, c)))
    np.testing.assert_allclose(T_a_b @ T_b_c, T_a_c, atol=1e-9)
