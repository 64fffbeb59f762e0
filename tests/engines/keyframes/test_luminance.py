# SPDX-License-Identifier: Apache-2.0
"""Luminance: points slide to where they look as they did, whatever the exposure."""

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.luminance import LuminanceMap

CAMERA = Camera(np.array([[300.0, 0, 80], [0, 310, 60], [0, 0, 1]]), 160, 120)
DEPTH = 0.5  # of the wall that is looked at [m]


def brightness(points):
    """Of the wall, 0 to 1: waves of 4 cm, many pixels long."""
    x, y = points[:, :2].T
    return 0.5 + 0.2 * np.sin(150 * x) + 0.2 * np.cos(140 * y + 60 * x)


def wall(shift=(0.0, 0.0), exposure=1.0):
    """The map of a picture of the wall, which has slid by the shift [m]."""
    pixels = CAMERA.pixel_grid().reshape(-1, 2)
    points = CAMERA.unproject(pixels, np.full(len(pixels), DEPTH))
    points[:, :2] -= shift
    levels = (255 * exposure * brightness(points)).reshape(120, 160, 1)
    image = np.repeat(levels, 3, axis=2).round().astype(np.uint8)
    return LuminanceMap.of(View(image, np.ones((120, 160), bool), CAMERA))


@pytest.fixture
def points(rng):
    pixels = rng.uniform((20, 20), (140, 100), (400, 2))
    return CAMERA.unproject(pixels, np.full(400, DEPTH))


def logarithms(points):
    return np.log(brightness(points) + 0.1)


def solved(points, found):
    """The shift (3,) that makes the distances of the pulls 0, by least squares."""
    gradients, distances, weights = found
    rows = gradients * np.sqrt(weights)[:, None]
    return np.linalg.lstsq(rows, -distances * np.sqrt(weights), rcond=None)[0]


@pytest.mark.parametrize("exposure", [1.0, 0.7])
def test_points_slide_to_where_they_look_alike(points, exposure):
    shift = np.array([0.0015, -0.001])
    seen = wall(shift, exposure)
    shift_found = solved(points, seen.pulls(points, logarithms(points), np.zeros(400, int)))
    np.testing.assert_allclose(shift_found[:2], shift, atol=2.5e-4)


def test_every_source_has_its_own_exposure(points):
    sources = np.arange(400) % 2
    darker = logarithms(points) - 0.4 * sources
    found = solved(points, wall().pulls(points, darker, sources))
    np.testing.assert_allclose(found[:2], 0, atol=1e-4)


def test_gradients_are_the_derivatives_by_place(points):
    """Move each point: the logarithm of the wall's brightness where it is seen then."""
    gradients, _, weights = wall().pulls(points, logarithms(points), np.arange(400))
    slopes = []
    for moved in 1e-5 * np.eye(3):
        seen = points + moved
        on_wall = seen * (DEPTH / seen[:, 2:])
        slopes.append(logarithms(on_wall) - logarithms(points))
    slopes = np.stack(slopes, axis=1)
    slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
    steep = weights > np.median(weights)
    assert (slopes * gradients).sum(axis=1)[steep].min() > 0.99


def test_a_highlight_counts_little_and_a_flat_picture_nothing(points):
    seen = wall()
    own = logarithms(points)
    own[0] += 2.0
    weights = seen.pulls(points, own, np.zeros(400, int))[2]
    usual = seen.pulls(points, logarithms(points), np.zeros(400, int))[2]
    assert weights[0] < 0.01 * usual[0]
    grey = LuminanceMap.of(
        View(np.full((120, 160, 3), 90, np.uint8), np.ones((120, 160), bool), CAMERA)
    )
    gradients, distances, weights = grey.pulls(points, own, np.zeros(400, int))
    assert not weights.any() and np.isfinite(distances).all() and np.isfinite(gradients).all()
