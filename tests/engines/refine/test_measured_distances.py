# SPDX-License-Identifier: Apache-2.0
"""Fused distances: those of a plane, of what is beside a mask, of what is hidden."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.surroundings import RIM
from recon_node.engines.refine.measured_distances import measured_distances

SIDE, DISTANCE, TRUNCATION = 40, 0.5, 0.03
CAMERA = Camera(np.array([[40.0, 0, 20], [0, 40.0, 20], [0, 0, 1]]), SIDE, SIDE)


@pytest.fixture
def wall() -> Keyframe:
    """A wall half a metre in front of the camera, masked but for its right third."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, :27] = True
    depth = np.full((SIDE, SIDE), DISTANCE, np.float32)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    return Keyframe(View(image, mask, CAMERA, depth), np.ones_like(mask))


def at(*z, x=0.0):
    return np.array([[x * each, 0.0, each] for each in z])


def test_distances_of_a_wall_are_truncated_in_front_and_unknown_behind(wall):
    z = DISTANCE + np.array([-0.2, -0.02, 0.0, 0.02, 0.2])
    distances, worth = measured_distances(at(*z), [wall], TRUNCATION)
    np.testing.assert_allclose(distances, [TRUNCATION, 0.02, 0.0, -0.02, 0.0], atol=1e-6)
    np.testing.assert_array_equal(worth, [1, 1, 1, 1, 0])


def test_beside_the_mask_all_is_free_but_at_its_rim(wall):
    pixels = np.array([27.5 + RIM, 27.5, 39.5])
    points = np.array([[(u - 20) / 40, 0.0, 1.0] for u in pixels]) * 0.7  # behind the wall
    distances, worth = measured_distances(points, [wall], TRUNCATION)
    np.testing.assert_array_equal(worth, [1, 0, 1])
    np.testing.assert_allclose(distances, [TRUNCATION, 0.0, TRUNCATION])


def test_what_stands_in_front_hides_what_is_beside_the_mask(wall):
    blind = replace(wall, known=np.zeros_like(wall.known))
    _, worth = measured_distances(at(0.3, 0.7, x=0.45), [blind], TRUNCATION)
    np.testing.assert_array_equal(worth, [0, 0])


def test_without_depth_only_the_mask_speaks(wall):
    flat = replace(wall, view=replace(wall.view, depth=None))
    _, inside = measured_distances(at(0.3, 0.5, 0.7), [flat], TRUNCATION)
    distances, beside = measured_distances(at(0.3, 0.7, x=0.45), [flat], TRUNCATION)
    np.testing.assert_array_equal(inside, [0, 0, 0])
    np.testing.assert_array_equal(beside, [1, 1])
    np.testing.assert_allclose(distances, TRUNCATION)


def test_holes_in_the_depth_say_nothing(wall):
    depth = np.full_like(wall.view.depth, np.nan)
    holes = replace(wall, view=replace(wall.view, depth=depth))
    _, worth = measured_distances(at(0.3, 0.5), [holes], TRUNCATION)
    np.testing.assert_array_equal(worth, [0, 0])


def test_views_are_averaged_by_their_weights(wall):
    nearer = replace(wall.view, depth=wall.view.depth - np.float32(0.01))
    two = [wall, replace(wall, view=nearer, weight=0.5)]
    distances, worth = measured_distances(at(DISTANCE), two, TRUNCATION)
    np.testing.assert_allclose(distances, [-0.01 / 3], atol=1e-6)
    np.testing.assert_allclose(worth, [1.5])


def test_points_out_of_the_picture_or_behind_the_camera_are_unknown(wall):
    points = np.array([[2.0, 0.0, 0.5], [0.0, 0.0, -0.5]])
    _, worth = measured_distances(points, [wall], TRUNCATION)
    np.testing.assert_array_equal(worth, [0, 0])
