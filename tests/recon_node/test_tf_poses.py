# SPDX-License-Identifier: Apache-2.0
"""TF where it is installed (a sourced distribution), and the error where it is not (PyPI)."""

import importlib.util

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2, see docs/ros.md")

from recon_node.engines.errors import MissingPackageError  # noqa: E402
from recon_node.messages.stamps import set_stamp  # noqa: E402
from recon_node.tf_poses import TfPoses  # noqa: E402

pytestmark = pytest.mark.ros
HAS_TF = importlib.util.find_spec("tf2_ros") is not None
needs_tf = pytest.mark.skipif(not HAS_TF, reason="PyPI has no tf2_ros: source a distribution")
SECOND = 1_000_000_000
DEADLINE = 10.0  # for a transform to arrive [s]


@pytest.mark.skipif(HAS_TF, reason="tf2_ros is installed")
def test_missing_tf_is_an_error_with_both_ways_out(node):
    """Name the package to install and the topic that does without."""
    with pytest.raises(MissingPackageError, match="ros-jazzy-tf2-ros-py.*camera_pose") as caught:
        TfPoses(node, "map")
    assert "world_frame is 'map'" in str(caught.value)
    assert isinstance(caught.value, ImportError)


def _transform(parent, child, stamp_ns, x):
    """x metres along x, and a quarter turn about z."""
    from geometry_msgs.msg import TransformStamped

    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    set_stamp(message.header.stamp, stamp_ns)
    message.transform.translation.x = x
    message.transform.rotation.z = message.transform.rotation.w = 0.5**0.5
    return message


def _spin_until(node, condition):
    executor = rclpy.executors.SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    end = node.get_clock().now() + rclpy.duration.Duration(seconds=DEADLINE)
    while not condition() and node.get_clock().now() < end:
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    assert condition(), "no transform arrived"


@needs_tf
def test_moving_camera_on_a_static_base(node):
    """Chain static and moving transforms over DDS, interpolate, and give T_world_camera."""
    import tf2_ros

    poses = TfPoses(node, "map")
    fixed = tf2_ros.StaticTransformBroadcaster(node)
    moving = tf2_ros.TransformBroadcaster(node)
    fixed.sendTransform(_transform("map", "base", 0, 10.0))
    for second, x in ((100, 1.0), (101, 3.0)):
        moving.sendTransform(_transform("base", "camera", second * SECOND, x))
    _spin_until(node, lambda: poses.lookup("camera", 101 * SECOND) is not None)

    T_world_camera = poses.lookup("camera", 100 * SECOND + SECOND // 2)
    # Base: at x = 10, a quarter turn. Camera: 2 m along the base's x, the map's y; half a turn.
    expected = [[-1, 0, 0, 10], [0, -1, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(T_world_camera, expected, atol=1e-9)
    assert poses.explain("camera", 101 * SECOND) == ""

    assert poses.lookup("camera", 102 * SECOND) is None
    assert "future" in poses.explain("camera", 102 * SECOND)
    assert "use_sim_time" in poses.explain("camera", 102 * SECOND)
    assert poses.lookup("camera", 0) is None
    assert "stamp 0" in poses.explain("camera", 0)
    assert poses.lookup("gripper", 101 * SECOND) is None
    assert "'gripper'" in poses.explain("gripper", 101 * SECOND)
    assert "view_frames" in poses.explain("gripper", 101 * SECOND)
    assert poses.lookup("", 101 * SECOND) is None
    assert "view_frames" in poses.explain("", 101 * SECOND)
    poses.close()


@needs_tf
def test_close_leaves_nothing_on_the_node(node):
    """Allow the node to be configured again and again."""
    before = (len(list(node.subscriptions)), len(list(node.services)))
    for _ in range(3):
        poses = TfPoses(node, "map")
        assert len(list(node.subscriptions)) == before[0] + 2
        poses.close()
        assert (len(list(node.subscriptions)), len(list(node.services))) == before
