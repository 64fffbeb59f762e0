# SPDX-License-Identifier: Apache-2.0
"""Markers: their bytes against the same marker made of rclpy's objects, and what rviz shows."""

import dataclasses
import io

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import transform_points
from recon_node.messages.markers import (
    MarkerColors,
    deleted_marker,
    marker_array,
    object_marker,
)
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns
from recon_node.provenance_colors import PROVENANCE_COLORS

pytestmark = [
    pytest.mark.ros,
    # The generator that rclpy's messages import looks for modules of Python's past.
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),
]
MANY = 1000  # triangles, more than the mesh has


def read(data: bytes):
    """The markers of the bytes, as a subscriber gets them."""
    from rclpy.serialization import deserialize_message
    from visualization_msgs.msg import MarkerArray

    return deserialize_message(data, MarkerArray).markers


def with_mesh(stored, mesh):
    return dataclasses.replace(stored, result=dataclasses.replace(stored.result, mesh=mesh))


def placed(marker, vertices):
    """Vertices of the marker in its frame."""
    return transform_points(transform_of(marker.pose), vertices)


@pytest.mark.parametrize("object_id", ["a", "ab", "abc", "abcd", "käse"])
@pytest.mark.parametrize("limit, uri", [(MANY, ""), (11, "file:///m.glb"), (11, "")])
def test_bytes_are_those_of_the_message(stored, object_id, limit, uri):
    """For every alignment of what follows a string."""
    result = dataclasses.replace(stored.result, object_id=object_id)
    stored = dataclasses.replace(stored, result=result, mesh_uri=uri)
    (marker,) = read(marker_array(stored, triangle_limit=limit))
    assert marker == object_marker(stored, triangle_limit=limit)
    assert (stamp_ns(marker.header), marker.header.frame_id) == (12_000_000_034, "map")


def test_triangles_stand_where_the_mesh_does(stored):
    (marker,) = read(marker_array(stored, triangle_limit=12))
    mesh = stored.result.mesh
    assert marker.type == marker.TRIANGLE_LIST and marker.action == marker.ADD
    assert (marker.ns, marker.id) == ("object_007", 0)
    points = np.array([[p.x, p.y, p.z] for p in marker.points])
    np.testing.assert_array_equal(points, mesh.vertices[mesh.faces].reshape(-1, 3))
    np.testing.assert_allclose(transform_of(marker.pose), stored.result.T_world_object, atol=1e-12)
    colors = np.array([[c.r, c.g, c.b, c.a] for c in marker.colors])
    np.testing.assert_allclose(colors[:, :3] * 255, mesh.colors[mesh.faces.ravel()], atol=1e-4)
    assert (colors[:, 3] == 1).all()
    assert (marker.scale.x, marker.scale.y, marker.scale.z, marker.color.a) == (1, 1, 1, 1)


def test_triangles_may_say_where_they_were_seen(stored):
    data = marker_array(stored, triangle_limit=MANY, colors=MarkerColors.PROVENANCE)
    colors = np.array([[c.r, c.g, c.b] for c in read(data)[0].colors])
    levels = stored.result.mesh.provenance[stored.result.mesh.faces.ravel()]
    expected = np.array([PROVENANCE_COLORS[level] for level in levels])
    np.testing.assert_allclose(colors * 255, expected, atol=1e-4)


@pytest.mark.parametrize("colors", MarkerColors)
def test_a_mesh_of_which_nothing_is_known_is_gray(stored, colors):
    bare = with_mesh(stored, Mesh(stored.result.mesh.vertices, stored.result.mesh.faces))
    (marker,) = read(marker_array(bare, triangle_limit=MANY, colors=colors))
    assert {(c.r, c.g, c.b, c.a) for c in marker.colors} == {(*3 * [np.float32(190 / 255)], 1.0)}


def test_a_large_mesh_is_named(stored):
    (marker,) = read(marker_array(stored, triangle_limit=11))
    assert marker.type == marker.MESH_RESOURCE
    assert marker.mesh_resource == "file:///tmp/object_007_v3.glb"
    assert len(marker.points) == len(marker.colors) == len(marker.mesh_file.data) == 0
    mean = stored.result.mesh.colors.mean(axis=0) / 255
    assert (marker.color.r, marker.color.g, marker.color.b) == pytest.approx(tuple(mean), abs=1e-6)


def test_a_large_mesh_without_a_file_is_embedded_and_stands_where_it_should(stored):
    stored = dataclasses.replace(stored, mesh_uri="")
    (marker,) = read(marker_array(stored, triangle_limit=0))
    assert marker.mesh_resource == "embedded://object_007_v0003.glb"
    assert marker.mesh_file.filename == "object_007_v0003.glb"
    glb = io.BytesIO(marker.mesh_file.data.tobytes())
    shown = trimesh.load(glb, file_type="glb", process=False, force="mesh")
    expected = transform_points(stored.result.T_world_object, stored.result.mesh.vertices)
    np.testing.assert_allclose(placed(marker, shown.vertices), expected, atol=1e-6)


def test_a_deleted_marker_has_the_name_of_the_one_it_deletes(stored):
    (shown,) = read(marker_array(stored, triangle_limit=MANY))
    (deleted,) = read(deleted_marker(stored))
    assert deleted.action == deleted.DELETE
    assert (deleted.ns, deleted.id, deleted.header) == (shown.ns, shown.id, shown.header)
    assert len(deleted.points) == 0
