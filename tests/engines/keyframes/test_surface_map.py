# SPDX-License-Identifier: Apache-2.0
"""Measured surfaces: planes stay planes up to their edges, and noise falls."""

import numpy as np

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.surface_map import SurfaceMap

K = np.array([[500.0, 0, 50], [0, 490, 40], [0, 0, 1]])
CAMERA = Camera(K, 100, 80)
NORMAL = np.array([0.3, -0.4, -1.0])
NORMAL /= np.linalg.norm(NORMAL)


def plane(offset):
    """Depth of the plane `n . p = n . (0, 0, offset)`: f64 (80, 100) [m]."""
    rays = CAMERA.unproject(CAMERA.pixel_grid().reshape(-1, 2), np.ones(8000))
    return (NORMAL[2] * offset / (rays @ NORMAL)).reshape(80, 100)


def keyframe(depth):
    mask = np.zeros((80, 100), bool)
    mask[10:70, 10:90] = True
    view = View(np.zeros((80, 100, 3), np.uint8), mask, CAMERA, depth.astype(np.float32))
    return Keyframe(view, np.ones((80, 100), bool))


def test_a_plane_stays_itself_up_to_its_border():
    surface = SurfaceMap.of(keyframe(plane(0.7)))
    known = np.isfinite(surface.points[..., 2])
    expected = np.zeros((80, 100), bool)
    expected[12:68, 12:88] = True  # rim and one pixel for the normal left out
    np.testing.assert_array_equal(known, expected)
    assert np.abs(surface.points[known] @ NORMAL - 0.7 * NORMAL[2]).max() < 1e-5
    assert (surface.normals[known] @ NORMAL).min() > 1 - 1e-6  # towards the camera


def test_noise_falls_and_normals_stand_it(rng):
    surface = SurfaceMap.of(keyframe(plane(0.7) + 0.0015 * rng.standard_normal((80, 100))))
    known = np.isfinite(surface.points[..., 2])
    off = surface.points[known] @ NORMAL - 0.7 * NORMAL[2]
    assert off.std() < 0.35 * 0.0015
    angles = np.degrees(np.arccos(np.clip(surface.normals[known] @ NORMAL, -1, 1)))
    assert np.median(angles) < 6


def test_an_edge_is_not_crossed():
    depth = np.where(np.arange(100) < 50, plane(0.7), plane(0.73))
    surface = SurfaceMap.of(keyframe(depth))
    known = np.isfinite(surface.points[..., 2])
    assert known[:, :48].any() and known[:, 52:].any()
    off = surface.points @ NORMAL - np.where(np.arange(100) < 50, 0.7, 0.73) * NORMAL[2]
    assert np.abs(off[known]).max() < 1e-5
    assert (surface.normals[known] @ NORMAL).min() > 1 - 1e-6


def test_samples_are_spread_and_bounded():
    surface = SurfaceMap.of(keyframe(plane(0.7)))
    chosen = surface.samples(200)
    points = surface.points.reshape(-1, 3)[chosen]
    assert len(chosen) == 200 and np.isfinite(points).all()
    assert np.ptp(points[:, 0]) > 0.09 and np.ptp(points[:, 1]) > 0.07
    assert len(surface.samples(10**6)) == np.isfinite(surface.points[..., 0]).sum()


def test_without_depth_there_is_no_surface():
    whole = keyframe(plane(0.7))
    view = View(whole.view.image, whole.view.mask, CAMERA)
    surface = SurfaceMap.of(Keyframe(view, whole.known))
    assert len(surface.samples(100)) == 0
