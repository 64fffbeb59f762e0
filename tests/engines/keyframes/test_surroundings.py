# SPDX-License-Identifier: Apache-2.0
"""What lies around an object: the floor is found, through noise and beside other things."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.surroundings import RIM, MeasuredPlane, beside, points_beside


@pytest.mark.parametrize("noise", [0.0, 0.0015])
def test_the_floor_is_found(scene, arc, noise):
    keyframe = scene("mug").keyframe(arc(3)[2], noise=noise)
    T = keyframe.view.camera.T_world_camera
    measured = MeasuredPlane.of(keyframe, samples=500)
    up = T[:3, :3] @ measured.plane.normal
    assert np.degrees(np.arccos(min(up[2], 1.0))) < 0.2  # and towards the camera
    assert abs(measured.plane.heights(np.zeros(3)) - T[2, 3]) < 5e-4
    assert len(measured.points) == 500
    heights = measured.points @ T[2, :3] + T[2, 3]
    assert np.abs(heights).max() < 2.5 * 0.0018


def test_the_object_and_its_rim_have_no_part(scene, arc):
    keyframe = scene("box").keyframe(arc(3)[1])
    points, sigmas = points_beside(keyframe)
    T = keyframe.view.camera.T_world_camera
    assert np.abs(points @ T[2, :3] + T[2, 3]).max() < 1e-5
    np.testing.assert_allclose(sigmas, 1e-3 + 1.1e-3 * points[:, 2] ** 2)
    mask = np.zeros((20, 20), bool)
    mask[10, 10] = True
    assert np.count_nonzero(~beside(mask)) == 2 * RIM * (RIM + 1) + 1


def test_without_depth_or_a_plane_there_is_none(scene, arc, rng):
    keyframe = scene("mug").keyframe(arc(3)[1])
    view = keyframe.view
    blind = Keyframe(replace(view, depth=None), keyframe.known)
    assert MeasuredPlane.of(blind, samples=100) is None
    clutter = view.depth + rng.uniform(-0.1, 0.1, view.depth.shape).astype(np.float32)
    rough = Keyframe(replace(view, depth=np.where(view.mask, view.depth, clutter)), keyframe.known)
    assert MeasuredPlane.of(rough, samples=100) is None
