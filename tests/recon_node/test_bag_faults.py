# SPDX-License-Identifier: Apache-2.0
"""Bags that are damaged, incomplete or strange: clear words, and what was good is kept."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

SECOND = 1_000_000_000  # [ns]


@pytest.fixture
def run(recon, tmp_path):
    """Runs `recon bag` with the hull into the folder out."""
    return lambda bag, *more: recon("bag", bag, "-e", "hull", "-o", tmp_path / "out", *more)


def _good(record, *, storage="sqlite3", frames=2):
    with record(storage=storage) as recording:
        for second in range(frames):
            recording.table(1 + second % 3, second * SECOND)
    return recording.path


def _objects(folder):
    return sorted(path.parent.name for path in folder.glob("*/result.json"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("nothing", None, "there is no bag"),
        ("notes.txt", b"hello", "is no bag; give the folder of a rosbag2 bag"),
        ("garbage.db3", b"hello" * 999, "cannot open the bag"),
        ("garbage.mcap", b"hello" * 999, "cannot open the bag"),
        ("empty.mcap", b"", "cannot open the bag"),
    ],
)
def test_no_bag(run, tmp_path, name, content, told):
    """Say what is wrong with a path, and write nothing."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = run(path)
    assert result.code == 2
    (error,) = result.errors
    assert told in error
    assert not (tmp_path / "out").exists()


def test_folder_without_a_bag(run, tmp_path):
    """Say so where a folder holds no bag, or several files and no metadata."""
    (tmp_path / "folder").mkdir()
    assert "holds neither .db3 nor .mcap" in run(tmp_path / "folder").errors[0]
    (tmp_path / "folder" / "a.db3").touch()
    (tmp_path / "folder" / "b.db3").touch()
    assert "no metadata.yaml and several files" in run(tmp_path / "folder").errors[0]


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_recording_that_was_killed(run, record, tmp_path, storage):
    """Read the one file of a folder whose metadata was never written."""
    path = _good(record, storage=storage, frames=1)
    (path / "metadata.yaml").unlink()
    result = run(path)
    assert (result.code, result.errors) == (0, [])
    assert len(_objects(tmp_path / "out")) == 6


def test_damage_in_the_middle(run, record, tmp_path):
    """Keep what came before the damage, and say where the bag ends."""
    path = _good(record, frames=12)
    (file,) = path.glob("*.db3")
    content = bytearray(file.read_bytes())
    half = len(content) // 2 // 4096 * 4096
    content[half : half + 4096] = b"\xff" * 4096  # a page inside a picture, as it happens
    file.write_bytes(content)
    result = run(path)
    assert result.code == 2
    (error,) = result.errors
    assert "cannot be read beyond message" in error
    assert "what came before was used" in error
    assert len(_objects(tmp_path / "out")) == 6
    assert "30 meshes" in result.out
    assert (tmp_path / "out" / "bag" / "metadata.yaml").exists()


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_truncated_file(run, record, tmp_path, storage):
    """Fail with a sentence, not a traceback, where the end of the file is missing."""
    path = _good(record, storage=storage, frames=6)
    file = next(file for file in path.iterdir() if file.suffix in (".db3", ".mcap"))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])
    result = run(path)
    assert result.code == 2
    (error,) = result.errors
    assert "cannot open the bag" in error
    recover = "sqlite3 FILE.db3 .recover" if storage == "sqlite3" else "mcap recover"
    assert f"`{recover}" in error
    assert not (tmp_path / "out").exists()


def test_message_that_makes_no_sense(run, record, tmp_path):
    """Count a message that cannot be decoded, and go on."""
    with record() as recording:
        recording.table(1, 0)
        broken = recording.image(SECOND, np.zeros((4, 4), np.uint8), "mono8")
        recording.write("/mask", broken)
        connection = recording._connections["/mask"]
        recording._writer.write(connection, SECOND, b"\x00\x01\x00\x00oh no")
        recording.table(2, 2 * SECOND)
    result = run(recording.path)
    assert result.code == 0
    assert "12 meshes" in result.out
    assert "mask_unmatched 1, bad_input 1" in result.out
    (warning,) = result.warnings
    assert "bad_input, the last time: a message of /mask cannot be decoded" in warning


def test_bad_content(run, record, tmp_path):
    """Count images that cannot be used, masks of another size and masks of a wrong type."""
    image = np.zeros((120, 160, 3), np.uint8)
    with record() as recording:
        recording.table(1, 0)
        recording.write("/image", recording.image(SECOND, image[..., 0], "bayer_rggb8"))
        small = np.full((60, 80), 5, np.uint8)
        recording.table(1, 2 * SECOND, without=("mask",))
        recording.write("/mask", recording.image(2 * SECOND, small, "mono8"))
        recording.table(1, 3 * SECOND, without=("mask",))
        recording.write("/mask", recording.image(3 * SECOND, image, "rgb8"))
    result = run(recording.path)
    assert result.code == 0
    assert "4 images, 2 frames, 6 meshes" in result.out
    assert "bad_input 3" in result.out
    assert "bad_input, the last time: " in result.warnings[-1]


def test_masks_without_objects(run, record, tmp_path):
    """Say why there is no mesh where no mask marks anything."""
    with record() as recording:
        recording.table(1, 0, without=("mask",))
        recording.write("/mask", recording.image(0, np.zeros((120, 160), np.uint8), "mono8"))
    result = run(recording.path)
    assert result.code == 2
    assert "gave no mesh: its masks mark no object" in result.errors[0]
    assert _objects(tmp_path / "out") == []


