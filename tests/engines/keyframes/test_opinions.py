# SPDX-License-Identifier: Apache-2.0
"""Results of single views: as many as are asked for, of a known size, the others left out."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.keyframes.opinions import MOST, with_opinions


@pytest.fixture
def seen(posed_views):
    """Seven keyframes without results."""
    return [make_keyframe(view) for view in posed_views(7)]


def test_a_few_keyframes_get_results_in_the_world(seen):
    told = with_opinions(seen, HullEngine())
    places = [place for place, keyframe in enumerate(told) if keyframe.result is not None]
    assert places == [0, 2, 4, 6] and len(places) == MOST
    for place in places:
        result = told[place].result
        middle = result.mesh.vertices.mean(axis=0) @ result.T_world_object[:3, :3].T
        np.testing.assert_allclose(
            middle + result.T_world_object[:3, 3], (0.2, -0.1, 0.3), atol=0.03
        )


def test_results_that_are_there_stay(seen):
    once = with_opinions(seen[:2], HullEngine())
    again = with_opinions(once, HullEngine())
    assert [keyframe.result for keyframe in again] == [keyframe.result for keyframe in once]


def test_views_of_unknown_size_or_of_nothing_have_no_result(seen):
    flat = replace(seen[0], view=replace(seen[0].view, depth=None))
    empty = replace(seen[1], view=replace(seen[1].view, mask=np.zeros_like(seen[1].view.mask)))
    told = with_opinions([flat, empty], HullEngine())
    assert [keyframe.result for keyframe in told] == [None, None]
