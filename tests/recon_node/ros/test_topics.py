# SPDX-License-Identifier: Apache-2.0
"""What the node publishes over real DDS: latched meshes, markers, points, status, diagnostics."""

from urllib.parse import urlparse

import numpy as np
import pytest
import trimesh
from recon.msg import ObjectMesh
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

pytestmark = pytest.mark.ros


def test_late_joiner_gets_every_object(start_node, robot, make_robot, scene, wait_until):
    """Send the newest version of each object to whoever comes later, even after many of one."""
    start_node(max_objects=2)
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.object("object_001"), robot.object("object_002")
    for stamp in range(2, 9):  # more than the latched history holds
        robot.send(**scene(float(stamp), shift=8 * (stamp % 2)))
        robot.object("object_001", version=stamp)
    late = make_robot()
    wait_until(lambda: {m.object_id for m in late.objects} == {"object_001", "object_002"}, "both")
    assert max(m.version for m in late.objects if m.object_id == "object_001") == 8


def test_markers_carry_the_triangles(start_node, robot, scene, wait_until):
    """Publish coloured triangles in the mesh's frame, made only where somebody listens."""
    start_node()
    robot.send(**scene(1.0))
    mesh = robot.object("object_001")
    markers: list[MarkerArray] = []
    robot.listen(MarkerArray, "markers", markers)
    wait_until(lambda: markers, "no marker for a late joiner")
    (marker,) = markers[0].markers
    assert (marker.type, marker.action) == (Marker.TRIANGLE_LIST, Marker.ADD)
    assert marker.header == mesh.header and marker.ns == "object_001"
    assert len(marker.points) == len(marker.colors) == 3 * mesh.triangle_count
    vertices = np.frombuffer(mesh.vertices, np.float32).reshape(-1, 3)
    first = marker.points[0]
    corner = vertices[mesh.triangles[0]]
    assert np.allclose((first.x, first.y, first.z), corner, atol=1e-6)
    assert (marker.scale.x, marker.scale.y, marker.scale.z) == (1.0, 1.0, 1.0)


def test_large_markers_name_a_file(start_node, robot, scene, wait_until, tmp_path):
    """Write a GLB of each version where the marker's triangles are too many; keep the last two."""
    start_node(marker_triangle_limit=10, mesh_directory=str(tmp_path))
    markers: list[MarkerArray] = []
    robot.listen(MarkerArray, "markers", markers)
    for version in (1, 2, 3):
        robot.send(**scene(float(version), shift=10 * (version % 2)))
        mesh = robot.object("object_001", version=version)
    wait_until(lambda: len(markers) >= 3, "no markers")
    marker = markers[-1].markers[0]
    assert marker.type == Marker.MESH_RESOURCE and not marker.points
    assert marker.mesh_resource == mesh.mesh_uri
    path = urlparse(mesh.mesh_uri).path
    assert len(trimesh.load(path, force="mesh", process=False).faces) == mesh.triangle_count
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "object_001_v0002.glb",
        "object_001_v0003.glb",
    ]


def test_large_markers_can_hold_the_file(start_node, robot, scene, wait_until):
    """Embed the GLB where the parameter says so, and write nothing."""
    start_node(marker_triangle_limit=10, mesh_resource="embedded")
    markers: list[MarkerArray] = []
    robot.listen(MarkerArray, "markers", markers)
    robot.send(**scene(1.0))
    assert robot.object("object_001").mesh_uri == ""
    wait_until(lambda: markers, "no marker")
    marker = markers[0].markers[0]
    assert marker.mesh_resource.startswith("embedded://")
    assert bytes(marker.mesh_file.data[:4]) == b"glTF"


def test_points_lie_on_all_objects(start_node, robot, scene, wait_until):
    """Publish one cloud of all objects, latched, with normals and labels."""
    start_node(points_per_object=100)
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.object("object_001"), robot.object("object_002")
    clouds: list[PointCloud2] = []
    robot.listen(PointCloud2, "points", clouds)
    wait_until(lambda: clouds, "no cloud")
    cloud = clouds[-1]
    assert cloud.width * cloud.height == 200
    assert cloud.header.frame_id == "camera_optical_frame"
    offsets = {field.name: field.offset for field in cloud.fields}
    assert {"x", "y", "z", "normal_x", "rgb", "provenance", "sigma", "label"} <= set(offsets)
    data = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)
    labels = np.ascontiguousarray(data[:, offsets["label"] : offsets["label"] + 4]).view(np.uint32)
    assert np.bincount(labels.ravel()).tolist() == [0, 100, 100]


def test_objects_age_out(start_node, robot, scene, wait_until):
    """Say REMOVE and delete the marker of what was not seen for max_age; keep what is seen."""
    start_node(max_age=5.0)
    markers: list[MarkerArray] = []
    robot.listen(MarkerArray, "markers", markers)
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.object("object_001"), robot.object("object_002")
    robot.send(**scene(5.0))
    robot.send(**scene(7.0))
    wait_until(
        lambda: any(m.operation == ObjectMesh.REMOVE for m in robot.objects), "nothing aged out"
    )
    gone = [m for m in robot.objects if m.operation == ObjectMesh.REMOVE]
    assert [m.object_id for m in gone] == ["object_002"]
    wait_until(lambda: any(m.action == Marker.DELETE for a in markers for m in a.markers), "marker")
    deleted = [m for a in markers for m in a.markers if m.action == Marker.DELETE]
    added = [m for a in markers for m in a.markers if m.ns == "object_002"]
    assert (deleted[0].ns, deleted[0].id) == (added[0].ns, added[0].id)
    assert robot.status_where(lambda status: status.object_count == 1, "one object")


def test_objects_are_followed_without_labels(start_node, robot, scene):
    """Keep the id of an object whose value in the mask changes, where labels mean nothing."""
    start_node(persistent_labels=False)
    robot.send(**scene(1.0, labels=(4,)))
    first = robot.objects or [robot.object("object_001")]
    robot.send(**scene(2.0, labels=(9,), shift=6))
    second = robot.object(first[0].object_id, version=2)
    assert (first[0].label, second.label) == (4, 9)


def test_diagnostics_tell_latencies_and_drops(start_node, robot, scene, wait_until):
    """Report percentiles of each stage, counts, the engine and the last error."""
    start_node()
    robot.send(**scene(1.0))
    robot.object("object_001")
    robot.send(**scene(2.0))
    status = robot.drops("unchanged")
    assert status.latency_p50_ms > 0 and status.latency_p99_ms >= status.latency_p50_ms
    assert (status.images, status.frames, status.results) == (2, 2, 1)
    wait_until(
        lambda: any("dropped: unchanged" == v.key for v in robot.diagnostics[-1].status[0].values),
        "no diagnostics",
    )
    (diagnostic,) = robot.diagnostics[-1].status
    values = {value.key: value.value for value in diagnostic.values}
    assert diagnostic.level == diagnostic.OK and diagnostic.hardware_id == "/recon"
    assert values["engine"] == "hull" and values["dropped: unchanged"] == "1"
    stages = [key for key in values if key.endswith("p50 / p90 / p99 [ms]")]
    assert any(key.startswith("queue") for key in stages)
    assert any(key.startswith("arrival_to_publication") for key in stages)
