# SPDX-License-Identifier: Apache-2.0
"""Depth in crops, on spheres and planes of closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon_node.engines import canonical
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import CROP_SIZE, crop_view
from recon_node.engines.reconstruction import ScaleSource
from recon_node.engines.transforms import look_at

K = np.array([[520.0, 0, 330], [0, 480, 235], [0, 0, 1]])
CAMERA = Camera(K, 640, 480, look_at((1, 2, 3), (0, 0, 0), (0, 0, 1)))
UNUSED = "too little of the mask has a depth: it is not used, scale is unknown"


def sphere_view(centre, radius, camera=CAMERA):
    """The view of a sphere (camera frame): depth along z of the nearer hit of every ray."""
    rays = camera.rays(camera.pixel_grid().reshape(-1, 2))
    along = rays @ centre
    discriminant = along**2 - np.dot(centre, centre) + radius**2
    hit = discriminant > 0
    z = (along - np.sqrt(np.where(hit, discriminant, 0))) * rays[:, 2]
    depth = np.where(hit, z, np.nan).reshape(camera.height, camera.width).astype(np.float32)
    mask = hit.reshape(depth.shape)
    return View(np.zeros((*mask.shape, 3), np.uint8), mask, camera, depth)


def seen_points(crop):
    """The canonical points that the crop's depth stands for."""
    known = np.isfinite(crop.depth)
    uv = (crop.camera.pixel_grid()[known] / CROP_SIZE) * 2 - 1
    return canonical.image_to_points(uv, crop.depth[known], crop.tan_half_fov)


@settings(max_examples=20)
@given(st.floats(-0.25, 0.25), st.floats(-0.15, 0.15), st.floats(0.5, 2), st.floats(0.05, 0.12))
def test_depth_of_a_sphere_lies_on_the_sphere(x, y, distance, radius):
    centre = np.array([x * distance, y * distance, distance])
    radius *= distance
    crop = crop_view(sphere_view(centre, radius))
    assert crop.scale_source is ScaleSource.DEPTH and not crop.warnings
    points = crop.S_camera_canonical.apply(seen_points(crop))
    # Within what a source pixel spans on the surface; towards the rim that grows without bound.
    off = np.abs(np.linalg.norm(points - centre, axis=1) - radius)
    pixel = distance / K[1, 1]
    assert np.median(off) < 0.5 * pixel
    assert np.percentile(off, 95) < 3 * pixel
    world = crop.S_world_canonical.apply(seen_points(crop))
    T = CAMERA.T_world_camera
    np.testing.assert_allclose(world, points @ T[:3, :3].T + T[:3, 3], atol=1e-9)


@settings(max_examples=20)
@given(st.floats(-0.3, 0.3), st.floats(0.5, 2))
def test_the_nearest_point_of_a_sphere_is_at_the_front(x, distance):
    crop = crop_view(sphere_view(np.array([x * distance, 0, distance]), 0.1 * distance))
    assert np.nanmax(crop.depth) == pytest.approx(canonical.FRONT, abs=0.03)


def test_depth_is_known_exactly_on_the_mask():
    crop = crop_view(sphere_view(np.array([0.1, 0, 1.0]), 0.1))
    known = np.isfinite(crop.depth)
    assert known[crop.mask > 0.99].all()
    assert not known[crop.mask < 0.01].any()
    assert crop.depth.dtype == np.float32


def plane_view(depth):
    mask = np.zeros(depth.shape, bool)
    mask[190:290, 270:370] = True
    return View(np.zeros((*depth.shape, 3), np.uint8), mask, CAMERA, depth)


def test_a_plane_across_the_view_is_nearer_along_a_turned_axis():
    # z is constant for the camera; along the axis of the crop, turned by phi, it is not.
    view = sphere_view(np.array([0.5, 0, 1.0]), 0.1)
    depth = np.where(view.mask, 1.0, np.nan).astype(np.float32)
    crop = crop_view(View(view.image, view.mask, CAMERA, depth))
    points = crop.S_camera_canonical.apply(seen_points(crop))
    # Off by up to half a source pixel along the slope (tan phi = 0.5).
    np.testing.assert_allclose(points[:, 2], 1.0, atol=0.5 / K[1, 1])
    assert np.nanmax(crop.depth) - np.nanmin(crop.depth) > 0.3


def test_depths_of_two_surfaces_are_never_blended():
    depth = np.full((480, 640), 0.5, np.float32)
    depth[:, 320:] = 1.0
    view = plane_view(depth)
    crop = crop_view(view)
    points = crop.S_camera_canonical.apply(seen_points(crop))
    near = np.abs(points[:, 2] - 0.5) < 2e-3
    far = np.abs(points[:, 2] - 1.0) < 4e-3
    assert (near | far).all() and near.any() and far.any()


