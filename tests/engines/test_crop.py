# SPDX-License-Identifier: Apache-2.0
"""Crops of views: geometry, pictures, and masks of every awkward kind."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.engines import canonical
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import CROP_SIZE, FILL, crop_rotation, crop_view
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.mask_runs import MaskRuns
from recon_node.engines.reconstruction import ScaleSource
from recon_node.engines.transforms import invert, look_at, transform_points


def camera_of(width, height, focal=None, **rest):
    focal = focal or width
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(K, width, height, **rest)


def view_of(mask, camera=None, image=None, depth=None):
    height, width = mask.shape
    image = np.full((height, width, 3), 80, np.uint8) if image is None else image
    return View(image, mask, camera or camera_of(width, height), depth)


def box_mask(width, height, left, top, right, bottom):
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


@st.composite
def views(draw):
    """Views of boxes and ellipses anywhere in the picture, fx != fy, principal point off centre."""
    width, height = draw(st.integers(40, 90)), draw(st.integers(40, 90))
    side_x, side_y = draw(st.integers(5, 30)), draw(st.integers(5, 30))
    left, top = draw(st.integers(0, width - side_x)), draw(st.integers(0, height - side_y))
    mask = box_mask(width, height, left, top, left + side_x, top + side_y)
    if draw(st.booleans()):
        y, x = np.indices(mask.shape)
        mask &= np.hypot((x - left) / side_x - 0.5, (y - top) / side_y - 0.5) < 0.55
    K = np.eye(3)
    K[0, 0], K[1, 1] = draw(st.floats(0.8, 6)) * width, draw(st.floats(0.8, 6)) * width
    K[0, 2], K[1, 2] = draw(st.floats(0.3, 0.7)) * width, draw(st.floats(0.3, 0.7)) * height
    T = look_at(draw(arrays(float, 3, elements=st.floats(-5, 5))), (9, 9, 9), (0, 0, 1))
    return view_of(mask, Camera(K, width, height, T))


@given(views(), arrays(np.float64, (8, 2), elements=st.floats(0, CROP_SIZE)))
def test_crop_and_uncrop_cancel(view, pixels):
    crop = crop_view(view)
    source = crop.to_source(pixels)
    np.testing.assert_allclose(crop.from_source(source), pixels, atol=1e-6)


@given(views(), arrays(np.float64, (8, 3), elements=st.floats(-1, 1)))
def test_a_point_of_the_cube_is_seen_at_one_place_by_both_cameras(view, points):
    crop = crop_view(view)
    q = crop.tan_half_fov
    in_crop = (canonical.points_to_image(points, q) + 1) / 2 * CROP_SIZE
    in_camera = crop.S_camera_canonical.apply(points)
    assume((in_camera[:, 2] > 0.01).all())
    np.testing.assert_allclose(
        view.camera.project(in_camera), crop.to_source(in_crop), rtol=1e-9, atol=1e-6
    )
    in_world = crop.S_world_canonical.apply(points)
    T_crop_world = invert(crop.camera.T_world_camera)
    np.testing.assert_allclose(
        crop.camera.project(transform_points(T_crop_world, in_world)), in_crop, atol=1e-6
    )


@given(views())
def test_the_mask_is_centred_and_fills_its_share(view):
    crop = crop_view(view)
    corners = crop.from_source(MaskRuns.of(view.mask).corners())
    low, high = corners.min(axis=0), corners.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, CROP_SIZE / 2, atol=1e-6)
    assert (high - low).max() == pytest.approx(FILL * CROP_SIZE, abs=1e-6)


@pytest.mark.parametrize("fill", [0.65, 0.85])
def test_the_mask_fills_the_share_that_is_asked_for(fill):
    crop = crop_view(view_of(box_mask(200, 160, 50, 40, 130, 90)), size=512, fill=fill)
    assert crop.mask.shape == (512, 512)
    assert crop.mask.max(axis=0).sum() == pytest.approx(fill * 512, abs=1)


@given(views())
def test_the_crop_camera_is_turned_only_and_keeps_the_horizon(view):
    crop = crop_view(view)
    R = crop.T_camera_crop[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) > 0 and (crop.T_camera_crop[:3, 3] == 0).all()
    # Roll is kept: the crop's x axis leaves the camera's x axis no further than its z axis asks.
    assert R[:, 1] @ [1, 0, 0] == pytest.approx(0, abs=1e-12)
    assert R[0, 0] > 0
    np.testing.assert_allclose(
        crop.camera.T_world_camera, view.camera.T_world_camera @ crop.T_camera_crop, atol=1e-12
    )


def test_ahead_the_crop_is_not_turned():
    np.testing.assert_allclose(crop_rotation(np.array([0, 0, 3.0])), np.eye(3))


def test_the_picture_is_the_one_the_crop_camera_sees():
    # A plane of directions painted by their angle: colour depends on the ray alone.
    camera = camera_of(320, 240, focal=250)

    def painted(camera, T_camera_other):
        rays = camera.rays(camera.pixel_grid().reshape(-1, 2)) @ T_camera_other[:3, :3].T
        colours = 127 + 100 * np.sin(4 * rays)
        return colours.reshape(camera.height, camera.width, 3)

    image = painted(camera, np.eye(4)).round().astype(np.uint8)
    mask = box_mask(320, 240, 180, 30, 260, 100)
    crop = crop_view(view_of(mask, camera, image))
    np.testing.assert_allclose(crop.image, painted(crop.camera, crop.T_camera_crop), atol=2)


def test_coverage_is_that_of_the_mask():
    crop = crop_view(view_of(box_mask(320, 240, 120, 80, 200, 160)))
    inner, outer = round(CROP_SIZE * (1 - FILL) / 2) + 2, round(CROP_SIZE * (1 - FILL) / 2) - 3
    assert (crop.mask[inner:-inner, inner:-inner] == 1).all()
    outside = crop.mask.copy()
    outside[outer:-outer, outer:-outer] = 0
    assert (outside == 0).all()
    assert crop.mask.sum() == pytest.approx((FILL * CROP_SIZE) ** 2, rel=0.01)


def test_without_depth_the_distance_is_one_and_the_scale_unknown():
    crop = crop_view(view_of(box_mask(64, 48, 20, 10, 40, 30)))
    assert crop.depth is None and crop.distance == 1
    assert crop.scale_source is ScaleSource.NONE and not crop.warnings and not crop.truncated


def test_a_crop_cannot_be_changed():
    crop = crop_view(view_of(box_mask(64, 48, 20, 10, 40, 30)))
    with pytest.raises(ValueError, match="read-only"):
        crop.image[0, 0] = 1


def test_size_is_the_side():
    crop = crop_view(view_of(box_mask(64, 48, 20, 10, 40, 30)), size=96)
    assert crop.image.shape == (96, 96, 3) and crop.camera.width == 96


def test_an_empty_mask_is_refused():
    with pytest.raises(EmptyMaskError, match="no pixel is marked"):
        crop_view(view_of(np.zeros((48, 64), bool)))


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 15), (3, 5)])
def test_a_tiny_mask_is_refused(shape):
    with pytest.raises(InvalidInputError, match=f"too small: {shape[0] * shape[1]} px"):
        crop_view(view_of(np.ones(shape, bool)))


@pytest.mark.parametrize("box", [(10, 10, 14, 14), (3, 20, 60, 21), (30, 5, 31, 45)])
def test_the_smallest_masks_and_threads_work(box):
    mask = box_mask(64, 48, *box)
    crop = crop_view(view_of(mask))
    left, top, right, bottom = box
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    x, y = crop.from_source(np.array(corners, float)).T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert crop.mask.sum() == pytest.approx(area, rel=0.1)  # a thread falls between samples


@pytest.mark.parametrize("box", [(0, 10, 9, 30), (55, 10, 64, 30), (9, 0, 30, 9), (9, 39, 30, 48)])
def test_a_mask_at_the_border_is_truncated(box):
    crop = crop_view(view_of(box_mask(64, 48, *box)))
    assert crop.truncated
    assert crop.warnings == (
        "the mask touches the border of the image; what lies beyond is guessed",
    )


def test_a_mask_of_all_ones_works_and_is_truncated():
    crop = crop_view(view_of(np.ones((480, 640), bool)))
    assert crop.truncated and len(crop.warnings) == 1
    assert crop.mask[CROP_SIZE // 2].mean() == pytest.approx(FILL, abs=0.01)


def test_a_wide_object_is_cut_and_says_so():
    # 90 deg camera, all of it masked: more than the crop may see with the cube before it.
    crop = crop_view(view_of(np.ones((480, 640), bool), camera_of(640, 480, focal=320)))
    assert crop.truncated and "spans 90 deg" in crop.warnings[0]
    assert crop.tan_half_fov == 0.9
    assert crop.mask[CROP_SIZE // 2].min() == 1


def test_an_object_all_around_is_refused():
    with pytest.raises(InvalidInputError, match="spans more than 120 deg"):
        crop_view(view_of(np.ones((480, 640), bool), camera_of(640, 480, focal=100)))


def test_an_object_in_the_corner_of_a_wide_camera_works():
    # 127 deg across: the crop's own corner looks behind the camera.
    camera = camera_of(640, 640, focal=160)
    crop = crop_view(view_of(box_mask(640, 640, 440, 0, 640, 640), camera))
    assert crop.mask.max() == 1 and np.isfinite(crop.mask).all()
    corners = crop.from_source(MaskRuns.of(box_mask(640, 640, 440, 0, 640, 640)).corners())
    assert ((corners.max(axis=0) + corners.min(axis=0)) / 2) == pytest.approx([64, 64], abs=1e-6)


def test_pieces_are_one_object_and_specks_are_dropped():
    mask = box_mask(200, 100, 20, 20, 60, 60) | box_mask(200, 100, 80, 30, 100, 50)
    speck = box_mask(200, 100, 180, 90, 183, 94)  # 12 px
    specks = speck | np.roll(speck, -80, axis=0)
    clean, dusty = crop_view(view_of(mask)), crop_view(view_of(mask | speck))
    dirty = crop_view(view_of(mask | specks))
    assert not clean.warnings and not dusty.warnings
    assert dirty.warnings == ("24 of 2024 mask px are specks beside the object: left out",)
    assert np.array_equal(clean.mask, dusty.mask)
    assert np.array_equal(clean.mask, dirty.mask)
    assert clean.tan_half_fov == dirty.tan_half_fov
    middle = crop_view(view_of(box_mask(200, 100, 20, 20, 100, 60)))
    assert clean.tan_half_fov == pytest.approx(middle.tan_half_fov, rel=1e-4)


def test_an_8k_picture_is_cropped_like_a_small_one(rng):
    small = rng.integers(60, 190, (54, 96, 3), dtype=np.uint8)
    mask = box_mask(96, 54, 30, 10, 60, 40)
    large = [np.ascontiguousarray(a.repeat(80, axis=0).repeat(80, axis=1)) for a in (small, mask)]
    few = crop_view(view_of(mask, image=small))
    many = crop_view(view_of(large[1], image=large[0]))
    assert many.tan_half_fov == pytest.approx(few.tan_half_fov)
    np.testing.assert_allclose(many.mask.mean(), few.mask.mean(), rtol=0.01)
    np.testing.assert_allclose(many.image.mean(axis=(0, 1)), few.image.mean(axis=(0, 1)), rtol=0.02)
