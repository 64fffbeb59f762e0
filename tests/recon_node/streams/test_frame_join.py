# SPDX-License-Identifier: Apache-2.0
"""Joining by stamp: what belongs together is found, in order, and nothing is lost untold."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.errors import InvalidInputError
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.frame_join import FrameJoin, JoinConfig

MS = 1_000_000  # [ns]


def _join(**config):
    drops = DropCounter()
    return FrameJoin(JoinConfig(**config), drops), drops


def _stamps(joined):
    """The stamps [ms] that the test's messages carry, by stream; None where nothing joined."""
    return None if joined is None else dict(joined.messages)


def _add(join, *messages):
    """What each message (stream, stamp [ms]) completes."""
    return [_stamps(join.add(stream, stamp * MS, stamp)) for stream, stamp in messages]


def _counted(drops):
    return {name: number for name, number in drops.counts().items() if number}


def test_equal_stamps_join_in_any_order():
    """Join image and mask of one stamp, whichever comes first."""
    join, drops = _join()
    assert _add(join, ("image", 0), ("mask", 0)) == [None, {"image": 0, "mask": 0}]
    assert _add(join, ("mask", 33), ("image", 33)) == [None, {"image": 33, "mask": 33}]
    assert _counted(drops) == {}
    joined = (join.add("image", 66 * MS, "a"), join.add("mask", 66 * MS, "b"))[1]
    assert joined.stamp_ns == 66 * MS
    assert joined.arrived > 0


def test_nearest_within_the_slop():
    """Join the nearest stamp within the slop, and none beyond it."""
    join, drops = _join(slop=0.01)
    assert _add(join, ("image", 100), ("mask", 111)) == [None, None]
    assert _add(join, ("mask", 95)) == [{"image": 100, "mask": 95}]
    assert _add(join, ("image", 202), ("mask", 200)) == [None, {"image": 202, "mask": 200}]
    assert _counted(drops) == {"mask_unmatched": 1}  # 111 was nobody's


def test_exact_beats_near():
    """Leave a mask to the image of its own stamp, where that image is there or is due."""
    join, _ = _join(slop=0.02)
    _add(join, *((stream, stamp) for stamp in range(0, 64, 16) for stream in ("image", "mask")))
    # The mask of 80 overtakes its image: 64 is within the slop, but the next image is due at 80.
    sets = _add(join, ("image", 64), ("mask", 80), ("image", 80))
    assert sets == [None, None, {"image": 80, "mask": 80}]
    sets = _add(join, ("image", 96), ("image", 112), ("mask", 96))
    assert sets == [None, None, {"image": 96, "mask": 96}]


def test_depth_is_joined_where_it_is_there():
    """Take depth along when it is there, and wait for it only when it is required."""
    join, drops = _join()
    assert _add(join, ("image", 0), ("depth", 0), ("mask", 0))[-1] == {
        "image": 0,
        "mask": 0,
        "depth": 0,
    }
    assert _add(join, ("image", 33), ("mask", 33)) == [None, {"image": 33, "mask": 33}]
    join.require_depth(True)
    assert _add(join, ("image", 66), ("mask", 66)) == [None, None]
    assert _add(join, ("depth", 66)) == [{"image": 66, "mask": 66, "depth": 66}]
    assert _add(join, ("image", 99), ("mask", 99)) == [None, None]
    join.require_depth(False)
    assert _add(join, ("mask", 120)) == [{"image": 99, "mask": 99}]
    assert _counted(drops) == {}


def test_newest_set_wins():
    """Drop and count what is older than the set handed out, and what comes too late for one."""
    join, drops = _join()
    _add(join, ("image", 0), ("image", 33), ("depth", 0), ("image", 66))
    assert _add(join, ("mask", 66)) == [{"image": 66, "mask": 66}]
    assert _counted(drops) == {"image_unmatched": 2, "depth_unmatched": 1}
    assert _add(join, ("mask", 33), ("image", 66), ("image", 50)) == [None, None, None]
    assert _counted(drops)["out_of_order"] == 3


def test_out_of_order_inside_the_queue():
    """Join what arrives in the wrong order, as long as sets complete in the right one."""
    join, drops = _join()
    _add(join, ("image", 33), ("image", 0))
    assert _add(join, ("mask", 0), ("mask", 33)) == [
        {"image": 0, "mask": 0},
        {"image": 33, "mask": 33},
    ]
    assert _counted(drops) == {}


