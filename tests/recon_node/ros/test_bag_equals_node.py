# SPDX-License-Identifier: Apache-2.0
"""A bag gives what the node gives for the same frames: same meshes, same messages."""

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from recon_node import cli
from recon_node.bag_files import typestore_with_recon

pytestmark = pytest.mark.ros

FRAMES = 3
TOPICS = {"image": "Image", "mask": "Image", "depth": "Image", "camera_info": "CameraInfo"}


def write_bag(path, frames):
    """A rosbag2 of the frames, as the recorder would have written it."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(f"/{topic}", f"sensor_msgs/msg/{kind}", typestore=store)
            for topic, kind in TOPICS.items()
        }
        for index, messages in enumerate(frames):
            for topic, message in messages.items():
                writer.write(
                    connections[topic], (index + 1) * 10**9, bytes(serialize_message(message))
                )


def bag_objects(path):
    """The ObjectMesh messages of a bag by id and version."""
    store = typestore_with_recon()
    with Reader(path) as reader:
        messages = [
            store.deserialize_cdr(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic.endswith("objects")
        ]
    return {(m.object_id, m.version): m for m in messages}


@pytest.mark.parametrize("engine", ["hull", "compact"])
def test_same_frames_give_the_same_meshes(start_node, robot, scene, tmp_path, engine):
    """Compare every array of every version, bit for bit."""
    frames = [scene(float(i + 1), labels=(1, 2), shift=8 * i) for i in range(FRAMES)]
    start_node(engine=engine)
    for index, messages in enumerate(frames):
        robot.send(**messages)
        for label in (1, 2):
            robot.object(f"object_{label:03d}", version=index + 1)
    write_bag(tmp_path / "bag", frames)
    arguments = ["bag", str(tmp_path / "bag"), "-o", str(tmp_path / "out"), "--engine", engine]
    assert cli.main([*arguments, "--min-interval", "0"]) == 0
    recorded = bag_objects(tmp_path / "out" / "bag")
    live = {(m.object_id, m.version): m for m in robot.objects}
    assert set(recorded) == set(live) and len(live) == 2 * FRAMES
    for key, message in live.items():
        other = recorded[key]
        assert message.header.frame_id == other.header.frame_id
        assert message.header.stamp.sec == other.header.stamp.sec
        assert (message.label, message.stage, message.engine) == (
            other.label,
            other.stage,
            other.engine,
        )
        for name in ("vertices", "triangles", "colors", "provenance", "sigma"):
            assert np.array_equal(getattr(message, name), getattr(other, name)), (key, name)
        for part in ("position", "orientation"):
            for axis in getattr(message.pose, part).get_fields_and_field_types():
                mine = getattr(getattr(message.pose, part), axis)
                assert mine == getattr(getattr(other.pose, part), axis)
