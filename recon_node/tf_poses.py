# SPDX-License-Identifier: Apache-2.0
"""Camera poses from TF. tf2_ros comes with a ROS distribution, not with ROS from PyPI."""

import importlib

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from recon_node.engines.errors import InvalidInputError, MissingPackageError
from recon_node.messages.poses import rigid_transform


class TfPoses:
    """Where cameras are in one frame, as /tf and /tf_static say.

    Nothing waits: a lookup answers from what has come so far, so it may run in a callback.

    Args:
        node: Subscribes; with use_sim_time its clock clears the memory when time jumps back.
        world_frame: The frame that poses are wanted in.

    Raises:
        MissingPackageError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, world_frame: str):
        try:
            self._tf2 = importlib.import_module("tf2_ros")
        except ImportError as error:
            raise MissingPackageError(
                f"the parameter world_frame is {world_frame!r}, but TF cannot be asked ({error}), "
                "because PyPI does not have tf2_ros; install it with: sudo apt install "
                "ros-$ROS_DISTRO-tf2-ros-py (such as ros-jazzy-tf2-ros-py), or leave world_frame "
                "empty and publish geometry_msgs/PoseStamped on camera_pose"
            ) from error
        self._node, self._world_frame = node, world_frame
        self._buffer = self._tf2.Buffer(node=node)
        self._listener = self._tf2.TransformListener(self._buffer, node)

    def lookup(self, frame_id: str, stamp_ns: int) -> np.ndarray | None:
        """`T_world_camera` f64 (4, 4) [m] at a stamp; None where TF does not know it (yet).

        Args:
            frame_id: The camera's optical frame.
            stamp_ns: When [ns]. Zero is never known: TF would take it for "the newest".
        """
        if not stamp_ns:
            return None
        try:
            return self._transform(frame_id, stamp_ns)
        except (self._tf2.TransformException, InvalidInputError):
            return None

    def explain(self, frame_id: str, stamp_ns: int) -> str:
        """Why `lookup` gives None and what to do, for a person; empty where it does not."""
        what = f"TF has no transform from {frame_id!r} to {self._world_frame!r}"
        if not stamp_ns:
            return f"{what}, because the image has the stamp 0; let its publisher set the stamp"
        what = f"{what} at {stamp_ns / 1e9:.3f} s"
        try:
            self._transform(frame_id, stamp_ns)
        except (self._tf2.TransformException, InvalidInputError) as error:
            return f"{what}: {str(error).strip().rstrip('.')}; {self._advice(error)}"
        return ""

    def close(self) -> None:
        """Ends listening."""
        self._listener.unregister()
        self._buffer.jump_handle.unregister()
        self._node.destroy_service(self._buffer.srv)

    def _transform(self, frame_id: str, stamp_ns: int) -> np.ndarray:
        found = self._buffer.lookup_transform(
            self._world_frame, frame_id, Time(nanoseconds=stamp_ns)
        )
        t, q = found.transform.translation, found.transform.rotation
        return rigid_transform((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))

    def _advice(self, error: Exception) -> str:
        if isinstance(error, self._tf2.ExtrapolationException):
            return (
                "where it lags, raise tf_timeout; where it never comes, the clocks differ: set "
                "use_sim_time on every node or on none, and play bags with --clock"
            )
        if isinstance(error, self._tf2.TransformException):
            return "see who publishes which frame with: ros2 run tf2_tools view_frames"
        return "its publisher sends a transform that is none"
