# SPDX-License-Identifier: Apache-2.0
"""Our messages in bags: what is written is what ROS would have written."""

import json
from pathlib import Path

import numpy as np
import pytest

from recon_node.bag_files import (
    OBJECTS_TOPIC,
    BagReader,
    BagTopic,
    ObjectBagWriter,
    typestore_with_recon,
)
from recon_node.bag_objects import News
from recon_node.engines.errors import OutputError
from recon_node.engines.hull import HullEngine
from recon_node.streams.object_store import ObjectStore

STAMP = 12_000_000_034  # [ns]


@pytest.fixture
def stored(ball):
    """The ball as the store keeps it."""
    result = HullEngine().reconstruct([ball.view], object_id="ball")
    return ObjectStore().accept(result, stamp_ns=STAMP, frame_id="map", label=7)


def _write(path, *news, storage="mcap"):
    writer = ObjectBagWriter(path, storage=storage)
    for item in news:
        writer.write(item)
    writer.close()
    return writer


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_round_trip(stored, tmp_path, storage):
    """Read back the mesh and the news that it is gone, in order, at the recorded times."""
    news = (News(stored, 100), News(stored, 300, removed_ns=STAMP + 5))
    assert _write(tmp_path / "bag", *news, storage=storage).mesh_count == 1
    with BagReader(tmp_path / "bag") as reader:
        assert reader.storage == storage
        assert reader.topics == {OBJECTS_TOPIC: BagTopic(OBJECTS_TOPIC, "recon/msg/ObjectMesh", 2)}
        added, removed = reader.messages([OBJECTS_TOPIC])
        assert list(reader.messages(["/other"])) == []
    assert (added.recorded_ns, removed.recorded_ns) == (100, 300)
    np.testing.assert_array_equal(
        added.message.vertices, stored.result.mesh.vertices.ravel(), strict=True
    )
    assert (added.message.object_id, added.message.label) == ("ball", 7)
    gone = removed.message
    assert (gone.operation, gone.object_id, gone.label) == (gone.REMOVE, "ball", 7)
    assert (gone.header.stamp.nanosec, gone.header.frame_id) == (39, "map")
    assert (gone.version, len(gone.vertices)) == (0, 0)


def test_latched(stored, tmp_path):
    """Record the topic as reliable and transient local, as the node publishes it."""
    from rosbags.interfaces import QosDurability, QosReliability
    from rosbags.rosbag2 import Reader

    _write(tmp_path / "bag", News(stored, 100))
    with Reader(tmp_path / "bag") as reader:
        (connection,) = reader.connections
        (qos,) = connection.ext.offered_qos_profiles
    assert qos.durability is QosDurability.TRANSIENT_LOCAL
    assert qos.reliability is QosReliability.RELIABLE


def test_no_news_no_bag(tmp_path):
    """Make no bag where there is nothing to write."""
    _write(tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


def test_place_that_cannot_be_written(stored, tmp_path):
    """Say so where the bag cannot be made."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write .*file/bag: .*; choose another place"):
        _write(tmp_path / "file" / "bag", News(stored, 100))
    with pytest.raises(OutputError, match="file exists already; remove it"):
        ObjectBagWriter(tmp_path / "file", storage="mcap")


@pytest.mark.ros
def test_type_is_the_one_that_ros_builds():
    """Have the type hash of the interfaces that CMake built, so that ROS plays the bag."""
    import recon.msg

    prefix = Path(recon.msg.__file__).parents[5]
    built = json.loads((prefix / "share" / "recon" / "msg" / "ObjectMesh.json").read_text())
    hashes = {item["type_name"]: item["hash_string"] for item in built["type_hashes"]}
    ours = typestore_with_recon().hash_rihs01("recon/msg/ObjectMesh")
    assert ours == hashes["recon/msg/ObjectMesh"]


@pytest.mark.ros
def test_message_is_that_of_rclpy(stored, tmp_path):
    """Serialise to the message that rclpy would publish."""
    from rclpy.serialization import deserialize_message, serialize_message
    from recon.msg import ObjectMesh
    from rosbags.rosbag2 import Reader

    from recon_node.messages.object_meshes import object_mesh

    _write(tmp_path / "bag", News(stored, 100))
    with Reader(tmp_path / "bag") as reader:
        ((_, _, data),) = reader.messages()
    published = serialize_message(object_mesh(stored))  # padding between fields may differ
    assert deserialize_message(data, ObjectMesh) == deserialize_message(published, ObjectMesh)