def test_holes_stay_holes():
    depth = np.full((480, 640), 0.8, np.float32)
    depth[230:250, 310:330] = np.nan
    crop = crop_view(plane_view(depth))
    hole = np.isnan(crop.depth) & (crop.mask == 1)
    share = hole.sum() / (crop.mask == 1).sum()
    assert share == pytest.approx(0.04, abs=0.005)


def test_a_few_outliers_in_front_do_not_move_the_cube():
    depth = np.full((480, 640), 0.8, np.float32)
    clean = crop_view(plane_view(depth.copy()))
    depth[200:210, 300:310] = 0.3  # 1 % of the mask
    assert crop_view(plane_view(depth)).distance == pytest.approx(clean.distance, rel=1e-3)


def test_the_rim_of_the_mask_does_not_decide_the_distance():
    depth = np.full((480, 640), 0.8, np.float32)
    clean = crop_view(plane_view(depth.copy()))
    depth[190:290, [270, 369]] = 0.4  # flying pixels: 2 % of the mask
    depth[[190, 289], 270:370] = 0.4
    assert crop_view(plane_view(depth)).distance == pytest.approx(clean.distance, rel=1e-6)


@pytest.mark.parametrize(("rows", "used"), [(0, False), (4, False), (6, True)])
def test_too_little_depth_is_not_used(rows, used):
    depth = np.full((480, 640), np.nan, np.float32)
    depth[200 : 200 + rows] = 0.8  # so many per cent of the mask's 100 rows
    crop = crop_view(plane_view(depth))
    assert (crop.depth is not None) == used
    assert (crop.scale_source is ScaleSource.DEPTH) == used
    assert crop.warnings == (() if used else (UNUSED,))
    assert used or crop.distance == 1


def test_a_tiny_mask_counts_its_own_pixels_not_the_crops():
    mask = np.zeros((480, 640), bool)
    mask[200:206, 300:306] = True
    depth = np.full((480, 640), np.nan, np.float32)
    depth[200:202, 300:306] = 0.8  # 12 of 36 px, which fill a third of the crop
    view = View(np.zeros((480, 640, 3), np.uint8), mask, CAMERA, depth)
    assert crop_view(view).warnings == (UNUSED,)
    depth[202, 300:306] = 0.8
    assert crop_view(view).scale_source is ScaleSource.DEPTH


def test_depth_outside_the_mask_is_nobodys():
    depth = np.full((480, 640), 0.2, np.float32)
    depth[190:290, 270:370] = 0.8
    crop = crop_view(plane_view(depth))
    points = crop.S_camera_canonical.apply(seen_points(crop))
    np.testing.assert_allclose(points[:, 2], 0.8, atol=2e-3)


def with_table(view, *, behind, grown):
    """The view with a wall behind the object in its depth, and a mask that is too large [px]."""
    depth = np.where(np.isnan(view.depth), np.float32(behind), view.depth)
    mask = view.mask
    for _ in range(grown):
        padded = np.pad(mask, 1)
        mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return View(view.image, mask, view.camera, depth)


def test_background_in_a_ragged_mask_is_not_known():
    centre, radius = np.array([0.02, 0.01, 0.8]), 0.1
    view = with_table(sphere_view(centre, radius), behind=1.2, grown=3)
    crop = crop_view(view)
    points = crop.S_camera_canonical.apply(seen_points(crop))
    assert np.linalg.norm(points - centre, axis=1).max() < 1.2 * radius
    exact = crop_view(sphere_view(centre, radius))
    assert np.isfinite(crop.depth).sum() > 0.9 * np.isfinite(exact.depth).sum()


def test_a_rim_that_lies_a_little_behind_stays_known():
    """Know all of a sphere, whose rim is a radius behind its middle."""
    crop = crop_view(sphere_view(np.array([0.0, 0.0, 0.5]), 0.12))
    inside = crop.mask > 0.99
    assert np.isfinite(crop.depth[inside]).all()


def test_of_a_thin_thing_all_depth_stays_known():
    """Know a bar that is all rim, far end and all."""
    mask = np.zeros((480, 640), bool)
    mask[238:242, 200:440] = True
    depth = np.full(mask.shape, np.nan, np.float32)
    depth[mask] = np.tile(np.linspace(0.5, 0.9, 240, dtype=np.float32), 4)
    crop = crop_view(View(np.zeros((*mask.shape, 3), np.uint8), mask, CAMERA, depth))
    assert np.isfinite(crop.depth[crop.mask > 0.99]).all()
