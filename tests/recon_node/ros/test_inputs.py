# SPDX-License-Identifier: Apache-2.0
"""What cameras and segmenters send on bad days: every case is counted and explained."""

import io
import os

import numpy as np
import pytest
import rclpy
from PIL import Image as Picture
from rclpy.context import Context
from sensor_msgs.msg import CompressedImage

pytestmark = pytest.mark.ros


def test_mask_without_image(start_node, robot, scene):
    """Count masks that never find their image, and say what is missing."""
    start_node(queue_size=2)
    for stamp in range(1, 6):
        robot.send(mask=scene(float(stamp))["mask"])
    robot.drops("mask_unmatched", 3)
    assert "image: none received" in robot.statuses[-1].waiting_for


def test_image_without_camera_info(start_node, robot, scene):
    """Count it, name the topic; go on when the camera_info comes."""
    start_node()
    messages = scene(1.0, with_depth=False)
    info = messages.pop("camera_info")
    robot.send(**messages)
    status = robot.drops("no_camera_info")
    assert "/camera_info" in status.last_error
    robot.send(camera_info=info)
    robot.status_where(lambda status: not status.waiting_for, "the camera_info has come")
    robot.send(**scene(2.0, with_depth=False))
    assert robot.object("object_001").scale_source == 0


def test_frames_out_of_order(start_node, robot, scene):
    """Use the newer frame, count the older one that comes after it."""
    start_node()
    robot.send(**scene(2.0))
    robot.object("object_001")
    robot.send(**scene(1.9))
    robot.drops("out_of_order")
    assert len(robot.objects) == 1


def test_stamps_that_jump_back(start_node, robot, scene):
    """Begin anew where a bag loops."""
    start_node()
    robot.send(**scene(100.0))
    robot.object("object_001")
    robot.send(**scene(1.0, shift=12))
    assert robot.object("object_001", version=2).header.stamp.sec == 1


def test_messages_without_a_stamp(start_node, robot, scene):
    """Join them all the same: a stamp of zero is a stamp."""
    start_node()
    robot.send(**scene(0.0))
    assert robot.object("object_001").header.stamp.sec == 0


@pytest.mark.parametrize("topic", ["image", "mask", "depth", "camera_info"])
def test_sizes_that_differ(start_node, robot, scene, image_message, topic):
    """Refuse the frame and name the sizes."""
    start_node()
    messages = scene(1.0)
    if topic == "camera_info":
        messages[topic].width = 640
    else:
        old = messages[topic]
        pixels = np.frombuffer(old.data, np.uint8).reshape(old.height, old.step)[:60]
        messages[topic].height = 60
        messages[topic].data = pixels.tobytes()
    robot.send(**messages)
    status = robot.drops("bad_input")
    assert "must be of one size" in status.last_error
    robot.send(**scene(2.0))
    robot.object("object_001")


def test_mask_of_nothing(start_node, robot, scene, image_message):
    """Take an empty mask for what it is: there is no object."""
    start_node()
    empty = image_message(np.zeros((72, 96), np.uint8), "mono8", 1.0)
    robot.send(**(scene(1.0) | {"mask": empty}))
    robot.status_where(lambda status: status.frames == 1, "the frame")
    robot.send(**scene(2.0))
    robot.object("object_001")
    assert robot.dropped("bad_input") == 0


def test_mask_of_everything(start_node, robot, scene, image_message):
    """Reconstruct the whole picture as one object, with a warning that it is cut off."""
    start_node()
    full = image_message(np.ones((72, 96), np.uint8), "mono8", 1.0)
    robot.send(**(scene(1.0) | {"mask": full}))
    assert any("border" in warning for warning in robot.object("object_001").warnings)


def test_binary_mask_is_one_object(start_node, robot, scene):
    """Read a mask of 0 and 255 as one object."""
    start_node()
    robot.send(**scene(1.0, labels=(255,)))
    assert robot.object("object_255").label == 255


def test_two_hundred_labels(start_node, robot, scene, image_message):
    """Take the largest objects up to the limit, count the others."""
    start_node(max_objects=5)
    labels = np.zeros((72, 96), np.uint8)
    for label in range(1, 201):
        row, column = divmod(label - 1, 20)
        labels[7 * row : 7 * row + 4, 4 * column + 8 : 4 * column + 11] = label
    labels[60:72, :40] = 7
    mask = image_message(labels, "mono8", 1.0)
    robot.send(**(scene(1.0) | {"mask": mask}))
    robot.object("object_007")
    robot.drops("too_many_objects", len(np.unique(labels)) - 1 - 5)
    status = robot.status_where(lambda status: status.queue_length == 0, "all are done")
    assert status.object_count <= 5


def test_depth_of_nothing(start_node, robot, scene, image_message):
    """Reconstruct without scale where the depth is NaN everywhere."""
    start_node()
    unknown = image_message(np.full((72, 96), np.nan, np.float32), "32FC1", 1.0)
    robot.send(**(scene(1.0) | {"depth": unknown}))
    assert robot.object("object_001").scale_source == 0


