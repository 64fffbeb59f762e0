# SPDX-License-Identifier: Apache-2.0
"""Ids stay with their objects, one to one, and are never used twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import InvalidInputError
from recon_node.messages.images import LabelImage
from recon_node.streams.drops import DropCounter
from recon_node.streams.identity import ObjectTracker, TrackingConfig

SECOND = 1_000_000_000  # [ns]


def _tracker(**config):
    drops = DropCounter()
    return ObjectTracker(TrackingConfig(**config), drops), drops


def _labels(boxes, size=(90, 160), dtype=np.uint8):
    """A mask of boxes (left, top, width, height) [px] by value; later ones cover earlier ones."""
    pixels = np.zeros(size, dtype)
    for value, (left, top, width, height) in boxes.items():
        pixels[top : top + height, left : left + width] = value
    values = np.unique(pixels)
    return LabelImage(pixels, tuple(int(value) for value in values if value))


def test_persistent_labels_name_the_objects():
    """Derive the id from the value, wherever the object is."""
    tracker, _ = _tracker()
    ids = tracker.update(0, _labels({7: (0, 0, 9, 9), 1200: (50, 50, 9, 9)}, dtype=np.uint16))
    assert ids == {7: "object_007", 1200: "object_1200"}
    assert tracker.update(1, _labels({7: (90, 50, 9, 9)})) == {7: "object_007"}


def test_follows_by_overlap():
    """Keep the ids of objects that overlap with where they were, although the values change."""
    tracker, _ = _tracker(persistent_labels=False)
    assert tracker.update(0, _labels({5: (10, 10, 20, 20), 9: (60, 10, 20, 20)})) == {
        5: "object_001",
        9: "object_002",
    }
    ids = tracker.update(1, _labels({2: (64, 12, 20, 20), 3: (14, 12, 20, 20), 4: (110, 50, 9, 9)}))
    assert ids == {2: "object_002", 3: "object_001", 4: "object_003"}


def test_greatest_overlap_first():
    """Give the id to the mask that overlaps most, not to the first."""
    tracker, _ = _tracker(persistent_labels=False)
    tracker.update(0, _labels({1: (20, 20, 30, 30)}))
    ids = tracker.update(1, _labels({1: (11, 20, 10, 30), 2: (21, 20, 30, 30)}))
    assert ids == {1: "object_002", 2: "object_001"}


def test_follows_a_fast_object_by_its_place():
    """Keep the id over a move without overlap enough, but of like size and within its box."""
    tracker, _ = _tracker(persistent_labels=False, min_overlap=0.9)
    tracker.update(0, _labels({1: (20, 20, 20, 20)}))
    assert tracker.update(1, _labels({1: (33, 20, 20, 20)})) == {1: "object_001"}
    assert tracker.update(2, _labels({1: (36, 20, 9, 9)})) == {1: "object_002"}  # much smaller
    assert tracker.update(3, _labels({1: (46, 20, 9, 9)})) == {1: "object_003"}  # too far


def test_returns_after_an_absence():
    """Recognise an object that comes back to its place before it is aged out, and not after."""
    tracker, _ = _tracker(persistent_labels=False, max_age=2.0)
    box = {1: (20, 20, 20, 20)}
    tracker.update(0, _labels(box))
    tracker.update(SECOND, _labels({}))
    assert tracker.expire(2 * SECOND) == []
    assert tracker.update(2 * SECOND, _labels(box)) == {1: "object_001"}
    assert tracker.expire(4 * SECOND + 1) == ["object_001"]
    assert tracker.expire(4 * SECOND + 1) == []
    assert tracker.update(5 * SECOND, _labels(box)) == {1: "object_002"}


def test_age_of_persistent_objects():
    """Age out each object by itself; never, where the age is 0."""
    tracker, _ = _tracker(max_age=1.0)
    tracker.update(0, _labels({1: (0, 0, 9, 9), 2: (20, 0, 9, 9)}))
    tracker.update(SECOND, _labels({2: (20, 0, 9, 9)}))
    assert tracker.expire(SECOND + 1) == ["object_001"]
    tracker.config = TrackingConfig(max_age=0.0)
    assert tracker.expire(10**6 * SECOND) == []


def test_reset_never_reuses_an_id():
    """Forget everything at a reset, and count on."""
    tracker, _ = _tracker(persistent_labels=False)
    box = {1: (20, 20, 20, 20)}
    tracker.update(0, _labels(box))
    assert tracker.reset() == ["object_001"]
    assert tracker.reset() == []
    assert tracker.update(0, _labels(box)) == {1: "object_002"}
    tracker.forget("object_002")
    assert tracker.update(0, _labels(box)) == {1: "object_003"}


@pytest.mark.parametrize("persistent", [False, True])
def test_largest_objects_only(persistent):
    """Keep the largest of too many, and count the others."""
    tracker, drops = _tracker(persistent_labels=persistent, max_objects=2)
    labels = _labels({1: (0, 0, 8, 8), 2: (20, 0, 20, 20), 3: (50, 0, 9, 9), 4: (80, 0, 7, 7)})
    assert list(tracker.update(0, labels)) == [2, 3]
    assert drops.counts()["too_many_objects"] == 2


def test_tiny_objects_of_a_large_image():
    """Follow an object that falls between the points of the grid."""
    tracker, _ = _tracker(persistent_labels=False)
    tracker.update(0, _labels({1: (9, 9, 3, 3)}, size=(720, 1280)))
    assert tracker.update(1, _labels({2: (10, 10, 3, 3)}, size=(720, 1280))) == {2: "object_001"}


def test_another_size_of_the_mask():
    """Start anew where the size changes: places of two sizes mean nothing to each other."""
    tracker, _ = _tracker(persistent_labels=False)
    tracker.update(0, _labels({1: (20, 20, 20, 20)}))
    ids = tracker.update(1, _labels({1: (20, 20, 20, 20)}, size=(120, 160)))
    assert ids == {1: "object_002"}


_BOXES = st.dictionaries(
    st.integers(1, 9),
    st.tuples(st.integers(0, 140), st.integers(0, 70), st.integers(1, 40), st.integers(1, 40)),
    max_size=6,
)


@given(frames=st.lists(_BOXES, max_size=8), forgets=st.booleans())
def test_ids_are_one_to_one_and_new_ones_count_up(frames, forgets):
    """Give each object of a frame an id of its own, and never an id that was given up."""
    tracker, _ = _tracker(persistent_labels=False, max_age=1.0)
    highest, gone = 0, set()
    for number, boxes in enumerate(frames):
        labels = _labels(boxes)
        ids = tracker.update(number * SECOND, labels)
        assert tuple(ids) == labels.values
        assert len(set(ids.values())) == len(ids)
        assert not gone & set(ids.values())
        numbers = sorted(int(object_id.removeprefix("object_")) for object_id in ids.values())
        new = [n for n in numbers if n > highest]
        assert new == list(range(highest + 1, highest + 1 + len(new)))
        highest += len(new)
        gone |= set(tracker.expire(number * SECOND))
        if forgets and ids:
            first = next(iter(ids.values()))
            tracker.forget(first)
            gone.add(first)


@given(boxes=_BOXES)
def test_a_still_scene_keeps_its_ids(boxes):
    """Give the same ids to the same mask."""
    tracker, _ = _tracker(persistent_labels=False)
    labels = _labels(boxes)
    assert tracker.update(0, labels) == tracker.update(1, labels)


@pytest.mark.parametrize("wrong", [{"max_objects": 0}, {"min_overlap": 0.0}, {"max_age": -1.0}])
def test_config_is_checked(wrong):
    """Refuse values without meaning."""
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        TrackingConfig(**wrong)
