# SPDX-License-Identifier: Apache-2.0
"""The queue of a stream against a plain dictionary."""

from hypothesis import given
from hypothesis import strategies as st

from recon_node.streams.drops import Drop
from recon_node.streams.stamp_queue import StampQueue

_STAMPS = st.integers(0, 30)
_STEPS = st.lists(st.tuples(st.sampled_from(["put", "pop", "shrink", "drop"]), _STAMPS))


def _queue(*stamps):
    queue = StampQueue(Drop.IMAGE_UNMATCHED)
    for stamp in stamps:
        queue.see(stamp)
        queue.put(stamp, str(stamp), 0.0)
    return queue


@given(steps=_STEPS, asked=_STAMPS)
def test_behaves_like_a_dictionary(steps, asked):
    """Keep what was put and not taken or dropped, in order, and count what was dropped."""
    queue, kept = _queue(), {}
    for number, (step, stamp) in enumerate(steps):
        if step == "put":
            assert queue.put(stamp, number, 0.0) == (stamp in kept)
            kept[stamp] = number
        elif step == "pop" and stamp in kept:
            assert queue.pop(stamp) == (kept.pop(stamp), 0.0)
        elif step in ("shrink", "drop"):
            gone = sorted(kept)[: max(len(kept) - stamp, 0)]
            if step == "drop":
                gone = [other for other in kept if other <= stamp]
            assert (queue.shrink if step == "shrink" else queue.drop_until)(stamp) == len(gone)
            for other in gone:
                del kept[other]
        assert queue.stamps == sorted(kept)
        nearest = min(sorted(kept), key=lambda other: abs(other - asked), default=None)
        assert queue.nearest(asked) == nearest
    assert queue.clear() == len(kept)
    assert (queue.stamps, queue.newest, queue.period) == ([], None, None)


def test_period_is_the_mean_of_the_latest_gaps():
    """Tell the period from the fifth stamp on, whatever order the others came in."""
    queue = _queue(0, 40, 20, 60, 100)
    assert queue.period is None  # 20 was late: it tells no gap
    queue.see(140)
    assert queue.period == 35
    for stamp in range(240, 1240, 100):
        queue.see(stamp)
    assert queue.period == 100
    assert (queue.newest, queue.received, queue.unused) == (1140, 16, 16)


@given(one=st.lists(_STAMPS, min_size=1), other=st.lists(_STAMPS, min_size=1))
def test_distance_of_two_queues(one, other):
    """Find the nearest pair; fall back to the newest stamps where a queue is empty."""
    first, second = _queue(*one), _queue(*other)
    assert first.distance(second) == min(abs(a - b) for a in one for b in other)
    second.drop_until(30)
    assert first.distance(second) == abs(max(one) - max(other))
    assert first.distance(_queue()) is None