def test_stamps_that_never_match(run, record):
    """Say how far the stamps are off, and that --slop would join them."""
    with record() as recording:
        recording.table(1, 0, without=("mask", "depth"))
        mask = np.full((120, 160), 5, np.uint8)
        recording.write("/mask", recording.image(SECOND // 10, mask, "mono8"))
    result = run(recording.path)
    assert result.code == 2
    told = "mask: 1 received, nearest stamp 0.1 s from the image's (slop 0.02)"
    assert told in result.errors[0]
    assert run(recording.path, "--slop", "0.1").code == 0


def test_missing_topics_are_listed(run, record):
    """List the topics with their types where one is missing or has another type."""
    with record() as recording:
        recording.table(1, 0, without=("camera_info",))
    result = run(recording.path)
    assert result.code == 2
    assert "has no topic 'camera_info', and no other stands out; name one with" in result.errors[0]
    assert (
        "--camera-info. Its topics: /depth (sensor_msgs/msg/Image, 1), /image" in result.errors[0]
    )
    result = run(recording.path, "--camera-info", "left/info")
    assert "has no topic '/left/info' (--camera-info). Its topics: /depth" in result.errors[0]
    result = run(recording.path, "--camera-info", "/mask")
    assert (
        "--camera-info /mask is a sensor_msgs/msg/Image, but must be a sensor_msgs/msg/Camera"
        in (result.errors[0])
    )


def test_topics_that_stand_out(run, record, tmp_path):
    """Find topics by the end of the name, by encoding, and the camera_info of the image."""
    with record() as recording:
        recording.write("/left/camera_info", recording.camera_info(0))
        image, mask, depth = _box()
        names = {
            "/camera/color/camera_info": recording.camera_info(0),
            "/camera/color/image_raw": recording.image(0, image, "rgb8"),
            "/camera/aligned/image_raw": recording.image(0, depth, "16UC1"),
            "/segmenter/mask": recording.image(0, mask, "8UC1"),
        }
        for topic, message in names.items():
            recording.write(topic, message)
    result = run(recording.path)
    assert (result.code, result.errors) == (0, [])
    content = (tmp_path / "out" / "object_005" / "result.json").read_text()
    for topic in names:
        assert topic in content


def _box():
    """Image, mask of the value 5, and depth [mm] of something square."""
    mask = np.zeros((120, 160), np.uint8)
    mask[40:80, 60:100] = 5
    return np.full((120, 160, 3), 99, np.uint8), mask, np.full((120, 160), 700, np.uint16)


def test_compressed_images(run, record, tmp_path):
    """Take a compressed image where there is no raw one, and never a compressed depth."""
    image, mask, _ = _box()
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG")
    with record() as recording:
        kind = recording.types["sensor_msgs/msg/CompressedImage"]
        data = np.frombuffer(encoded.getvalue(), np.uint8)
        header = recording.header(0)
        depth = kind(header, "16UC1; compressedDepth png", data)
        recording.write("/camera/depth/compressedDepth", depth)
        color = kind(header, "rgb8; jpeg compressed bgr8", data)
        recording.write("/camera/color/compressed", color)
        recording.write("/camera/camera_info", recording.camera_info(0))
        recording.write("/camera/mask", recording.image(0, mask, "mono8"))
    assert run(recording.path).code == 0
    content = (tmp_path / "out" / "object_005" / "result.json").read_text()
    assert '"image": "/camera/color/compressed"' in content
    with record("both") as recording:
        recording.write("/camera/color", recording.image(0, image, "bgr8"))
        recording.write("/camera/color/compressed", color)
        recording.write("/camera/camera_info", recording.camera_info(0))
        recording.write("/camera/mask", recording.image(0, mask, "mono8"))
    shutil.rmtree(tmp_path / "out")
    assert run(recording.path).code == 0
    content = (tmp_path / "out" / "object_005" / "result.json").read_text()
    assert '"image": "/camera/color"' in content


def test_no_depth(run, record, tmp_path):
    """Leave depth out when told to, and wait for none."""
    with record() as recording:
        recording.table(1, 0)
        recording.table(2, SECOND, without=("depth",))
    result = run(recording.path, "--no-depth")
    assert "2 frames, 12 meshes" in result.out
    assert "scale unknown (no depth)" in result.out
    shutil.rmtree(tmp_path / "out")
    result = run(recording.path)
    assert "1 frames, 6 meshes" in result.out
    assert "image_unmatched 1, mask_unmatched 1" in result.out
    result = run(recording.path, "--no-depth", "--depth", "/depth")
    assert "--depth and --no-depth exclude each other" in result.errors[0]


def test_nothing_is_overwritten(run, record):
    """Refuse to write into a bag that exists."""
    path = _good(record, frames=1)
    assert run(path).code == 0
    result = run(path)
    assert result.code == 2
    assert "out/bag exists already; remove it, or choose another place with -o" in result.errors[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--min-interval", "-1"), "min_interval is -1; it must lie in"),
        (("--change-threshold", "2"), "change_threshold is 2; it must lie in"),
        (("--slop", "nan"), "slop is nan; it must lie in"),
        (("--every-frame", "--min-interval", "1"), "--every-frame sets --min-interval"),
        (("--engine", "hul"), "did you mean 'hull'"),
    ],
)
def test_nonsense_options(run, record, options, told):
    """Refuse options without meaning before anything is read."""
    result = run(_good(record, frames=1), *options)
    assert result.code == 2
    assert told in result.errors[0]
    assert result.out == ""
