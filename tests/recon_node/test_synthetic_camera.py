# SPDX-License-Identifier: Apache-2.0
"""The camera that moves around the baked table."""

import numpy as np
import pytest

from recon_node.baked_scene import load_baked_scene
from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import invert, transform_points
from recon_node.synthetic_camera import PERIOD, RANGE, CameraConfig, SyntheticCamera

SMALL = {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def scene():
    """The table, loaded once."""
    return load_baked_scene()


def test_same_time_same_picture(scene):
    """Repeat a frame bit by bit in another camera, and get another one at another time or seed."""
    first = SyntheticCamera(CameraConfig(**SMALL), scene).render(3.25)
    again = SyntheticCamera(CameraConfig(**SMALL), scene).render(3.25)
    for a, b in ((first.color, again.color), (first.depth, again.depth)):
        np.testing.assert_array_equal(a, b)
    other_seed = SyntheticCamera(CameraConfig(**SMALL, seed=1), scene).render(3.25)
    assert (other_seed.depth != first.depth).mean() > 0.5
    still = SyntheticCamera(CameraConfig(**SMALL, moving=False), scene)
    assert (still.render(0.0).depth != still.render(0.1).depth).mean() > 0.5  # fresh noise


def test_motion_is_smooth_and_closed():
    """Come back after a period, never faster than a hand, always looking at the table's middle."""
    camera = SyntheticCamera(CameraConfig(**SMALL))
    times = np.linspace(0, PERIOD, 401)
    eyes = np.stack([camera.camera(t).T_world_camera[:3, 3] for t in times])
    np.testing.assert_allclose(eyes[0], eyes[-1], atol=1e-9)
    speed = np.linalg.norm(np.diff(eyes, axis=0), axis=1) / np.diff(times)
    assert 0.0 < speed.min() and speed.max() < 0.25
    assert np.abs(np.diff(speed)).max() < 0.01
    assert np.ptp(eyes[:, 0]) > 0.6  # far to both sides
    for t in (0.0, 7.0, 13.0):
        placed = camera.camera(t)
        middle = transform_points(invert(placed.T_world_camera), np.array([[0.03, 0.01, 0.03]]))
        np.testing.assert_allclose(placed.project(middle), [[80, 60]], atol=1e-6)


def test_still_camera_stays():
    """Keep the place when told so."""
    camera = SyntheticCamera(CameraConfig(**SMALL, moving=False))
    np.testing.assert_array_equal(
        camera.camera(0.0).T_world_camera, camera.camera(8.0).T_world_camera
    )


def test_frames_make_views(scene):
    """Show all six objects at any time, with depth on all of each, as a View takes them."""
    camera = SyntheticCamera(CameraConfig(**SMALL), scene)
    for t in np.arange(0, PERIOD, 2.5):
        frame = camera.render(t)
        assert sorted(np.unique(frame.labels)) == list(range(7))
        for label in range(1, 7):
            mask = frame.labels == label
            view = View(frame.color, mask, frame.camera, frame.depth)
            assert mask.sum() > 60 and np.isfinite(view.depth[mask]).all()


def test_noise_is_that_of_a_stereo_camera(scene):
    """Measure depth errors of 1.1 mm at 1 m that grow with the square, and none without noise."""
    exact = SyntheticCamera(CameraConfig(noise=0.0), scene).render(1.0)
    noisy = SyntheticCamera(CameraConfig(noise=1.0), scene).render(1.0)
    np.testing.assert_array_equal(noisy.labels, exact.labels)
    error = (noisy.depth - exact.depth) / exact.depth**2
    known = np.isfinite(error)
    assert error[known].std() == pytest.approx(0.0011, rel=0.03)
    assert abs(error[known].mean()) < 5e-5
    assert 0 < np.abs(noisy.color.astype(int) - exact.color).mean() < 2
    np.testing.assert_array_equal(np.isnan(noisy.depth), np.isnan(exact.depth))
    assert np.nanmax(exact.depth) <= RANGE < 2 * np.nanmax(exact.depth)


def test_wide_pictures_keep_the_field_of_view(scene):
    """Scale with the width: the same ray at four times the pixels."""
    small = SyntheticCamera(CameraConfig(width=160, height=90, noise=0.0), scene).render(0.0)
    large = SyntheticCamera(CameraConfig(width=480, height=270, noise=0.0), scene).render(0.0)
    assert large.color.shape == (270, 480, 3)
    np.testing.assert_array_equal(large.labels[1::3, 1::3], small.labels)  # the same centres
    np.testing.assert_allclose(large.depth[1::3, 1::3], small.depth, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"width": 8}, {"noise": float("nan")}, {"seed": -1}]
)
def test_nonsense_is_refused(wrong):
    """Name the field and its range."""
    with pytest.raises(InvalidInputError, match=f"{next(iter(wrong))} is .* must lie in"):
        CameraConfig(**wrong)
