# SPDX-License-Identifier: Apache-2.0
"""Outliers among keyframes: none where all agree, the odd ones where some do not."""

import pytest

from recon_node.engines.keyframes.consensus import outliers
from recon_node.engines.keyframes.keyframe import with_T_world_camera


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
