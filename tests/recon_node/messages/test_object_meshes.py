# SPDX-License-Identifier: Apache-2.0
"""Objects as messages and back, by real ROS messages, their wire format, and rosbags."""

import dataclasses

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, ScaleSource, Stage
from recon_node.interface_files import interface_text
from recon_node.messages.object_meshes import (
    ADD,
    REMOVE,
    SCALE_SOURCES,
    STAGES,
    mesh_of,
    object_mesh,
    object_mesh_fields,
    removed_object,
)
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns

# The generator that rclpy's messages import looks for modules of Python's past.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

NAME = "recon/msg/ObjectMesh"
ARRAYS = ("vertices", "faces", "colors", "provenance", "sigma")


def bare(stored):
    """The object with nothing known of its vertices."""
    mesh = Mesh(stored.result.mesh.vertices, stored.result.mesh.faces)
    return dataclasses.replace(stored, result=dataclasses.replace(stored.result, mesh=mesh))


@pytest.fixture
def received(stored):
    """The object as rosbags reads it."""
    return through_the_wire(object_mesh(stored))


def through_the_wire(message):
    """The message as rosbags reads it from what rclpy wrote."""
    from rclpy.serialization import serialize_message

    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(interface_text("msg", "ObjectMesh"), NAME))
    return store.deserialize_cdr(serialize_message(message), NAME)


def same_mesh(a, b):
    for name in ARRAYS:
        first, second = getattr(a, name), getattr(b, name)
        assert (first is None) == (second is None), name
        if first is not None:
            np.testing.assert_array_equal(first, second)


def test_fields_say_what_the_result_says(stored):
    fields = object_mesh_fields(stored)
    assert fields["header"] == {"stamp_ns": 12_000_000_034, "frame_id": "map"}
    assert (fields["object_id"], fields["label"], fields["engine"]) == ("object_007", 7, "compact")
    assert (fields["version"], fields["parent_version"], fields["view_count"]) == (3, 2, 2)
    np.testing.assert_allclose(fields["dimensions"], (0.1, 0.06, 0.2), rtol=1e-6)
    assert fields["watertight"] is True
    assert fields["latency_stages"] == ["crop", "total"]
    np.testing.assert_allclose(fields["latency_ms"], [10, 250], rtol=1e-6)
    assert fields["warnings"] == ["the mask touches the border"]


def test_an_object_without_a_parent_has_parent_0(stored):
    result = dataclasses.replace(stored.result, parent_version=None)
    assert object_mesh_fields(dataclasses.replace(stored, result=result))["parent_version"] == 0


@pytest.mark.ros
def test_fields_are_those_of_the_message(stored):
    from recon.msg import ObjectMesh

    assert list(object_mesh_fields(stored)) == list(ObjectMesh.get_fields_and_field_types())


@pytest.mark.ros
def test_numbers_are_the_messages_constants():
    from recon.msg import ObjectMesh

    assert (ADD, REMOVE) == (ObjectMesh.ADD, ObjectMesh.REMOVE)
    for stage in Stage:
        assert STAGES[stage] == getattr(ObjectMesh, f"STAGE_{stage.name}")
    for source in ScaleSource:
        assert SCALE_SOURCES[source] == getattr(ObjectMesh, f"SCALE_{source.name}")
    for level in Provenance:
        assert level == getattr(ObjectMesh, level.name)


@pytest.mark.ros
def test_message_holds_every_field(stored):
    message = object_mesh(stored)
    for name, value in object_mesh_fields(stored).items():
        if name not in ("header", "pose", "dimensions"):
            held = getattr(message, name)
            if isinstance(value, np.ndarray):
                assert held.itemsize == value.itemsize
                np.testing.assert_array_equal(held, value)
            else:
                assert held == value, name
    assert (stamp_ns(message.header), message.header.frame_id) == (12_000_000_034, "map")
    np.testing.assert_allclose(transform_of(message.pose), stored.result.T_world_object, atol=1e-12)
    assert message.dimensions.z == pytest.approx(0.2, rel=1e-6)


@pytest.mark.ros
def test_mesh_comes_back_from_rclpy_and_from_rosbags(stored):
    for given in (stored, bare(stored)):
        message = object_mesh(given)
        same_mesh(mesh_of(message), given.result.mesh)
        same_mesh(mesh_of(through_the_wire(message)), given.result.mesh)


@pytest.mark.ros
def test_an_unknown_scale_is_sent_as_infinite(stored):
    result = dataclasses.replace(stored.result, scale_sigma=np.inf, scale_source=ScaleSource.NONE)
    message = through_the_wire(object_mesh(dataclasses.replace(stored, result=result)))
    assert np.isinf(message.scale_sigma) and message.scale_source == 0


@pytest.mark.ros
def test_a_removed_object_has_no_mesh():
    message = removed_object("object_007", label=7, stamp_ns=5, frame_id="map")
    assert (message.operation, message.object_id, message.label) == (1, "object_007", 7)
    assert (stamp_ns(message.header), message.header.frame_id) == (5, "map")
    assert len(message.vertices) == message.vertex_count == 0
    with pytest.raises(InvalidInputError, match="'object_007' says that the object is gone"):
        mesh_of(message)


@pytest.mark.ros
@pytest.mark.parametrize(
    "change, words",
    [
        ({"vertex_count": 9}, "of 'object_007' has 24 numbers, but 9 vertices and 12 triangles"),
        ({"triangle_count": 11}, "triangles of 'object_007' has 36 numbers, .* need 33"),
        ({"colors": np.zeros(23, np.uint8)}, "colors of .* has 23 numbers, .* need 24"),
        ({"provenance": np.zeros(9, np.uint8)}, "provenance of .* has 9 numbers, .* need 8"),
        ({"sigma": np.zeros(1, np.float32)}, "sigma of .* has 1 numbers, .* need 8"),
        ({"triangles": np.full(36, 8, np.uint32)}, "indices 8 to 8, but there are 8 vertices"),
        ({"triangles": np.full(36, 2**32 - 1, np.uint32)}, "indices -1 to -1"),
        ({"triangles": np.zeros(0, np.uint32), "triangle_count": 0}, "no faces"),
    ],
)
def test_what_makes_no_mesh_is_refused(received, change, words):
    with pytest.raises(InvalidInputError, match=words):
        mesh_of(dataclasses.replace(received, **change))
