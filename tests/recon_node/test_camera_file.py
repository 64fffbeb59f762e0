# SPDX-License-Identifier: Apache-2.0
"""Camera files: both YAML styles of ROS, JSON, and what is refused."""

import json
import logging

import numpy as np
import pytest

from recon_node.camera_file import assumed_camera, load_camera
from recon_node.engines.errors import InvalidInputError

K = [[525.0, 0.0, 319.5], [0.0, 520.0, 239.5], [0.0, 0.0, 1.0]]

CALIBRATION = """\
image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [525., 0., 319.5, 0., 520., 239.5, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [{distortion}, 0.0, 0.0, 0.0, 0.0]
"""

MESSAGE = """\
header:
  stamp:
    sec: 1
    nanosec: 2
  frame_id: camera_color_optical_frame
height: 480
width: 640
distortion_model: plumb_bob
d: []
k:
- 525.0
- 0.0
- 319.5
- 0.0
- 520.0
- 239.5
- 0.0
- 0.0
- 1.0
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
---
"""

TEXTS = {
    "calibration": CALIBRATION.format(distortion=0.0),
    "message": MESSAGE,
    "ROS 1 message": MESSAGE.replace("k:", "K:").replace("d:", "D:"),
    "nested JSON": json.dumps({"width": 640, "height": 480, "K": K}),
    "flat JSON": json.dumps({"width": 640, "height": 480, "K": sum(K, [])}),
}


def write(path, text):
    """The path, after the text was written there."""
    path.write_text(text)
    return path


@pytest.mark.parametrize("style", TEXTS)
def test_every_style_gives_the_camera(style, tmp_path):
    """Read the same camera from every style."""
    camera = load_camera(write(tmp_path / "camera.yaml", TEXTS[style]))
    assert (camera.width, camera.height) == (640, 480)
    assert np.array_equal(camera.K, K)
    assert np.array_equal(camera.T_world_camera, np.eye(4))


@pytest.mark.parametrize("distortion, warned", [(0.0, False), (-0.21, True)])
def test_distortion_is_reported(distortion, warned, tmp_path, caplog):
    """Warn that distortion is not undone, where there is any."""
    path = write(tmp_path / "camera.yaml", CALIBRATION.format(distortion=distortion))
    with caplog.at_level(logging.WARNING, "recon_node"):
        load_camera(path)
    assert ("rectify upstream" in caplog.text) == warned


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "holds no named fields; expected ROS camera_info"),
        ("- 1\n- 2\n", "holds no named fields"),
        ("a: [1, 2\n", "cannot read camera"),
        ("width: 640\nheight: 480\n", "has no camera_matrix, k or K"),
        ("height: 480\nk: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n", "has no image_width or width"),
        ("width: wide\nheight: 480\n", "width is 'wide'; expected pixels"),
        ("width: 640\nheight: 0\n", "height is 0; expected pixels"),
        ("width: 640\nheight: 480\nk: [1, 2]\n", "K has 2 numbers; expected 9"),
        ("width: 640\nheight: 480\nk: many\n", "k is not a list of numbers"),
        ("width: 640\nheight: 480\nk: [0, 0, 0, 0, 0, 0, 0, 0, 0]\n", "never calibrated"),
        ("width: 640\nheight: 480\nk: [-5, 0, 9, 0, 5, 9, 0, 0, 1]\n", "focal lengths -5"),
        ("width: 640\nheight: 480\nk: [5, 1, 9, 0, 5, 9, 0, 0, 1]\n", "rectified image"),
    ],
)
def test_bad_file(text, message, tmp_path):
    """Name the file and what is wrong with it."""
    path = write(tmp_path / "camera.yaml", text)
    with pytest.raises(InvalidInputError, match=message) as raised:
        load_camera(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_binary_file(tmp_path):
    """Report a file that is no text."""
    (tmp_path / "camera.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InvalidInputError, match="cannot read camera"):
        load_camera(tmp_path / "camera.yaml")


def test_yaml_runs_no_code(tmp_path):
    """Refuse YAML that asks for Python objects."""
    path = write(tmp_path / "camera.yaml", "a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InvalidInputError, match="cannot read camera"):
        load_camera(path)


def test_missing_file(tmp_path):
    """Name a file that is not there."""
    with pytest.raises(InvalidInputError, match="there is no such file"):
        load_camera(tmp_path / "camera.yaml")


def test_assumed_camera_is_60_degrees_wide():
    """See 60 degrees between the middles of the left and right border."""
    camera = assumed_camera(640, 480)
    left, right = camera.rays(np.array([[0.0, 240.0], [640.0, 240.0]]))
    assert np.degrees(np.arccos(left @ right)) == pytest.approx(60.0)
    assert camera.project(np.array([[0.0, 0.0, 1.0]])).tolist() == [[320.0, 240.0]]
