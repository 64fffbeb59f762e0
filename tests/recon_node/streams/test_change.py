# SPDX-License-Identifier: Apache-2.0
"""A still object is left alone; one that moves, changes or gains depth is new."""

import dataclasses

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import InvalidInputError
from recon_node.streams.change import ChangeConfig, ChangeDetector


@pytest.fixture
def detector(ball):
    """A detector that remembers the ball."""
    detector = ChangeDetector(ChangeConfig())
    detector.remember("ball", ball.view)
    return detector


def _shifted(view, pixels):
    """The view with everything moved to the right [px]."""
    moved = {
        name: np.roll(getattr(view, name), pixels, axis=1) for name in ("image", "mask", "depth")
    }
    return dataclasses.replace(view, **moved)


def test_noise_is_no_change(detector, ball, rng):
    """Overlook the noise of a camera and of a depth camera."""
    noise = rng.integers(-20, 21, ball.image.shape)
    image = np.clip(ball.image + noise, 0, 255).astype(np.uint8)
    depth = ball.depth * rng.uniform(0.98, 1.02, ball.depth.shape).astype(np.float32)
    assert not detector.is_new("ball", View(image, ball.mask, ball.camera, depth))


def test_first_view_is_new(detector, ball):
    """Know only what was remembered, object by object."""
    assert detector.is_new("cup", ball.view)
    detector.forget("ball")
    assert detector.is_new("ball", ball.view)
    detector.remember("ball", ball.view)
    detector.reset()
    assert detector.is_new("ball", ball.view)
    detector.forget("nobody")


def test_motion_is_new(detector, ball):
    """Notice a motion by a few pixels."""
    assert not detector.is_new("ball", _shifted(ball.view, 0))
    assert detector.is_new("ball", _shifted(ball.view, 4))
    assert detector.is_new("ball", _shifted(ball.view, 40))


@pytest.mark.parametrize(
    ("step", "is_new"), [(20, False), (30, True)], ids=["within noise", "beyond"]
)
def test_colour(detector, ball, step, is_new):
    """Notice one channel that changes beyond the noise."""
    image = ball.image.copy()
    image[..., 2] += np.uint8(step)
    changed = dataclasses.replace(ball.view, image=image)
    assert detector.is_new("ball", changed) == is_new


@pytest.mark.parametrize(("factor", "is_new"), [(1.02, False), (1.05, True), (0.95, True)])
def test_depth(detector, ball, factor, is_new):
    """Notice a depth that changes beyond the noise."""
    changed = dataclasses.replace(ball.view, depth=ball.depth * np.float32(factor))
    assert detector.is_new("ball", changed) == is_new


def test_depth_that_appears(ball):
    """Notice the first depth on the object, but not its loss, nor depth beside it."""
    detector = ChangeDetector(ChangeConfig())
    without = dataclasses.replace(ball.view, depth=None)
    beside = np.where(ball.mask, np.nan, 1.0).astype(np.float32)
    detector.remember("ball", without)
    assert not detector.is_new("ball", without)
    assert not detector.is_new("ball", dataclasses.replace(ball.view, depth=beside))
    assert detector.is_new("ball", ball.view)
    detector.remember("ball", ball.view)
    assert not detector.is_new("ball", without)


def test_another_size_is_new(detector):
    """Compare nothing between images of two sizes."""
    camera = Camera(np.array([[9.0, 0, 4], [0, 9, 4], [0, 0, 1]]), 8, 8)
    small = View(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool), camera)
    assert detector.is_new("ball", small)


def test_threshold(detector, ball):
    """Take every frame for new at 0, and none but a new size at 1."""
    detector.config = ChangeConfig(change_threshold=0.0)
    assert detector.is_new("ball", ball.view)
    detector.config = ChangeConfig(change_threshold=1.0)
    assert not detector.is_new("ball", _shifted(ball.view, 40))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (48, 64)])
@pytest.mark.parametrize("filled", [False, True])
def test_empty_full_and_tiny_masks(size, filled):
    """Live with a mask of no pixel, of all pixels, and an image of one."""
    height, width = size
    camera = Camera(np.array([[9.0, 0, 0], [0, 9, 0], [0, 0, 1]]), width, height)
    view = View(np.zeros((*size, 3), np.uint8), np.full(size, filled), camera)
    detector = ChangeDetector(ChangeConfig())
    detector.remember("it", view)
    assert not detector.is_new("it", view)
    assert detector.is_new("it", dataclasses.replace(view, mask=~view.mask))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_config_is_checked(wrong):
    """Refuse values without meaning."""
    with pytest.raises(InvalidInputError, match="change_threshold"):
        ChangeConfig(change_threshold=wrong)