def test_same_stamp_twice():
    """Take the newer of two messages of one stamp, and count the older."""
    join, drops = _join()
    join.add("mask", 0, "old")
    join.add("mask", 0, "new")
    assert join.add("image", 0, "image").messages["mask"] == "new"
    assert _counted(drops) == {"mask_unmatched": 1}


def _recording(*, seconds, latency, start=0):
    """A camera at 30 Hz, a segmenter at 5 Hz that lags, depth at 10 Hz: arrivals in order [ms]."""
    arrivals = []
    for number in range(30 * seconds):
        stamp = 1000 * number // 30
        arrivals.append((start + stamp, "image", stamp))
        if number % 6 == 0:
            arrivals.append((start + stamp + latency, "mask", stamp))
        if number % 3 == 0:
            arrivals.append((start + stamp + 15, "depth", stamp))
    return arrivals


@pytest.mark.parametrize("latency", [100, 500, 1000])
@pytest.mark.parametrize("requires_depth", [False, True])
def test_slow_segmenter(latency, requires_depth):
    """Find the image of every mask of a slow segmenter, up to a second later, with defaults."""
    join, drops = _join()
    join.require_depth(requires_depth)
    arrivals = sorted(_recording(seconds=4, latency=latency))
    sets = [joined for joined in _add(join, *(a[1:] for a in arrivals)) if joined]
    expected = [stamp for _, stream, stamp in arrivals if stream == "mask"]
    assert sets == [{"image": s, "mask": s, "depth": s} for s in expected]
    counted = _counted(drops)
    waiting = 120 - len(sets) - counted.pop("image_unmatched")
    assert 0 <= waiting <= 40
    assert set(counted) == {"depth_unmatched"}
    assert join.waiting_for() == ""


@pytest.mark.parametrize("latency", [0, 100, 900])
def test_bag_that_starts_over(latency):
    """Join at once again when the stamps jump back, although old masks still drip in."""
    join, drops = _join()
    first = _recording(seconds=4, latency=latency)
    second = _recording(seconds=4, latency=latency, start=4000)
    arrivals = sorted(heapq.merge(first, second))
    sets = [joined for joined in _add(join, *(a[1:] for a in arrivals)) if joined]
    stamps = [joined["mask"] for joined in sets]
    one_loop = [stamp for _, stream, stamp in first if stream == "mask"]
    early = stamps.index(0, 1)  # where the second loop begins
    assert stamps[early:] == one_loop
    assert stamps[:early] == one_loop[:early]
    assert early >= len(one_loop) - 1 - latency // 200
    assert join.jumps == 1
    assert _counted(drops)["time_jump"] > 0
    assert "out_of_order" not in _counted(drops)


def test_garbage_stamp_heals():
    """Recover from one stamp far in the future."""
    join, drops = _join()
    _add(join, ("image", 0), ("mask", 0), ("image", 10_000_000))
    assert _add(join, ("image", 33), ("mask", 33)) == [None, {"image": 33, "mask": 33}]
    assert join.jumps == 1
    assert _counted(drops) == {"time_jump": 1}


def test_queue_is_bounded():
    """Drop the oldest and count it where partners never come."""
    join, drops = _join(queue_size=3)
    _add(join, *(("image", 33 * number) for number in range(10)))
    assert _counted(drops) == {"image_unmatched": 7}
    assert _add(join, ("mask", 33 * 7)) == [{"image": 231, "mask": 231}]


def test_reset_and_finish_count_what_waits():
    """Tell what a deactivation or the end of a bag left over."""
    join, drops = _join()
    _add(join, ("image", 0), ("mask", 500))
    join.reset()
    assert _counted(drops) == {"deactivated": 2}
    assert join.waiting_for() == "image: none received; mask: none received"
    _add(join, ("image", 0), ("depth", 500))
    join.finish()
    assert _counted(drops) == {"deactivated": 2, "image_unmatched": 1, "depth_unmatched": 1}
    assert _add(join, ("image", 0), ("mask", 0))[-1] == {"image": 0, "mask": 0}


