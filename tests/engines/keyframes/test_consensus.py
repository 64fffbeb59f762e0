# SPDX-License-Identifier: Apache-2.0
"""Outliers among keyframes, and cameras that are moved only where that brings them to agree."""

import numpy as np
import pytest

from recon_node.engines.keyframes.consensus import outliers, registered
from recon_node.engines.keyframes.keyframe import with_T_world_camera
from recon_node.engines.transforms import invert


@pytest.fixture
def seen(scene, arc):
    """Five keyframes of a bracket."""
    return [scene("bracket").keyframe(T) for T in arc(5)]


def moved(keyframe, *offset):
    T = keyframe.view.camera.T_world_camera.copy()
    T[:3, 3] += offset
    return with_T_world_camera(keyframe, T)


def test_keyframes_of_one_mind_have_no_outlier(seen):
    assert outliers(seen) == []
    assert outliers(seen[:1]) == []


@pytest.mark.parametrize("odd", [(3,), (1, 4)])
def test_wrong_poses_are_found(seen, odd):
    offsets = iter([(0, 0, 0.12), (0.1, -0.1, 0)])
    views = [moved(k, *next(offsets)) if i in odd else k for i, k in enumerate(seen)]
    assert outliers(views) == list(odd)


def test_the_first_keyframe_stays_even_where_all_others_contradict_it(seen):
    views = [seen[0], *(moved(keyframe, 0, 0, 0.15) for keyframe in seen[1:])]
    assert 0 not in outliers(views)


def off_by(keyframes, truth):
    """The farthest that a camera's idea of the object's middle is off [m]."""
    middle = np.array([0.0, 0.0, 0.04, 1.0])
    errors = [
        keyframe.view.camera.T_world_camera @ invert(true.view.camera.T_world_camera) @ middle
        for keyframe, true in zip(keyframes, truth, strict=True)
    ]
    return max(np.linalg.norm(error - middle) for error in errors)


def test_cameras_that_fit_stay_exactly_where_they_are(seen):
    """Keep exact poses, which a registration moves by some tenths of a millimetre."""
    for given, kept in zip(seen, registered(seen), strict=True):
        np.testing.assert_array_equal(
            kept.view.camera.T_world_camera, given.view.camera.T_world_camera
        )


@pytest.mark.parametrize("size", [0.006, 0.012])
def test_cameras_that_do_not_fit_are_moved(seen, size, rng):
    """Bring cameras that are off by millimetres to within one, but for the first, which holds."""
    offsets = [size * (way / np.linalg.norm(way)) for way in rng.normal(size=(4, 3))]
    given = [seen[0], *(moved(k, *o) for k, o in zip(seen[1:], offsets, strict=True))]
    found = registered(given)
    assert off_by(given, seen) == pytest.approx(size)
    assert off_by(found, seen) < 0.0015
    np.testing.assert_array_equal(
        found[0].view.camera.T_world_camera, given[0].view.camera.T_world_camera
    )
