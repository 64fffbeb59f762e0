# SPDX-License-Identifier: Apache-2.0
"""The store numbers results strictly upwards, whatever happens to them."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import InvalidInputError, UnknownNameError
from recon_node.engines.hull import HullEngine
from recon_node.engines.reconstruction import Stage
from recon_node.streams.object_store import ObjectStore


@pytest.fixture
def result(ball):
    """A reconstruction of the ball."""
    return HullEngine().reconstruct([ball.view], object_id="cup")


def test_accept_and_get(result):
    """Keep the newest result with its place and time."""
    store = ObjectStore()
    store.accept(result, stamp_ns=5, frame_id="map", label=3)
    stored = store.accept(result, stamp_ns=9, frame_id="odom", label=4)
    assert store.get("cup") is stored
    assert (stored.stamp_ns, stored.frame_id, stored.label, stored.mesh_uri) == (9, "odom", 4, "")
    assert stored.result.mesh is result.mesh
    assert (stored.result.version, stored.result.parent_version) == (2, None)


def test_parent_is_of_refined_results_only(result):
    """Keep the parent of a refined result, and refuse one that does not exist yet."""
    store = ObjectStore()
    store.accept(result, stamp_ns=0, frame_id="map", label=1)
    refined = dataclasses.replace(result, version=2, parent_version=1, stage=Stage.REFINED)
    assert store.accept(refined, stamp_ns=0, frame_id="map", label=1).result.parent_version == 1
    copied = dataclasses.replace(refined, stage=Stage.HULL)
    assert store.accept(copied, stamp_ns=0, frame_id="map", label=1).result.parent_version is None
    early = dataclasses.replace(refined, version=9, parent_version=8)
    with pytest.raises(InvalidInputError, match="parent_version is 8"):
        store.accept(early, stamp_ns=0, frame_id="map", label=1)
    assert store.get("cup").result.version == 3


def test_unknown_object(result):
    """Name what is there."""
    store = ObjectStore()
    store.accept(result, stamp_ns=0, frame_id="map", label=1)
    with pytest.raises(UnknownNameError, match="unknown object 'cap'; known: cup; did you mean"):
        store.get("cap")


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_versions_grow_by_one(steps, shared_result):
    """Number every id from 1 without a gap or a repetition, over removals too."""
    store, expected, present = ObjectStore(), {}, {}
    for object_id, removes in steps:
        if removes:
            assert store.remove(object_id) == (object_id in present)
            present.pop(object_id, None)
        else:
            named = dataclasses.replace(shared_result, object_id=object_id)
            stored = store.accept(named, stamp_ns=0, frame_id="map", label=1)
            expected[object_id] = expected.get(object_id, 0) + 1
            assert stored.result.version == expected[object_id]
            present[object_id] = stored
        assert store.ids() == list(present)
        assert store.all() == list(present.values())


@pytest.fixture(scope="module")
def shared_result():
    """A reconstruction of a disc without depth."""
    import numpy as np

    from recon_node.engines.camera import Camera, View

    x, y = np.meshgrid(np.arange(32), np.arange(32))
    camera = Camera(np.array([[40.0, 0, 16], [0, 40, 16], [0, 0, 1]]), 32, 32)
    mask = np.hypot(x - 16, y - 16) < 8
    return HullEngine().reconstruct([View(np.zeros((32, 32, 3), np.uint8), mask, camera)])


def test_a_refined_result_may_be_kept(result):
    """Take nothing of a single view in its place where that is asked for, and count no version."""
    store = ObjectStore()
    store.accept(result, stamp_ns=0, frame_id="map", label=1, keep_refined=True)
    refined = dataclasses.replace(result, version=2, parent_version=1, stage=Stage.REFINED)
    store.accept(refined, stamp_ns=1, frame_id="map", label=1, keep_refined=True)
    assert store.accept(result, stamp_ns=2, frame_id="map", label=1, keep_refined=True) is None
    assert store.get("cup").result.version == 2
    again = store.accept(refined, stamp_ns=3, frame_id="map", label=1, keep_refined=True)
    assert again.result.version == 3
    assert store.accept(result, stamp_ns=4, frame_id="map", label=1).result.version == 4
