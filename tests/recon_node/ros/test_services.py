# SPDX-License-Identifier: Apache-2.0
"""The services of the node over real DDS, good requests and bad ones."""

import numpy as np
import pytest
import trimesh

pytestmark = pytest.mark.ros


def test_reconstructs_what_the_request_holds(start_node, robot, scene):
    """Answer with the meshes of the request's own image, and publish them."""
    start_node()
    response = robot.call("reconstruct", **scene(5.0, labels=(3, 9)))
    assert response.success, response.message
    assert "2 of 2 objects" in response.message
    assert [mesh.object_id for mesh in response.objects] == ["object_003", "object_009"]
    assert robot.object("object_009").vertices == response.objects[1].vertices


def test_reconstructs_the_newest_frame_and_some_labels(start_node, robot, scene):
    """Take the topics' frame where the request has no image, and only the labels asked for."""
    start_node()
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.object("object_002")
    response = robot.call("reconstruct", labels=[2])
    assert response.success, response.message
    assert [(m.object_id, m.version) for m in response.objects] == [("object_002", 2)]
    assert response.objects[0].header.stamp.sec == 1


def test_places_a_request_by_its_camera_pose(start_node, robot, scene, pose_message):
    """Put the mesh where the camera_pose of the request says."""
    start_node()
    at_origin = robot.call("reconstruct", **scene(1.0)).objects[0]
    pose = pose_message((10.0, 0.0, 0.0), 1.0, "map")
    moved = robot.call("reconstruct", **scene(1.0), camera_pose=pose).objects[0]
    assert moved.header.frame_id == "map"
    assert moved.pose.position.x == pytest.approx(at_origin.pose.position.x + 10.0)


def test_bad_requests_are_answered(start_node, robot, scene, image_message):
    """Say what is missing or wrong; nothing is left waiting."""
    start_node()
    response = robot.call("reconstruct")
    assert not response.success and "no frame of the topics yet" in response.message
    response = robot.call("reconstruct", **scene(1.0), labels=[42])
    assert not response.success and "does not mark 42; it marks 1" in response.message
    bayer = image_message(np.zeros((72, 96), np.uint8), "bayer_rggb8", 1.0)
    response = robot.call("reconstruct", **(scene(1.0) | {"image": bayer}))
    assert not response.success and "bayer_rggb8" in response.message
    small = image_message(np.ones((20, 30), np.uint8), "mono8", 1.0)
    response = robot.call("reconstruct", **(scene(1.0) | {"mask": small}))
    assert not response.success and "must be of one size" in response.message


def test_request_of_an_inactive_node(start_node, robot, scene):
    """Say that it is not active."""
    start_node()
    assert robot.change("deactivate")
    response = robot.call("reconstruct", **scene(1.0))
    assert not response.success and "activate it first" in response.message


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_saves_a_mesh(start_node, robot, scene, tmp_path, suffix):
    """Write the newest version below the folder that the parameter names."""
    start_node(save_directory=str(tmp_path))
    message = robot.call("reconstruct", **scene(1.0)).objects[0]
    response = robot.call("save_mesh", object_id="object_001", path=f"cups/red{suffix}")
    assert response.success, response.message
    assert response.path == str(tmp_path / "cups" / f"red{suffix}") and response.version == 1
    saved = trimesh.load(response.path, force="mesh", process=False)
    assert len(saved.faces) == message.triangle_count and saved.is_watertight


def test_saves_under_a_name_of_its_own(start_node, robot, scene, tmp_path):
    """Name the file after object and version where no path is given."""
    start_node(save_directory=str(tmp_path))
    robot.call("reconstruct", **scene(1.0))
    response = robot.call("save_mesh", object_id="object_001")
    assert response.path == str(tmp_path / "object_001_v1.ply")


@pytest.mark.parametrize(
    "path, complaint",
    [
        ("../outside.ply", "leads out of"),
        ("/etc/passwd.ply", "leads out of"),
        ("link/mesh.ply", "leads out of"),
        ("mesh.stl", "must end in one of: .ply, .glb"),
    ],
)
def test_saves_nowhere_else(start_node, robot, scene, tmp_path, path, complaint):
    """Refuse a path that leaves the folder, by dots, root or link, and unknown formats."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    start_node(save_directory=str(inside))
    robot.call("reconstruct", **scene(1.0))
    response = robot.call("save_mesh", object_id="object_001", path=path)
    assert not response.success and complaint in response.message
    assert sorted(tmp_path.rglob("*.ply")) == []


def test_saves_no_unknown_object(start_node, robot, scene, tmp_path):
    """Name the objects there are; and say where saving is off."""
    start_node(save_directory=str(tmp_path))
    robot.call("reconstruct", **scene(1.0))
    response = robot.call("save_mesh", object_id="object_01")
    assert not response.success and "did you mean 'object_001'?" in response.message


def test_saving_can_be_off(start_node, robot, scene):
    """Say which parameter turns it on."""
    start_node(save_directory="")
    robot.call("reconstruct", **scene(1.0))
    response = robot.call("save_mesh", object_id="object_001")
    assert not response.success and "save_directory" in response.message


def test_clears_objects(start_node, robot, scene):
    """Forget the one asked for, then all; say REMOVE; number the next version on."""
    start_node()
    robot.call("reconstruct", **scene(1.0, labels=(1, 2, 3)))
    response = robot.call("clear", object_ids=["object_002", "ghost"])
    assert not response.success and response.cleared == ["object_002"]
    assert "not known: ghost" in response.message
    response = robot.call("clear")
    assert response.success and response.cleared == ["object_001", "object_003"]
    removed = {m.object_id for m in robot.objects if m.operation == m.REMOVE}
    assert removed == {"object_001", "object_002", "object_003"}
    again = robot.call("reconstruct", **scene(2.0, labels=(2,)))
    assert again.objects[0].version == 2


def test_tells_what_is_known_at_points(start_node, robot, scene):
    """Give the seen side as seen, the back as guessed, with signed distances."""
    start_node()
    mesh = robot.call("reconstruct", **scene(1.0)).objects[0]
    position = mesh.pose.position
    towards = [position.x, position.y, position.z - 0.2]
    behind = [position.x, position.y, position.z + 0.3]
    inside = [position.x, position.y, 0.503]
    response = robot.call(
        "query_confidence",
        object_id="object_001",
        header=mesh.header,
        points=towards + behind + inside,
    )
    assert response.success and response.version == 1, response.message
    assert list(response.provenance[:2]) == [mesh.SEEN_ONCE, mesh.HALLUCINATED]
    assert response.sigma[0] < response.sigma[1]
    assert response.distance[0] == pytest.approx(0.5 - towards[2], abs=0.01)
    assert response.distance[1] > 0 > response.distance[2]


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"points": []}, "expected x y z"),
        ({"points": [0.0, 1.0]}, "expected x y z"),
        ({"points": [0.0, float("nan"), 0.0]}, "finite"),
        ({"points": [0.0] * 3, "object_id": "ghost"}, "unknown object 'ghost'"),
        ({"points": [0.0] * 3, "frame": "elsewhere"}, "the points are in 'elsewhere'"),
    ],
)
def test_bad_queries_are_answered(start_node, robot, scene, fields, complaint):
    """Say what is wrong with the points, the object or the frame."""
    start_node()
    header = robot.call("reconstruct", **scene(1.0)).objects[0].header
    header.frame_id = fields.pop("frame", header.frame_id)
    response = robot.call(
        "query_confidence", **{"object_id": "object_001", **fields}, header=header
    )
    assert not response.success and complaint in response.message
