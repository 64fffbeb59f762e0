# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node `synthetic_camera`: the example's table as topics of an RGB-D camera."""

import importlib
import io
import sys

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, TransformStamped
from PIL import Image as Picture
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from recon_node.engines.camera import Camera
from recon_node.engines.errors import ReconstructionError
from recon_node.engines.option import options_of
from recon_node.kernels.warp_start import start_warp
from recon_node.messages.poses import set_pose
from recon_node.messages.stamps import set_stamp
from recon_node.parameters import descriptor_of
from recon_node.ros_process import end_process, spin, start_ros
from recon_node.synthetic_camera import CameraConfig, CameraFrame, SyntheticCamera

WORLD_FRAME, CAMERA_FRAME = "world", "camera_optical_frame"
_JPEG_QUALITY = 90
# Reliable: images of more than half a megabyte do not arrive over best effort on one host.
_QUEUE = QoSProfile(depth=5)


class CameraNode(Node):
    """Publishes image, mask, depth, camera_info and camera_pose of one stamp, and TF.

    The stamp is that of the moment when a frame is ready: computing it stands for the world. While
    nobody listens to images none are made.

    Raises:
        ReconstructionError: A parameter has a value that cannot be used.
    """

    def __init__(self) -> None:
        super().__init__("synthetic_camera")
        values = {}
        defaults = CameraConfig()
        for name, told in options_of(CameraConfig).items():
            default = getattr(defaults, name)
            descriptor = descriptor_of(told, default, read_only=True)
            values[name] = self.declare_parameter(name, default, descriptor).value
        self._camera = SyntheticCamera(CameraConfig(**values))
        self._image = self.create_publisher(Image, "image", _QUEUE)
        self._jpeg = None
        if self._camera.config.compressed:
            self._jpeg = self.create_publisher(CompressedImage, "image/compressed", _QUEUE)
        self._mask = self.create_publisher(Image, "mask", _QUEUE)
        self._depth = self.create_publisher(Image, "depth", _QUEUE)
        self._info = self.create_publisher(CameraInfo, "camera_info", _QUEUE)
        self._pose = self.create_publisher(PoseStamped, "camera_pose", _QUEUE)
        self._tf = _transform_broadcaster(self)
        self._started = self.get_clock().now()
        self.create_timer(1.0 / self._camera.config.rate, self._publish)

    def _publish(self) -> None:
        t = max((self.get_clock().now() - self._started).nanoseconds * 1e-9, 0.0)
        pictures = [p for p in (self._image, self._jpeg, self._mask, self._depth) if p is not None]
        frame = None
        if any(publisher.get_subscription_count() for publisher in pictures):
            frame = self._camera.render(t)
        camera = frame.camera if frame else self._camera.camera(t)
        stamp_ns = self.get_clock().now().nanoseconds
        self._publish_pose(camera, stamp_ns)
        self._info.publish(camera_info(camera, stamp_ns))
        if frame:
            self._publish_pictures(frame, stamp_ns)

    def _publish_pose(self, camera: Camera, stamp_ns: int) -> None:
        pose = PoseStamped()
        set_stamp(pose.header.stamp, stamp_ns)
        pose.header.frame_id = WORLD_FRAME
        set_pose(pose.pose, camera.T_world_camera)
        self._pose.publish(pose)
        if self._tf is None:
            return
        transform = TransformStamped(header=pose.header, child_frame_id=CAMERA_FRAME)
        p, to = pose.pose.position, transform.transform
        to.translation.x, to.translation.y, to.translation.z = p.x, p.y, p.z
        to.rotation = pose.pose.orientation
        self._tf.sendTransform(transform)

    def _publish_pictures(self, frame: CameraFrame, stamp_ns: int) -> None:
        if self._mask.get_subscription_count():
            self._mask.publish(image_message(frame.labels, "mono8", stamp_ns))
        if self._depth.get_subscription_count():
            millimetres = np.round(1000 * np.nan_to_num(frame.depth)).astype(np.uint16)
            self._depth.publish(image_message(millimetres, "16UC1", stamp_ns))
        if self._image.get_subscription_count():
            self._image.publish(image_message(frame.color, "rgb8", stamp_ns))
        if self._jpeg is not None and self._jpeg.get_subscription_count():
            self._jpeg.publish(jpeg_message(frame.color, stamp_ns))


def image_message(pixels: np.ndarray, encoding: str, stamp_ns: int) -> Image:
    """A `sensor_msgs/Image` of the synthetic camera.

    Args:
        pixels: (H, W) or (H, W, 3), of the dtype that the encoding says.
        encoding: rgb8, mono8 or 16UC1.
        stamp_ns: When it was taken [ns].
    """
    pixels = np.ascontiguousarray(pixels)
    message = Image(encoding=encoding, height=pixels.shape[0], width=pixels.shape[1])
    set_stamp(message.header.stamp, stamp_ns)
    message.header.frame_id = CAMERA_FRAME
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = pixels.strides[0]
    message.data.frombytes(memoryview(pixels).cast("B"))  # twice as fast as assigning bytes
    return message


def jpeg_message(color: np.ndarray, stamp_ns: int) -> CompressedImage:
    """A `sensor_msgs/CompressedImage` of colours u8 (H, W, 3)."""
    stream = io.BytesIO()
    Picture.fromarray(color).save(stream, "JPEG", quality=_JPEG_QUALITY)
    message = CompressedImage(format="rgb8; jpeg compressed rgb8")
    set_stamp(message.header.stamp, stamp_ns)
    message.header.frame_id = CAMERA_FRAME
    message.data.frombytes(stream.getbuffer())
    return message


def camera_info(camera: Camera, stamp_ns: int) -> CameraInfo:
    """The `sensor_msgs/CameraInfo` of a camera without distortion."""
    message = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob")
    set_stamp(message.header.stamp, stamp_ns)
    message.header.frame_id = CAMERA_FRAME
    message.d = [0.0] * 5
    message.k = camera.K.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack([camera.K, np.zeros(3)]).ravel()
    return message


def _transform_broadcaster(node: Node):
    """A `tf2_ros.TransformBroadcaster`, or None: PyPI's ROS does not have tf2."""
    try:
        return importlib.import_module("tf2_ros").TransformBroadcaster(node)
    except ImportError:
        node.get_logger().info("tf2_ros is not installed: the pose is on camera_pose only")
        return None


def main() -> int:
    """Exit code 1 where a parameter is refused; else runs to SIGINT or SIGTERM.

    After that it closes everything and ends the process itself, with 0.
    """
    try:
        stop = start_ros(sys.argv)
        start_warp()
        node = CameraNode()
    except (ReconstructionError, ParameterException) as error:
        print(f"synthetic_camera: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        spin(executor, stop)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    end_process(0)


if __name__ == "__main__":
    sys.exit(main())
