# SPDX-License-Identifier: Apache-2.0
"""`recon bag`: recorded bags to meshes and a bag of our messages."""

import json
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from recon_node.bag_files import BagReader
from recon_node.messages.object_meshes import mesh_of
from recon_node.messages.poses import transform_of
from recon_node.node_config import WorkConfig
from recon_node.streams.change import ChangeConfig
from recon_node.streams.frame_join import JoinConfig

SECOND = 1_000_000_000  # [ns]
IDS = [f"object_{value:03d}" for value in range(1, 7)]


def _written(folder):
    """The messages of the bag that was written, and its topics."""
    with BagReader(folder / "bag") as reader:
        return [m.message for m in reader.messages(["/recon/objects"])], reader.topics


@pytest.fixture
def table(record):
    """A bag of the three frames, a second apart."""
    with record() as recording:
        for number in (1, 2, 3):
            recording.table(number, number * SECOND)
    return recording.path


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_meshes_and_bag(recon, record, tmp_path, storage):
    """Write the newest files of every object, and every version as a message."""
    with record(storage=storage) as recording:
        for number in (1, 2):
            recording.table(number, number * SECOND)
    out = tmp_path / "out"
    run = recon("bag", recording.path, "--engine", "hull", "-o", out)
    assert (run.code, run.errors, run.warnings) == (0, [], [])
    assert "2 images, 2 frames, 12 meshes\ndropped: nothing" in run.out
    assert sorted(path.name for path in out.iterdir()) == ["bag", *IDS]
    assert list((out / "bag").glob("*.db3" if storage == "sqlite3" else "*.mcap"))
    messages, topics = _written(out)
    assert topics["/recon/objects"].type == "recon/msg/ObjectMesh"
    assert [m.object_id for m in messages] == IDS * 2
    assert [m.version for m in messages] == [1] * 6 + [2] * 6
    last = messages[-6:]
    for message in last:
        result = json.loads((out / message.object_id / "result.json").read_text())
        assert (result["version"], result["scale_source"]) == (2, "DEPTH")
        assert result["input"]["stamp_ns"] == 2 * SECOND
        assert result["input"]["topics"]["depth"] == "/depth"
        np.testing.assert_allclose(transform_of(message.pose), result["T_world_object"], atol=1e-9)
        assert (message.header.stamp.sec, message.header.frame_id) == (2, "camera_optical")
        mesh = mesh_of(message)
        stored = trimesh.load(out / message.object_id / "mesh.ply", process=False)
        np.testing.assert_array_equal(stored.vertices.astype(np.float32), mesh.vertices)
        assert (out / message.object_id / "mesh.glb").stat().st_size > 1000


def test_storage_of_the_written_bag(recon, table, tmp_path):
    """Write the storage that is asked for."""
    run = recon("bag", table, "-e", "hull", "-o", tmp_path / "out", "--storage", "mcap")
    assert run.code == 0
    assert list((tmp_path / "out" / "bag").glob("*.mcap"))


def test_compact_engine(recon, record, tmp_path):
    """Run the default engine on a bag."""
    with record() as recording:
        recording.table(1, SECOND)
    out = tmp_path / "out"
    run = recon("bag", recording.path, "-o", out)
    assert run.code == 0
    assert {m.engine for m in _written(out)[0]} <= {"compact", "hull"}
    assert "compact" in run.out