def test_waiting_for_explains():
    """Say which stream is missing, or how far its stamps are off."""
    join, _ = _join()
    assert join.waiting_for() == "image: none received; mask: none received"
    _add(join, ("image", 0))
    assert join.waiting_for() == "mask: none received"
    _add(join, ("mask", 134), ("image", 100))
    assert join.waiting_for() == (
        "mask: 1 received, nearest stamp 0.034 s from the image's (slop 0.02)"
    )
    _add(join, ("mask", 100))
    assert join.waiting_for() == ""
    join.require_depth(True)
    assert join.waiting_for() == "depth: none received"


def test_waiting_for_a_stream_that_ended():
    """Notice when one stream ends, but not before a slow one may be late."""
    join, _ = _join()
    _add(join, ("image", 0), ("mask", 0))
    _add(join, *(("image", 33 * number) for number in range(1, 41)))
    assert join.waiting_for() == ""
    _add(join, ("image", 33 * 41))
    assert join.waiting_for() == "mask: none since the last frame"
    join, _ = _join()
    _add(join, ("image", 0), ("mask", 0))
    _add(join, *(("mask", 33 * number) for number in range(1, 12)))
    assert join.waiting_for() == "image: none since the last frame"


def test_waiting_for_after_a_jump():
    """Name the stream that stayed behind when the others jumped back."""
    join, _ = _join()
    _add(join, ("image", 50_000), ("mask", 50_000), ("image", 0), ("mask", 50_033))
    assert join.waiting_for() == "mask: none since time jumped back"
    join.finish()
    assert _add(join, ("mask", 0), ("image", 0)) == [None, {"image": 0, "mask": 0}]


def test_waiting_for_both_at_once():
    """Say so where masks and depths each fit, but never the same image."""
    join, _ = _join()
    join.require_depth(True)
    _add(join, ("image", 0), ("image", 100), ("mask", 0), ("depth", 100))
    assert join.waiting_for() == "no image with mask and depth"


@pytest.mark.parametrize("wrong", [{"slop": -0.1}, {"slop": float("nan")}, {"queue_size": 0}])
def test_config_is_checked(wrong):
    """Refuse values without meaning."""
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        JoinConfig(**wrong)


_MESSAGES = st.lists(
    st.tuples(st.sampled_from(["image", "mask", "depth"]), st.integers(0, 3000)), max_size=80
)


@given(
    messages=_MESSAGES,
    slop=st.sampled_from([0.0, 0.05]),
    size=st.integers(1, 20),
    requires_depth=st.booleans(),
)
def test_every_message_is_accounted_for(messages, slop, size, requires_depth):
    """Hand out, hold or count every message exactly once, in order, within the slop."""
    join, drops = _join(slop=slop, queue_size=size)
    join.require_depth(requires_depth)
    used, last, jumps = [], -1, 0
    for number, (stream, stamp) in enumerate(messages):
        joined = join.add(stream, stamp * MS, (number, stamp))
        if join.jumps > jumps:
            last, jumps = -1, join.jumps
        if joined is None:
            continue
        stamps = {name: stamp for name, (_, stamp) in joined.messages.items()}
        assert joined.stamp_ns == stamps["image"] * MS
        assert stamps["image"] > last
        last = stamps["image"]
        assert set(stamps) >= ({"image", "mask", "depth"} if requires_depth else {"image", "mask"})
        assert all(abs(stamp - last) <= 1000 * slop for stamp in stamps.values())
        used += [number for number, _ in joined.messages.values()]
    assert len(used) == len(set(used))
    waiting = len(messages) - len(used) - sum(_counted(drops).values())
    assert 0 <= waiting <= 3 * size
    join.finish()
    assert len(used) + sum(_counted(drops).values()) == len(messages)
    assert not set(_counted(drops)) & {Drop.DEACTIVATED.value}


@given(offsets=st.lists(st.integers(-15, 15), min_size=1, max_size=30))
def test_jittered_streams_join_every_image(offsets):
    """Join all images at 25 Hz with masks that are off by up to 15 ms, never a neighbour's."""
    join, drops = _join(slop=0.02)
    stamps = [(40 * number, 40 * number + offset) for number, offset in enumerate(offsets)]
    messages = [("image", image) for image, _ in stamps] + [("mask", mask) for _, mask in stamps]
    messages = sorted(messages, key=lambda message: message[1])
    sets = [joined for joined in _add(join, *messages) if joined]
    assert [(joined["image"], joined["mask"]) for joined in sets] == stamps[: len(sets)]
    assert len(sets) >= len(stamps) - 1  # the last may wait for a nearer one
    assert _counted(drops) == {}
