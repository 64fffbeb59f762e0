# SPDX-License-Identifier: Apache-2.0
"""A subscriber as a user would write it: prints what recon publishes, and draws it."""

import time

import numpy as np
from demo_picture import draw_received
from geometry_msgs.msg import PoseStamped
from PIL import Image as Picture
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from recon.msg import ObjectMesh
from sensor_msgs.msg import CameraInfo, Image

from recon_node.engines.mesh import Mesh
from recon_node.messages.cameras import camera_of
from recon_node.messages.images import color_image
from recon_node.messages.object_meshes import mesh_of
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns

_KEPT = 20  # poses


class Listener(Node):
    """Keeps the newest mesh of every object, in the world's frame [m], and the newest image.

    Attributes:
        meshes: By object id.
    """

    def __init__(self) -> None:
        super().__init__("listener")
        self.meshes: dict[str, Mesh] = {}
        self._image: Image | None = None
        self._info: CameraInfo | None = None
        self._T_world_camera: dict[int, np.ndarray] = {}  # by stamp
        latched = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(ObjectMesh, "recon/objects", self._on_mesh, latched)
        self.create_subscription(PoseStamped, "camera_pose", self._on_pose, 5)
        self.create_subscription(CameraInfo, "camera_info", self._on_info, 1)
        self.create_subscription(Image, "image", self._on_image, 1)

    def has_all(self, count: int) -> bool:
        """Whether so many objects arrived, and an image with its camera."""
        return len(self.meshes) >= count and self._camera() is not None

    def draw(self) -> Picture.Image:
        """The newest image beside the meshes, as seen by its camera."""
        return draw_received(color_image(self._image), list(self.meshes.values()), self._camera())

    def _on_mesh(self, message: ObjectMesh) -> None:
        if message.operation == ObjectMesh.REMOVE:
            self.meshes.pop(message.object_id, None)
            print(f"{message.object_id}  is gone", flush=True)
            return
        latency_ms = (time.time_ns() - stamp_ns(message.header)) * 1e-6
        mesh = mesh_of(message)
        self.meshes[message.object_id] = mesh.transformed(transform_of(message.pose))
        size = message.dimensions  # x is the depth, y the width, z the height
        sides = " x ".join(f"{1000 * side:3.0f}" for side in (size.y, size.x, size.z))
        seen = np.mean(mesh.provenance != ObjectMesh.HALLUCINATED)
        print(
            f"{message.object_id}  version {message.version:<2}  {sides} mm  "
            f"{message.triangle_count:6} triangles  {seen:4.0%} seen  "
            f"{latency_ms:5.0f} ms after the image  ({message.engine})",
            flush=True,
        )

    def _on_pose(self, message: PoseStamped) -> None:
        self._T_world_camera[stamp_ns(message.header)] = transform_of(message.pose)
        while len(self._T_world_camera) > _KEPT:
            del self._T_world_camera[next(iter(self._T_world_camera))]

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_image(self, message: Image) -> None:
        if stamp_ns(message.header) in self._T_world_camera:
            self._image = message

    def _camera(self):
        """The camera of the newest image, or None."""
        if self._image is None or self._info is None:
            return None
        return camera_of(self._info, self._T_world_camera.get(stamp_ns(self._image.header)))