def test_still_scene_is_made_once(recon, record, tmp_path):
    """Reconstruct what does not change once, and every time with --every-frame."""
    with record() as recording:
        for tenth in range(6):
            recording.table(1, tenth * SECOND // 10)
    run = recon("bag", recording.path, "-e", "hull", "-o", tmp_path / "once")
    assert "6 images, 6 frames, 6 meshes\ndropped: superseded 12, unchanged 18" in run.out
    run = recon("bag", recording.path, "-e", "hull", "--every-frame", "-o", tmp_path / "every")
    assert "6 images, 6 frames, 36 meshes\ndropped: nothing" in run.out


def test_last_frame_is_used(recon, record, tmp_path):
    """Use the newest frame that waits for its interval when the bag ends."""
    with record() as recording:
        recording.table(1, 0)
        recording.table(2, SECOND // 10)
    out = tmp_path / "out"
    assert recon("bag", recording.path, "-e", "hull", "-o", out).code == 0
    assert [m.header.stamp.nanosec for m in _written(out)[0]] == [0] * 6 + [SECOND // 10] * 6


def test_camera_pose(recon, record, table_poses, tmp_path):
    """Place the objects in the frame of camera_pose: the camera moves, they do not."""
    with record() as recording:
        for number, T_world_camera in table_poses.items():
            recording.table(number, number * SECOND)
            recording.write(
                "/camera_pose", recording.pose(number * SECOND, "table_top", T_world_camera)
            )
    out = tmp_path / "out"
    assert recon("bag", recording.path, "-e", "hull", "-o", out).code == 0
    _check_places(_written(out)[0], "table_top")


def test_camera_pose_at_other_stamps(recon, record, table_poses, tmp_path):
    """Interpolate poses, also one that is recorded after the frame; give up far from any."""
    T_before, T_after = table_poses[1].copy(), table_poses[1].copy()
    T_before[0, 3] -= 1.0
    T_after[0, 3] += 1.0
    with record() as recording:
        recording.write("/camera_pose", recording.pose(-5_000_000 + SECOND, "world", T_before))
        recording.table(1, SECOND)
        recording.write("/camera_pose", recording.pose(5_000_000 + SECOND, "world", T_after))
        recording.table(2, 9 * SECOND)
    out = tmp_path / "out"
    run = recon("bag", recording.path, "-e", "hull", "-o", out)
    assert run.code == 0
    assert "no_camera_pose 1" in run.out
    assert "/camera_pose has none within reach of the stamp 9.000 s" in run.warnings[-1]
    (cup,) = (m for m in _written(out)[0] if m.label == 1)
    with record("alone") as recording:
        recording.table(1, SECOND)
        pose = recording.pose(SECOND, "world", table_poses[1])
        recording.write("/camera_pose", pose)
    assert recon("bag", recording.path, "-e", "hull", "-o", tmp_path / "alone_out").code == 0
    (expected,) = (m for m in _written(tmp_path / "alone_out")[0] if m.label == 1)
    np.testing.assert_allclose(transform_of(cup.pose), transform_of(expected.pose), atol=1e-6)


def test_world_frame(recon, record, table_poses, tmp_path):
    """Place the objects through /tf, which comes late, and /tf_static."""
    mount = np.eye(4)
    mount[:3, 3] = (0.1, -0.2, 0.3)
    with record() as recording:
        for number, T_world_camera in table_poses.items():
            recording.table(number, number * SECOND)
            T_world_base = T_world_camera @ np.linalg.inv(mount)
            message = recording.transform("world", "base", T_world_base, number * SECOND)
            recording.write("/tf", message)
        message = recording.transform("base", "camera_optical", mount, 0)
        recording.write("/tf_static", message)
    out = tmp_path / "out"
    run = recon("bag", recording.path, "-e", "hull", "--world-frame", "world", "-o", out)
    assert run.code == 0
    assert "3 frames, 18 meshes" in run.out
    _check_places(_written(out)[0], "world")
    run = recon("bag", recording.path, "-e", "hull", "--world-frame", "map", "-o", tmp_path / "no")
    assert run.code == 2
    (error,) = run.errors
    assert "there is no frame 'map' in /tf and /tf_static; frames: base, camera_optical, " in error
    assert "no_camera_pose 3" in run.out


def test_image_without_frame(recon, record, tmp_path):
    """Say that /tf cannot place an image without frame_id; without /tf it needs none."""
    with record() as recording:
        recording.table(1, 0, without=("image",))
        image = recording.image(0, np.full((120, 160, 3), 99, np.uint8), "rgb8")
        image.header.frame_id = ""
        recording.write("image", image)  # no leading slash either
    run = recon("bag", recording.path, "-e", "hull", "--world-frame", "map", "-o", tmp_path / "out")
    assert run.code == 2
    assert "an image has no frame_id, so /tf cannot place it" in run.errors[0]
    assert recon("bag", recording.path, "-e", "hull", "-o", tmp_path / "out").code == 0


def _check_places(messages, frame_id):
    """All versions of an object are above the table's top, near each other."""
    assert {m.header.frame_id for m in messages} == {frame_id}
    for object_id in IDS:
        centres = [
            (transform_of(m.pose) @ np.append(mesh_of(m).vertices.mean(axis=0), 1))[:3]
            for m in messages
            if m.object_id == object_id
        ]
        assert len(centres) == 3
        assert np.ptp(centres, axis=0).max() < 0.06  # the hull sees one side only
        assert all(-0.02 < centre[2] < 0.2 for centre in centres)


def test_bag_that_starts_over(recon, record, tmp_path):
    """Give objects up when the stamps jump back, and count their versions on."""
    with record() as recording:
        for loop in range(2):
            for number in (1, 2):
                recording.table(number, number * 5 * SECOND, without=() if loop else ("mask",))
                if not loop:
                    break
            recording.table(3, 20 * SECOND)
    out = tmp_path / "out"
    run = recon("bag", recording.path, "-e", "hull", "-o", out)
    assert run.code == 0
    messages, _ = _written(out)
    cups = [(m.operation, m.version, m.header.stamp.sec) for m in messages if m.label == 1]
    assert cups == [(0, 1, 20), (1, 0, 5), (0, 2, 5), (0, 3, 10), (0, 4, 20)]


def test_objects_that_leave(recon, record, tmp_path):
    """Say that an object is gone when it was not seen for a while, and keep its files."""
    with record() as recording:
        recording.table(1, 0)
        recording.table(1, 11 * SECOND, without=("mask",))
        empty = np.zeros((120, 160), np.uint8)
        recording.write("/mask", recording.image(11 * SECOND, empty, "mono8"))
    out = tmp_path / "out"
    assert recon("bag", recording.path, "-e", "hull", "-o", out).code == 0
    messages, _ = _written(out)
    assert [m.object_id for m in messages if m.operation == 1] == IDS
    assert (out / "object_001" / "mesh.ply").exists()


def test_help_tells_the_defaults(recon):
    """Tell the defaults of the configurations, which the options leave in place."""
    told = " ".join(recon("bag", "--help").out.split())
    defaults = (JoinConfig().slop, WorkConfig().min_interval, ChangeConfig().change_threshold)
    for default in defaults:
        assert f"(default: {default:g})" in told


def test_needs_no_ros(record, tmp_path):
    """Work where rclpy and the messages of ROS are not installed."""
    with record() as recording:
        recording.table(1, 0)
    code = (
        "import sys\n"
        "for name in ('rclpy', 'recon', 'sensor_msgs', 'geometry_msgs', 'std_msgs', 'tf2_ros'):\n"
        "    sys.modules[name] = None\n"
        "from recon_node.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "bag", recording.path, "-e", "hull", "-o", "out"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "1 images, 1 frames, 6 meshes" in run.stdout


def test_needs_rosbags(recon, tmp_path, monkeypatch):
    """Say how to install rosbags where it is missing."""
    monkeypatch.setitem(sys.modules, "rosbags", None)
    run = recon("bag", tmp_path, "-o", tmp_path / "out")
    assert run.code == 2
    assert "the package 'rosbags' could not be imported" in run.errors[0]
    assert "pip install '.[bag]'" in run.errors[0]
