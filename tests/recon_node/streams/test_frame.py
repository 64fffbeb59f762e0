# SPDX-License-Identifier: Apache-2.0
"""A frame turns the messages of a moment into the views of its objects."""

import io

import numpy as np
import pytest
from PIL import Image as Picture
from rosbags.typesys import Stores, get_typestore

from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.messages.images import LabelImage
from recon_node.streams.frame import Frame

_STORE = get_typestore(Stores.ROS2_JAZZY)
_Image = _STORE.types["sensor_msgs/msg/Image"]
_CompressedImage = _STORE.types["sensor_msgs/msg/CompressedImage"]
_Header = _STORE.types["std_msgs/msg/Header"]
_Time = _STORE.types["builtin_interfaces/msg/Time"]


def _image(pixels, encoding):
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).view(np.uint8).ravel()
    header = _Header(_Time(1, 5), "camera")
    return _Image(header, height, width, encoding, 0, len(data) // height, data)


def _frame(ball, **changes):
    labels = LabelImage(ball.mask.astype(np.uint8) * 7, (7,))
    depth = np.nan_to_num(1000 * ball.depth).astype(np.uint16)
    fields = {
        "stamp_ns": 1_000_000_005,
        "frame_id": "camera",
        "image": _image(ball.image, "rgb8"),
        "labels": labels,
        "depth": _image(depth, "16UC1"),
        "camera": ball.camera,
        "output_frame": "camera",
        "arrived": 0.0,
    }
    return Frame(**fields | changes)


def test_view_of_raw_messages(ball):
    """Hand out image, mask, depth, camera and stamp of the object, converted once."""
    frame = _frame(ball)
    view = frame.view(7)
    assert np.array_equal(view.image, ball.image)
    assert np.array_equal(view.mask, ball.mask)
    np.testing.assert_allclose(view.depth, ball.depth, atol=0.001)  # whole millimetres
    assert (view.camera, view.stamp_ns) == (ball.camera, 1_000_000_005)
    assert frame.color is frame.color and frame.depth_map is frame.depth_map


def test_view_of_a_compressed_image_without_depth(ball):
    """Read a compressed image, and do without depth."""
    encoded = io.BytesIO()
    Picture.fromarray(ball.image).save(encoded, "PNG")
    data = np.frombuffer(encoded.getvalue(), np.uint8)
    message = _CompressedImage(_Header(_Time(1, 5), "camera"), "rgb8; png compressed bgr8", data)
    view = _frame(ball, image=message, depth=None).view(7)
    assert np.array_equal(view.image, ball.image)
    assert view.depth is None


def test_unknown_value(ball):
    """Refuse a value that no pixel has."""
    with pytest.raises(EmptyMaskError, match="no pixel of the value 3; it has: 7"):
        _frame(ball).view(3)


def test_sizes_must_agree(ball):
    """Refuse a mask of another size than the camera's."""
    labels = LabelImage(np.full((4, 4), 7, np.uint8), (7,))
    with pytest.raises(InvalidInputError, match="mask is 4x4 px, but the camera is 96x72"):
        _frame(ball, labels=labels).view(7)
