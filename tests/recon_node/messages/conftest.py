# SPDX-License-Identifier: Apache-2.0
"""Messages as rosbags reads them from a bag: real ones, without ROS."""

import array
from types import SimpleNamespace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

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
