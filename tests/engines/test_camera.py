# SPDX-License-Identifier: Apache-2.0
"""Camera and View."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import InvalidInputError


def intrinsics(fx=100.0, fy=100.0, cx=32.0, cy=24.0):
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


focal = st.floats(20, 5000)
cameras = st.builds(
    lambda fx, fy, cx, cy: Camera(intrinsics(fx, fy, cx, cy), 640, 480),
    *(focal, focal, st.floats(-100, 800), st.floats(-100, 800)),
)
pixel_arrays = arrays(np.float64, (5, 2), elements=st.floats(-200, 1000))


@given(cameras, pixel_arrays, arrays(np.float64, 5, elements=st.floats(0.05, 20)))
def test_project_undoes_unproject(camera, pixels, depth):
    points = camera.unproject(pixels, depth)
    np.testing.assert_array_equal(points[:, 2], depth)
    np.testing.assert_allclose(camera.project(points), pixels, atol=1e-6)


@given(cameras, pixel_arrays)
def test_rays_are_unit_and_hit_their_pixels(camera, pixels):
    rays = camera.rays(pixels)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
    np.testing.assert_allclose(camera.project(3 * rays), pixels, atol=1e-6)


def test_axes_are_right_down_forward():
    camera = Camera(intrinsics(fx=100, fy=50), 64, 48)
    points = np.array([[0, 0, 2.0], [0.1, 0, 2], [0, 0.1, 2]])
    assert camera.project(points).tolist() == [[32, 24], [37, 24], [32, 26.5]]


def test_points_beside_or_behind_the_camera_have_no_pixel():
    points = np.array([[0.1, 0, 0], [0.1, 0, -1.0]])
    assert np.isnan(Camera(intrinsics(), 64, 48).project(points)).all()


def test_the_grid_holds_pixel_centres():
    grid = Camera(intrinsics(), 64, 48).pixel_grid()
    assert grid.shape == (48, 64, 2)
    assert grid[0, 0].tolist() == [0.5, 0.5]
    assert grid[47, 3].tolist() == [3.5, 47.5]


def test_unproject_wants_one_depth_a_pixel():
    with pytest.raises(InvalidInputError, match=r"depth has shape \(3,\)"):
        Camera(intrinsics(), 64, 48).unproject(np.zeros((2, 2)), np.ones(3))


@pytest.mark.parametrize(
    ("K", "message"),
    [
        (np.eye(4), r"finite \(3, 3\)"),
        (intrinsics(fx=np.nan), r"finite \(3, 3\)"),
        ("K", "not a matrix of numbers"),
        (np.zeros((3, 3)), "publishes zeros"),
        (intrinsics(fy=-100), "must be > 0"),
        (intrinsics() + np.array([[0, 2, 0], [0, 0, 0], [0, 0, 0]]), "rectified"),
        (intrinsics() + np.diag([0, 0, 1.0]), "rectified"),
    ],
)
def test_what_is_not_a_rectified_pinhole_is_refused(K, message):
    with pytest.raises(InvalidInputError, match=message):
        Camera(K, 64, 48)


@pytest.mark.parametrize("width", [0, -3, 2.5])
def test_a_size_that_is_no_number_of_pixels_is_refused(width):
    with pytest.raises(InvalidInputError, match="Camera.width must be a whole number"):
        Camera(intrinsics(), width, 48)


def test_a_camera_cannot_be_changed():
    K = intrinsics()
    camera = Camera(K, 64, 48)
    K[0, 0] = 7
    assert camera.K[0, 0] == 100
    for array in (camera.K, camera.T_world_camera):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 7


def view_parts():
    return {
        "image": np.zeros((48, 64, 3), np.uint8),
        "mask": np.ones((48, 64), bool),
        "camera": Camera(intrinsics(), 64, 48),
        "depth": np.full((48, 64), np.nan, np.float32),
    }


def test_a_view_holds_its_arrays_read_only_and_leaves_the_callers_alone():
    parts = view_parts()
    view = View(**parts)
    for name in ("image", "mask", "depth"):
        assert not getattr(view, name).flags.writeable
        assert parts[name].flags.writeable


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image", np.zeros((48, 64, 3), np.float32), "View.image has dtype float32"),
        ("image", np.zeros((48, 64), np.uint8), r"View.image has shape \(48, 64\)"),
        ("image", np.zeros((48, 65, 3), np.uint8), "View.image is 65x48 px, but the camera is 64x"),
        ("mask", np.zeros((48, 64), np.uint8), "View.mask has dtype uint8, but must be bool"),
        ("mask", np.zeros((64, 48), bool), "View.mask is 48x64 px"),
        ("depth", np.ones((48, 64)), "View.depth has dtype float64"),
        ("depth", np.ones((24, 32), np.float32), "View.depth is 32x24 px"),
        ("depth", np.zeros((48, 64), np.float32), "unknown depth is NaN"),
        ("depth", np.full((48, 64), np.inf, np.float32), "unknown depth is NaN"),
        ("depth", np.full((48, 64), -1, np.float32), "unknown depth is NaN"),
        ("camera", np.eye(3), "View.camera must be a Camera, got ndarray"),
    ],
)
def test_a_view_whose_parts_do_not_fit_is_refused(name, value, message):
    with pytest.raises(InvalidInputError, match=message):
        View(**{**view_parts(), name: value})


def test_an_empty_mask_is_a_view_still():
    parts = view_parts()
    parts["mask"][:] = False
    assert not View(**parts).mask.any()
