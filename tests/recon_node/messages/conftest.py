# SPDX-License-Identifier: Apache-2.0
"""Messages as rosbags reads them from a bag: real ones, without ROS; and an object to send."""

import array
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from rosbags.typesys import Stores, get_typestore

from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.messages.poses import rigid_transform
from recon_node.streams.object_store import StoredObject

TYPES = get_typestore(Stores.ROS2_JAZZY).types


class MessageMaker:
    """Makes messages of rosbags' classes."""

    def new(self, name: str, **fields):
        """A message such as "sensor_msgs/msg/RegionOfInterest"."""
        return TYPES[name](**fields)

    def header(self, ns: int = 0, frame_id: str = "camera"):
        """A header."""
        time = self.new("builtin_interfaces/msg/Time", sec=ns // 10**9, nanosec=ns % 10**9)
        return self.new("std_msgs/msg/Header", stamp=time, frame_id=frame_id)

    def image(self, pixels: np.ndarray, encoding: str, *, padding: int = 0, big: bool = False):
        """A raw image of (H, W) or (H, W, C) samples, rows padded with 0xEE."""
        pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
        rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
        return self.new(
            "sensor_msgs/msg/Image",
            header=self.header(),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=int(big),
            step=rows.shape[1],
            data=rows.ravel(),
        )

    def compressed(self, data: bytes, format: str):
        """A compressed image."""
        data = np.frombuffer(data, np.uint8)
        name = "sensor_msgs/msg/CompressedImage"
        return self.new(name, header=self.header(), format=format, data=data)

    def camera_info(self, **fields):
        """A camera info of 640x480 without distortion whose p is not set, or with other fields."""
        region = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
        region |= fields.pop("roi", {})
        known = {
            "header": self.header(),
            "height": 480,
            "width": 640,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": np.array([600.0, 0, 322, 0, 610, 238, 0, 0, 1]),
            "r": np.eye(3).ravel(),
            "p": np.zeros(12),
            "binning_x": 0,
            "binning_y": 0,
            "roi": self.new("sensor_msgs/msg/RegionOfInterest", **region),
        }
        return self.new("sensor_msgs/msg/CameraInfo", **(known | fields))

    def pose(self, xyz, q_xyzw):
        """A pose."""
        position = self.new("geometry_msgs/msg/Point", **dict(zip("xyz", xyz, strict=True)))
        turn = self.new("geometry_msgs/msg/Quaternion", **dict(zip("xyzw", q_xyzw, strict=True)))
        return self.new("geometry_msgs/msg/Pose", position=position, orientation=turn)

    def as_rclpy(self, message) -> SimpleNamespace:
        """The same fields with `data` as rclpy has it, an `array.array`."""
        data = array.array("B", message.data.tobytes())
        return SimpleNamespace(**(vars(message) | {"data": data}))


@pytest.fixture
def make() -> MessageMaker:
    """Makes messages."""
    return MessageMaker()


def box_mesh(*, bare: bool = False) -> Mesh:
    """A closed box off its origin, with all that is known of a vertex; or bare."""
    box = trimesh.creation.box(extents=(0.1, 0.06, 0.2))
    vertices = (box.vertices + (0.01, 0.02, 0.03)).astype(np.float32)
    faces, count = box.faces.astype(np.int32), len(box.vertices)
    if bare:
        return Mesh(vertices, faces)
    colors = np.arange(3 * count, dtype=np.uint8).reshape(-1, 3) * 10
    provenance = (np.arange(count) % 3).astype(np.uint8)
    sigma = np.linspace(0.001, 0.004, count, dtype=np.float32)
    return Mesh(vertices, faces, colors, provenance, sigma)


@pytest.fixture
def stored() -> StoredObject:
    """A box as the node keeps it, turned and moved in its output frame."""
    result = Reconstruction(
        object_id="object_007",
        version=3,
        parent_version=2,
        stage=Stage.REFINED,
        mesh=box_mesh(),
        T_world_object=rigid_transform((0.4, -0.1, 0.7), (0.5, -0.5, 0.5, 0.5)),
        scale_source=ScaleSource.DEPTH,
        scale_sigma=0.02,
        engine="compact",
        view_count=2,
        metrics={"crop_s": 0.01, "depth_used": 1.0, "total_s": 0.25},
        warnings=("the mask touches the border",),
    )
    return StoredObject(result, 12_000_000_034, "map", 7, "file:///tmp/object_007_v3.glb")
