# SPDX-License-Identifier: Apache-2.0
"""Resampling through a homography against closed forms."""

import numpy as np
import pytest

from recon_node.engines.resample import map_pixels, resample


def scaling(sx, sy=None, x=0.0, y=0.0):
    return np.array([[sx, 0, x], [0, sx if sy is None else sy, y], [0, 0, 1.0]])


def picture(rng, height, width):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_identity_gives_the_picture_back(rng):
    image, mask = picture(rng, 32, 32), rng.random((32, 32)) < 0.5
    seen, coverage = resample(image, mask, np.eye(3), 32)
    assert np.array_equal(seen, image)
    assert np.array_equal(coverage, mask.astype(np.float32))


def test_a_shift_by_whole_pixels_shifts(rng):
    image, mask = picture(rng, 40, 50), np.ones((40, 50), bool)
    seen, _ = resample(image, mask, scaling(1, x=7, y=5), 32)
    assert np.array_equal(seen, image[5:37, 7:39])


def test_half_a_pixel_blends_neighbours():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 1::2] = 100
    seen, _ = resample(image, np.ones((8, 8), bool), scaling(1, x=0.5), 4)
    assert (seen == 50).all()


@pytest.mark.parametrize("scale", [1.7, 3.0, 4.0, 5.3, 17.0])
def test_a_fine_checkerboard_turns_grey_not_moire(scale):
    side = int(32 * scale) + 8
    board = (np.indices((side, side)).sum(axis=0) % 2 * 200).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    seen, coverage = resample(image, board > 0, scaling(scale, x=3, y=3), 32)
    assert np.abs(seen.astype(int) - 100).max() <= 30
    assert seen.mean() == pytest.approx(100, abs=2)
    assert coverage.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("scale", [(0.3, 0.3), (2.2, 2.2), (6.5, 6.5), (1.5, 7.0), (40.0, 40.0)])
def test_a_ramp_stays_the_same_ramp(scale):
    size, (sx, sy) = 24, scale
    width, height = int(np.ceil(size * sx)) + 2, int(np.ceil(size * sy)) + 2
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    image = np.stack([200 * x, 200 * y, 0 * x], axis=-1).round().astype(np.uint8)
    seen, _ = resample(image, np.ones((height, width), bool), scaling(sx, sy), size)
    centres = np.arange(size) + 0.5
    inner = slice(1, -1)  # half a pixel off the border the ramp ends
    expected_x, expected_y = 200 * centres * sx / width, 200 * centres * sy / height
    np.testing.assert_allclose(seen[:, inner, 0], np.tile(expected_x[inner], (size, 1)), atol=1.1)
    np.testing.assert_allclose(seen[inner, :, 1].T, np.tile(expected_y[inner], (size, 1)), atol=1.1)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.6, 9.0])
def test_coverage_keeps_the_area(scale):
    side = int(64 * scale)
    y, x = np.indices((side, side)) + 0.5
    mask = np.hypot(x - side / 2, y - side / 2) < 0.35 * side
    _, coverage = resample(np.zeros((side, side, 3), np.uint8), mask, scaling(scale), 64)
    assert coverage.dtype == np.float32 and coverage.min() >= 0 and coverage.max() <= 1
    assert coverage.sum() * scale**2 == pytest.approx(mask.sum(), rel=0.01)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 4.4, 7.0])
def test_inside_the_image_nothing_ends_at_the_border_of_the_target(scale):
    image, mask = np.full((300, 300, 3), 50, np.uint8), np.ones((300, 300), bool)
    seen, coverage = resample(image, mask, scaling(scale, x=30.3, y=40.6), 32)
    assert (seen == 50).all()
    np.testing.assert_allclose(coverage, 1, atol=1e-6)


def test_beyond_the_image_its_edge_goes_on_and_the_mask_ends(rng):
    image, mask = picture(rng, 16, 16), np.ones((16, 16), bool)
    seen, coverage = resample(image, mask, scaling(1, x=-8, y=-8), 32)
    assert np.array_equal(seen[8:24, 8:24], image)
    assert (seen[:8, :8] == image[0, 0]).all() and (seen[24:, 24:] == image[-1, -1]).all()
    assert np.array_equal(seen[8:24, 0], image[:, 0])
    assert coverage[8:24, 8:24].min() == 1 and coverage.sum() == 16 * 16


def test_a_picture_thinner_than_a_block_is_still_read():
    image = np.full((2, 4000, 3), 90, np.uint8)
    seen, coverage = resample(image, np.ones((2, 4000), bool), scaling(40, x=0, y=-639), 32)
    assert (seen == 90).all()
    assert coverage.sum() * 40**2 == pytest.approx(32 * 40 * 2, rel=0.1)


def test_what_lies_behind_the_source_camera_is_far_outside():
    # A camera of 90 deg turned by 60 deg: its right third looks behind the source camera.
    turn = np.radians(60)
    R = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    K_source, K = np.array([[[16, 0, c], [0, 16, c], [0, 0, 1.0]] for c in (64, 16)])
    H = K_source @ R @ np.linalg.inv(K)
    x, _ = map_pixels(H, np.array([16.0, 26.0]), np.array([16.0, 16.0]))
    assert x[0] == pytest.approx(64 + 16 * np.tan(turn)) and abs(x[1]) > 1e9
    image, mask = np.full((128, 128, 3), 9, np.uint8), np.ones((128, 128), bool)
    seen, coverage = resample(image, mask, H, 32)
    assert (coverage[:, 26:] == 0).all() and coverage[14:18, :17].min() == 1
    assert (seen == 9).all()
