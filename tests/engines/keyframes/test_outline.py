# SPDX-License-Identifier: Apache-2.0
"""Outlines: the nearest pixel of a mask is what trying all of them finds."""

import numpy as np

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.matching import MeasuredObject, pixels_of
from recon_node.engines.keyframes.outline import REACH, Outline

CAMERA = Camera(np.array([[300.0, 0, 40], [0, 310, 30], [0, 0, 1]]), 80, 60)


def keyframe(mask, depth=None, known=None):
    known = np.ones_like(mask) if known is None else known
    return Keyframe(View(np.zeros((60, 80, 3), np.uint8), mask, CAMERA, depth), known)


def blob(rng):
    mask = np.zeros((60, 80), bool)
    for x, y in rng.integers(25, 45, (4, 2)):
        mask[y - 4 : y + 3, x - 5 : x + 6] = True
    return mask


def test_the_nearest_pixel_is_the_nearest(rng):
    mask = blob(rng)
    nearest = Outline.of(keyframe(mask)).nearest
    pixels = CAMERA.pixel_grid()
    all_distances = np.linalg.norm(pixels[:, :, None] - pixels[mask], axis=-1)
    shortest = all_distances.min(-1)
    found = np.linalg.norm(nearest - pixels, axis=-1)
    near = ~mask & (shortest <= REACH)
    np.testing.assert_array_equal(np.isfinite(found), near)
    np.testing.assert_allclose(found[near], shortest[near], atol=1e-12)


def pulls(mask, points, **options):
    outline = Outline.of(keyframe(mask, **options))
    return outline.pulls(points, *pixels_of(CAMERA, points), 0.5)


def test_a_point_outside_is_drawn_to_the_outline():
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:40] = True
    point = CAMERA.unproject(np.array([[50.5, 30.5]]), np.array([0.6]))
    index, gradients, distances = pulls(mask, point)
    # 11 pixels right of the centre of the last pixel in the mask, less half a pixel.
    np.testing.assert_allclose(distances, [(11 / 300 - 0.5 / 305) * 0.6], atol=1e-12)
    there = CAMERA.project(point - distances[:, None] * gradients)
    np.testing.assert_allclose(there, [[40.0, 30.5]], atol=0.02)
    assert index.tolist() == [0]


def test_points_that_would_not_be_seen_are_left_alone():
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:40] = True
    point = CAMERA.unproject(np.array([[50.5, 30.5], [30.5, 30.5]]), np.array([0.6, 0.6]))
    depth = np.full((60, 80), 0.5, np.float32)
    assert len(pulls(mask, point, depth=depth)[0]) == 0  # behind what is measured there
    assert pulls(mask, point, depth=depth + np.float32(0.3))[0].tolist() == [0]
    known = np.ones_like(mask)
    known[30, 50] = False
    assert len(pulls(mask, point, known=known)[0]) == 0


def test_rows_are_the_derivatives_of_distances(rng):
    mask = blob(rng)
    depth = 0.6 + 0.1 * np.linspace(0, 1, 80, dtype=np.float32) * np.ones((60, 1), np.float32)
    seen = MeasuredObject(keyframe(mask, depth), samples=200)
    points = CAMERA.unproject(rng.uniform((5, 5), (75, 55), (3000, 2)), np.full(3000, 0.62))
    placed = {"T_world_camera": np.eye(4), "centre": np.array([0.1, 0.2, 0.3]), "reach": 0.1}
    normals, sources = np.tile([0.0, 0.0, -1.0], (3000, 1)), np.arange(3000)
    before = seen.pulls(points, normals, sources, **placed)
    assert before.is_surface.sum() > 20 and (~before.is_surface).sum() > 20
    motion = 1e-7 * rng.standard_normal(6)
    shifted = points + motion[:3] + np.cross(motion[3:], points - placed["centre"])
    after = seen.pulls(shifted, normals, sources, **placed)
    np.testing.assert_array_equal(after.sources, before.sources)
    off = np.abs(after.distances - before.distances - before.rows @ motion)
    assert off[before.is_surface].max() < 1e-12
    # Metres are counted at the point's depth, and that they grow with it is left out on purpose:
    # nothing is drawn towards the camera to lie less far outside.
    assert off[~before.is_surface].max() < 0.1 * np.abs(motion).max()
    assert np.abs(after.distances - before.distances).min() > 0
