# SPDX-License-Identifier: Apache-2.0
"""Clouds: where the points lie, what they carry, and how rviz and PCL unpack them."""

import dataclasses

import numpy as np
import pytest

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, transform_points
from recon_node.messages.clouds import POINT, surface_cloud, surface_points
from recon_node.messages.stamps import stamp_ns

# The generator that rclpy's messages import looks for modules of Python's past.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

FIELDS = "x y z normal_x normal_y normal_z rgb sigma label provenance".split()


def columns(cloud, names):
    return np.stack([cloud[name] for name in names], axis=1).astype(np.float64)


def renamed(stored, object_id, **changes):
    result = dataclasses.replace(stored.result, object_id=object_id)
    return dataclasses.replace(stored, result=result, **changes)


def points(objects, count=500, **options):
    defaults = {"points_per_object": count, "frame_id": "map", "seed": 0}
    return surface_points(objects, **(defaults | options))


def test_points_lie_on_the_placed_surface(stored):
    """On one of the six planes of the box, with that plane's normal."""
    cloud = points([stored])
    T_object_frame = invert(stored.result.T_world_object)
    local = transform_points(T_object_frame, columns(cloud, FIELDS[:3])) - (0.01, 0.02, 0.03)
    normals = columns(cloud, FIELDS[3:6]) @ T_object_frame[:3, :3].T
    half = np.array([0.05, 0.03, 0.1])
    axis = np.abs(normals).argmax(axis=1)
    rows = np.arange(len(local))
    np.testing.assert_allclose(np.abs(normals[rows, axis]), 1, atol=1e-6)
    np.testing.assert_allclose(
        local[rows, axis], np.sign(normals[rows, axis]) * half[axis], atol=1e-6
    )
    assert (np.abs(local) <= half + 1e-6).all()
    assert set(axis) == {0, 1, 2}
    assert (cloud["label"] == 7).all()


def test_the_same_seed_draws_the_same_points_whatever_else_there_is(stored):
    other = renamed(stored, "object_008", label=8)
    both = points([other, stored])
    np.testing.assert_array_equal(both[500:], points([stored]))
    assert not np.array_equal(both["x"][:500], both["x"][500:])
    assert not np.array_equal(points([stored], seed=1)["x"], points([stored])["x"])


def test_objects_of_other_frames_are_left_out(stored):
    elsewhere = renamed(stored, "object_008", frame_id="camera")
    assert len(points([elsewhere, stored])) == 500
    assert len(points([])) == 0 and points([]).dtype == POINT


def test_one_colour_is_packed_as_rgb(stored):
    mesh = stored.result.mesh
    colors = np.tile(np.uint8([255, 128, 3]), (len(mesh.vertices), 1))
    result = dataclasses.replace(stored.result, mesh=dataclasses.replace(mesh, colors=colors))
    cloud = points([dataclasses.replace(stored, result=result)])
    assert set(cloud["rgb"]) == {0x00FF8003}


def test_a_mesh_of_which_nothing_is_known(stored):
    mesh = Mesh(stored.result.mesh.vertices, stored.result.mesh.faces)
    result = dataclasses.replace(stored.result, mesh=mesh)
    cloud = points([dataclasses.replace(stored, result=result)])
    assert set(cloud["provenance"]) == {0} and set(cloud["rgb"]) == {0xBEBEBE}
    assert np.isinf(cloud["sigma"]).all()


@pytest.mark.ros
def test_message_holds_the_points(stored):
    """Unpacked by its own fields, as subscribers do."""
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import PointCloud2, PointField

    made = surface_cloud(
        [stored], points_per_object=300, stamp_ns=5_000_000_001, frame_id="map", seed=0
    )
    message = deserialize_message(serialize_message(made), PointCloud2)
    numpy_types = {PointField.FLOAT32: "<f4", PointField.UINT32: "<u4", PointField.UINT8: "u1"}
    layout = np.dtype(
        {
            "names": [field.name for field in message.fields],
            "formats": [numpy_types[field.datatype] for field in message.fields],
            "offsets": [field.offset for field in message.fields],
            "itemsize": message.point_step,
        }
    )
    assert list(layout.names) == FIELDS and {field.count for field in message.fields} == {1}
    read = np.frombuffer(message.data, layout)
    assert (message.height, message.width, message.row_step) == (1, 300, 300 * message.point_step)
    assert message.is_dense and not message.is_bigendian
    assert (stamp_ns(message.header), message.header.frame_id) == (5_000_000_001, "map")
    expected = points([stored], 300)
    for name in FIELDS:
        if name == "rgb":  # declared a float, as PCL does
            np.testing.assert_array_equal(read[name].view(np.uint32), expected[name])
        else:
            np.testing.assert_array_equal(read[name], expected[name])


@pytest.mark.ros
def test_no_objects_make_an_empty_cloud():
    cloud = surface_cloud([], points_per_object=300, stamp_ns=0, frame_id="", seed=0)
    assert (cloud.width, len(cloud.data)) == (0, 0)
