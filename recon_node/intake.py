# SPDX-License-Identifier: Apache-2.0
"""The node's subscriptions, joined into frames. Callbacks check and enqueue; pixels wait."""

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.faults import FaultLog
from recon_node.messages.images import check_color_encoding
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns
from recon_node.node_config import NodeConfig
from recon_node.streams.camera_poses import PoseBuffer
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.frame import Frame
from recon_node.streams.frame_join import FrameJoin, Joined

WAITING_FRAMES = 5  # that wait for their camera pose at once
RETRY = 0.02  # [s] between two looks for it
SILENCE = 3.0  # [s] after which a topic that was heard before counts as missing
_RELIABLE = QoSProfile(depth=10)


class Intake:
    """Frames from topics.

    Args:
        node: Subscribes.
        config: What to listen to.
        drops: Counts what leads to no frame.
        faults: Gets what cannot be used.
        deliver: Called with each frame, in the executor's thread.

    Raises:
        MissingPackageError: `world_frame` is set and tf2_ros is not installed.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        *,
        drops: DropCounter,
        faults: FaultLog,
        deliver: Callable[[Frame], None],
    ):
        self._node, self._config = node, config
        self._drops, self._faults, self._deliver = drops, faults, deliver
        self._join = FrameJoin(config.join, drops)
        self._poses = PoseBuffer()
        self._tf = None
        if config.input.world_frame:
            from recon_node.tf_poses import TfPoses

            self._tf = TfPoses(node, config.input.world_frame)
        self._camera_info: CameraInfo | None = None
        self._heard: dict[str, float] = {}  # when each stream last came [s]
        self._waiting: deque[tuple[Joined, float]] = deque()
        self._subscriptions = []
        self._timer = None
        self.images = self.frames = 0
        self.latest: Frame | None = None

    def start(self) -> None:
        """Subscribes."""
        compressed = self._config.input.image_transport == "compressed"
        image = self._node.resolve_topic_name("image") + ("/compressed" if compressed else "")
        topics = [
            (CompressedImage if compressed else Image, image, self._on_image),
            (Image, "mask", self._on_mask),
            (CameraInfo, "camera_info", self._on_camera_info),
        ]
        if self._config.input.depth_mode != "off":
            topics.append((Image, "depth", self._on_depth))
        for kind, topic, callback in topics:
            self._subscribe(kind, topic, callback, qos_profile_sensor_data)
        self._subscribe(PoseStamped, "camera_pose", self._on_camera_pose, _RELIABLE)
        self._timer = self._node.create_timer(RETRY, self._place_waiting)
        self._timer.cancel()  # runs while a frame waits: each tick costs rclpy a millisecond
        self._look_for_depth()

    def stop(self) -> None:
        """Unsubscribes, and forgets what waits."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        self._drops.count(Drop.DEACTIVATED, len(self._waiting))
        self._waiting.clear()
        self._join.reset()
        self._heard.clear()
        self.latest = None

    def close(self) -> None:
        """Ends listening to TF."""
        self.stop()
        if self._tf is not None:
            self._tf.close()

    def reconfigure(self, config: NodeConfig) -> None:
        """Takes over live parameters."""
        self._config = config
        self._join.config = config.join

    def waiting_for(self) -> str:
        """Which input is missing, for a person; empty where nothing is."""
        if not self._subscriptions:
            return ""
        self._look_for_depth()
        missing = self._join.waiting_for()
        if not missing and self._camera_info is None:
            missing = "camera_info: none received"
        if not missing and self._waiting:
            missing = self._pose_missing(self._waiting[-1][0])
        if not missing:
            silences = {name: time.monotonic() - heard for name, heard in self._heard.items()}
            missing = "; ".join(
                f"{name}: none for {silence:.0f} s"
                for name, silence in silences.items()
                if silence > SILENCE and name != "depth"  # whose lack the join knows
            )
        hints = [
            self._why_nothing_comes(subscription)
            for subscription in self._subscriptions
            if f"{subscription.topic_name.split('/')[-1]}: none received" in missing
        ]
        return "; ".join([missing, *filter(None, hints)])

    @property
    def jumps(self) -> int:
        """How often the stamps have jumped back."""
        return self._join.jumps

    def frame_of(
        self, image: Image, mask: Image, depth: Image, info: CameraInfo, pose: PoseStamped
    ) -> Frame:
        """The frame of a request.

        Raises:
            InvalidInputError: A message cannot be used, or there is no camera pose.
        """
        check_color_encoding(image)
        stamp = stamp_ns(image.header)
        if pose.header.frame_id:
            placed = (pose.header.frame_id, transform_of(pose.pose))
        else:
            placed = self._camera_pose(image.header.frame_id, stamp)
        if placed is None:
            raise InvalidInputError(
                f"there is no camera pose at the image's stamp: "
                f"{self._why_no_pose(image.header.frame_id, stamp)}; give camera_pose"
            )
        messages = {"image": image, "mask": mask} | ({"depth": depth} if depth.width else {})
        return Frame.of(Joined(stamp, messages, time.monotonic()), info, *placed)

    def _subscribe(self, kind: type, topic: str, callback: Callable, qos: QoSProfile) -> None:
        self._subscriptions.append(
            self._node.create_subscription(
                kind,
                topic,
                callback,
                qos,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.images += 1
        try:
            if isinstance(message, Image):
                check_color_encoding(message)
        except InvalidInputError as error:
            self._refuse(error)
            return
        self._add("image", message)

    def _on_mask(self, message: Image) -> None:
        self._add("mask", message)

    def _on_depth(self, message: Image) -> None:
        self._add("depth", message)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _on_camera_pose(self, message: PoseStamped) -> None:
        try:
            T_frame_camera = transform_of(message.pose)
        except InvalidInputError as error:
            self._refuse(error)
            return
        self._poses.add(stamp_ns(message.header), message.header.frame_id, T_frame_camera)

    def _add(self, stream: str, message: Image | CompressedImage) -> None:
        self._look_for_depth()
        self._heard[stream] = time.monotonic()
        joined = self._join.add(stream, stamp_ns(message.header), message)
        if joined is None:
            return
        self._waiting.append((joined, time.monotonic() + self._config.input.tf_timeout))
        if len(self._waiting) > WAITING_FRAMES:
            self._give_up()
        self._place_waiting()

    def _look_for_depth(self) -> None:
        mode = self._config.input.depth_mode
        published = mode == "auto" and self._node.count_publishers("depth") > 0
        self._join.require_depth(mode == "required" or published)

    def _place_waiting(self) -> None:
        """Hands on the frames whose camera and its pose are known by now, in order."""
        while self._waiting:
            joined, deadline = self._waiting[0]
            frame_id = joined.messages["image"].header.frame_id
            is_late = time.monotonic() >= deadline
            placed = None
            if self._camera_info is not None:
                placed = self._camera_pose(frame_id, joined.stamp_ns, final=is_late)
            if placed is not None:
                self._waiting.popleft()
                self._hand_on(joined, *placed)
            elif not is_late:
                if self._timer.is_canceled():
                    self._timer.reset()
                return
            else:
                self._give_up()
        self._timer.cancel()

    def _give_up(self) -> None:
        """Drops the frame that waited longest for its camera."""
        joined, _ = self._waiting.popleft()
        if self._camera_info is None:
            self._drops.count(Drop.NO_CAMERA_INFO)
            topic = self._node.resolve_topic_name("camera_info")
            self._faults.record(f"an image has no camera_info: nothing was received on {topic}")
        else:
            self._drops.count(Drop.NO_CAMERA_POSE)
            self._faults.record(self._pose_missing(joined))

    def _hand_on(self, joined: Joined, output_frame: str, T_output_camera: np.ndarray) -> None:
        try:
            frame = Frame.of(joined, self._camera_info, output_frame, T_output_camera)
        except ReconstructionError as error:
            self._refuse(error)
            return
        self.frames += 1
        self.latest = frame
        self._deliver(frame)

    def _camera_pose(
        self, frame_id: str, stamp: int, *, final: bool = True
    ) -> tuple[str, np.ndarray] | None:
        """Output frame and T_output_camera at a stamp, or None where it is not known (yet).

        Args:
            frame_id: Of the camera.
            stamp: When [ns].
            final: Whether there is no time left to wait for a pose nearer to the stamp.
        """
        if self._tf is not None:
            T_world_camera = self._tf.lookup(frame_id, stamp)
            world_frame = self._config.input.world_frame
            return None if T_world_camera is None else (world_frame, T_world_camera)
        if self._node.count_publishers("camera_pose") or len(self._poses):
            return self._poses.lookup(stamp, final=final)
        return frame_id, np.eye(4)

    def _pose_missing(self, joined: Joined) -> str:
        frame_id = joined.messages["image"].header.frame_id
        return f"no camera pose of an image: {self._why_no_pose(frame_id, joined.stamp_ns)}"

    def _why_no_pose(self, frame_id: str, stamp: int) -> str:
        if self._tf is not None:
            return self._tf.explain(frame_id, stamp)
        topic = self._node.resolve_topic_name("camera_pose")
        return f"{topic} has none within reach of the stamp {stamp / 1e9:.3f} s"

    def _why_nothing_comes(self, subscription: Subscription) -> str:
        """What is known of a topic that somebody publishes, but from which nothing arrives."""
        topic = subscription.topic_name
        kinds = {info.topic_type for info in self._node.get_publishers_info_by_topic(topic)}
        expected = subscription.msg_type
        name = f"{expected.__module__.partition('.')[0]}/msg/{expected.__name__}"
        if not kinds:
            return f"nobody publishes {topic}"
        if name not in kinds:
            return f"{topic} is published as {', '.join(sorted(kinds))}, but must be {name}"
        return (
            f"{topic} is published, but nothing arrives: see docs/ros.md about large images over "
            "best-effort DDS"
        )

    def _refuse(self, error: ReconstructionError) -> None:
        self._drops.count(Drop.BAD_INPUT)
        self._faults.record(str(error))