@pytest.mark.parametrize(
    "topic, encoding, dtype, complaint",
    [
        ("image", "bayer_grbg8", np.uint8, "image_proc"),
        ("image", "yuv422", np.uint16, "yuv422"),
        ("mask", "32FC1", np.float32, "32FC1"),
        ("mask", "rgb8", np.uint8, "rgb8"),
        ("depth", "mono8", np.uint8, "mono8"),
    ],
)
def test_encodings_that_cannot_be_used(
    start_node, robot, scene, image_message, topic, encoding, dtype, complaint
):
    """Refuse the message, with the encoding and what to do."""
    start_node()
    pixels = np.ones((72, 96, 3) if encoding == "rgb8" else (72, 96), dtype)
    robot.send(**(scene(1.0) | {topic: image_message(pixels, encoding, 1.0)}))
    status = robot.drops("bad_input")
    assert complaint in status.last_error


def test_message_of_the_wrong_type(start_node, robot):
    """Say that somebody publishes another type on the topic."""
    start_node()
    stranger = Context()
    rclpy.init(context=stranger, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    node = rclpy.node.Node("stranger", context=stranger)
    try:
        node.create_publisher(CompressedImage, "depth", 10)
        status = robot.status_where(
            lambda status: "sensor_msgs/msg/CompressedImage" in status.waiting_for, "the type"
        )
        assert "depth is published as" in status.waiting_for
        assert "but must be sensor_msgs/msg/Image" in status.waiting_for
    finally:
        node.destroy_node()
        stranger.try_shutdown()


@pytest.mark.parametrize("encoding", ["bgr8", "rgba8", "bgra8", "mono8", "mono16"])
def test_encodings_that_can_be_used(start_node, robot, scene, image_message, encoding):
    """Reconstruct from every other way to store the same picture, with its colours."""
    start_node()
    messages = scene(1.0)
    rgb = np.zeros((72, 96, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    alpha = np.full((72, 96, 1), 255, np.uint8)
    pixels = {
        "bgr8": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], axis=2),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], axis=2),
        "mono8": rgb[..., 0],
        "mono16": rgb[..., 0].astype(np.uint16) << 8,
    }[encoding]
    robot.send(**(messages | {"image": image_message(pixels, encoding, 1.0)}))
    colors = np.frombuffer(robot.object("object_001").colors, np.uint8).reshape(-1, 3)
    expected = [200, 200, 200] if encoding.startswith("mono") else [200, 100, 50]
    assert np.median(colors, axis=0).tolist() == pytest.approx(expected, abs=2)


def test_compressed_images(start_node, robot, scene):
    """Take JPEG from image/compressed where the parameter says so."""
    start_node(image_transport="compressed")
    messages = scene(1.0)
    header = messages.pop("image").header
    pixels = np.full((72, 96, 3), (200, 100, 50), np.uint8)
    encoded = io.BytesIO()
    Picture.fromarray(pixels).save(encoded, format="JPEG", quality=95)
    compressed = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
    compressed.data.frombytes(encoded.getvalue())
    robot.send(**messages)
    robot.send(**{"image/compressed": compressed})
    colors = np.frombuffer(robot.object("object_001").colors, np.uint8).reshape(-1, 3)
    assert np.median(colors, axis=0).tolist() == pytest.approx([200, 100, 50], abs=4)


def test_required_depth_is_waited_for(start_node, robot, scene):
    """Make nothing without depth where it is required."""
    start_node(depth_mode="required")
    robot.send(**scene(1.0, with_depth=False))
    robot.status_where(lambda status: "depth: none received" in status.waiting_for, "the depth")
    assert not robot.objects
    robot.send(depth=scene(1.0)["depth"])
    assert robot.object("object_001").scale_source == 1


def test_depth_can_be_left_alone(start_node, robot, scene):
    """Never listen to depth where it is off."""
    start_node(depth_mode="off")
    robot.send(**scene(1.0, with_depth=False))
    assert robot.object("object_001").scale_source == 0
    assert robot.node.count_subscribers("depth") == 0


def test_camera_pose_places_the_objects(start_node, robot, scene, pose_message):
    """Publish in the frame of camera_pose; count the frame where none comes in time."""
    start_node(tf_timeout=0.3)
    pose_message_at = pose_message((0.0, 0.0, 2.0), 1.0, "map")
    robot.send(camera_pose=pose_message_at)
    robot.send(**scene(1.0))
    message = robot.object("object_001")
    assert message.header.frame_id == "map"
    assert 2.45 < message.pose.position.z < 2.7
    robot.send(**scene(9.0, shift=10))
    status = robot.drops("no_camera_pose")
    assert "camera_pose" in status.last_error


def test_world_frame_needs_tf2(start_node, robot):
    """Refuse to configure without tf2_ros, and say how to get it or do without."""
    start_node(world_frame="map")
    status = robot.status_where(lambda status: status.last_error, "the error")
    assert status.state == "unconfigured"
    assert "tf2_ros" in status.last_error and "camera_pose" in status.last_error
