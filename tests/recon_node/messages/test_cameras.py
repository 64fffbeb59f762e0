# SPDX-License-Identifier: Apache-2.0
"""Cameras of messages: which matrix counts, regions, binning, and what is refused."""

import numpy as np
import pytest

from recon_node.engines.errors import InvalidInputError
from recon_node.messages.cameras import camera_of

REGION = {"x_offset": 100, "y_offset": 60, "width": 320, "height": 200}
P = np.array([580.0, 0, 320, -46, 0, 590, 240, 0, 0, 0, 1, 0])


def test_k_counts_where_p_is_not_set(make):
    camera = camera_of(make.camera_info())
    np.testing.assert_array_equal(camera.K, [[600, 0, 322], [0, 610, 238], [0, 0, 1]])
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_array_equal(camera.T_world_camera, np.eye(4))


def test_p_counts_where_it_is_set(make):
    """The distortion was undone by whoever made the rectified picture."""
    camera = camera_of(make.camera_info(p=P, d=np.array([0.1, 0, 0, 0, 0])))
    np.testing.assert_array_equal(camera.K, [[580, 0, 320], [0, 590, 240], [0, 0, 1]])


def test_the_place_of_the_camera_goes_through(make):
    T = np.eye(4)
    T[:3, 3] = 1, 2, 3
    np.testing.assert_array_equal(camera_of(make.camera_info(), T).T_world_camera, T)


@pytest.mark.parametrize("binning", [(0, 0), (1, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize(
    "roi", [{}, {"x_offset": 100, "y_offset": 60, "width": 320, "height": 200}]
)
def test_a_point_lands_on_the_pixel_that_was_cut_out_and_binned(make, binning, roi):
    """Project with the full sensor, then count pixels as the camera's driver does."""
    message = make.camera_info(binning_x=binning[0], binning_y=binning[1], roi=roi)
    full, camera = camera_of(make.camera_info()), camera_of(message)
    steps = np.maximum(binning, 1)
    offset = np.array([roi.get("x_offset", 0), roi.get("y_offset", 0)])
    points = np.array([[0.1, -0.05, 0.8], [-0.02, 0.03, 0.5]])
    np.testing.assert_allclose(camera.project(points), (full.project(points) - offset) / steps)
    size = np.array([roi.get("width", 640), roi.get("height", 480)]) // steps
    assert (camera.width, camera.height) == tuple(size)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"k": np.zeros(9)}, "zeros for p and k: the camera is uncalibrated; calibrate it"),
        ({"d": np.array([0.1, -0.2, 0, 0, 0])}, "plumb_bob distortion but zeros for p"),
        ({"width": 0}, "says 0x480 px .* leaves no pixel"),
        ({"binning_x": 1000}, "binning 1000x1, which leaves no pixel"),
        ({"k": np.full(9, np.nan)}, "must be a finite"),
        ({"p": np.append(np.zeros(11), 1.0)}, "focal lengths 0.0 and 0.0 px"),
    ],
)
def test_what_makes_no_camera_is_refused(make, fields, words):
    with pytest.raises(InvalidInputError, match=words):
        camera_of(make.camera_info(**fields))


@pytest.mark.ros
def test_a_camera_info_of_rclpy_is_read():
    from sensor_msgs.msg import CameraInfo

    message = CameraInfo(width=640, height=480, d=[0.1, 0.0, 0.0, 0.0, 0.0], p=P)
    np.testing.assert_array_equal(camera_of(message).K, [[580, 0, 320], [0, 590, 240], [0, 0, 1]])
    with pytest.raises(InvalidInputError, match="uncalibrated"):
        camera_of(CameraInfo(width=640, height=480))
