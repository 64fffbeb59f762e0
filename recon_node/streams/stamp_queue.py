# SPDX-License-Identifier: Apache-2.0
"""The messages of one stream that wait for partners, in the order of their stamps."""

import bisect
from collections import deque

from recon_node.streams.drops import Drop

_LATEST = 9  # stamps that tell the period of a stream
_FEWEST = 5  # with less, one odd stamp could halve it


class StampQueue:
    """Messages by stamp.

    Attributes:
        unmatched: Reason to count what is dropped.
        stamps: Of what waits, ascending [ns].
        newest: The largest stamp that came, waiting or not [ns]; None before the first.
        received: How many messages came.
        unused: How many of them came since the last set.
    """

    def __init__(self, unmatched: Drop) -> None:
        self.unmatched = unmatched
        self.stamps: list[int] = []
        self.newest: int | None = None
        self.received = 0
        self.unused = 0
        self._entries: dict[int, tuple[object, float]] = {}
        self._latest: deque[int] = deque(maxlen=_LATEST)

    @property
    def period(self) -> int | None:
        """The mean time between the latest stamps [ns], or None where there were too few."""
        if len(self._latest) < _FEWEST:
            return None
        return (self._latest[-1] - self._latest[0]) // (len(self._latest) - 1)

    def see(self, stamp: int) -> None:
        """Notes that a message came."""
        self.received += 1
        self.unused += 1
        if self.newest is None or stamp > self.newest:
            self._latest.append(stamp)
            self.newest = stamp

    def put(self, stamp: int, message: object, arrived: float) -> int:
        """How many messages it replaced: those of the same stamp."""
        is_new = stamp not in self._entries
        if is_new:
            bisect.insort(self.stamps, stamp)
        self._entries[stamp] = (message, arrived)
        return 0 if is_new else 1

    def pop(self, stamp: int) -> tuple[object, float]:
        """A message and when it arrived [s]; it no longer waits."""
        self.stamps.remove(stamp)
        return self._entries.pop(stamp)

    def nearest(self, stamp: int) -> int | None:
        """The stamp nearest to one, the earlier of two; None where nothing waits."""
        place = bisect.bisect_left(self.stamps, stamp)
        around = self.stamps[max(place - 1, 0) : place + 1]
        return min(around, key=lambda other: abs(other - stamp), default=None)

    def distance(self, other: "StampQueue") -> int | None:
        """How near a stamp here comes to one of another queue, or the newest of both do [ns]."""
        if self.stamps and other.stamps:
            return min(abs(other.nearest(stamp) - stamp) for stamp in self.stamps)
        if self.newest is None or other.newest is None:
            return None
        return abs(self.newest - other.newest)

    def shrink(self, size: int) -> int:
        """How many messages were dropped, the oldest first, to leave that many."""
        return self._drop(len(self.stamps) - size)

    def drop_until(self, stamp: int) -> int:
        """How many messages were dropped: all up to a stamp."""
        return self._drop(bisect.bisect_right(self.stamps, stamp))

    def clear(self) -> int:
        """How many messages were dropped: all; the stamps may start anew."""
        self.newest, self.unused = None, 0
        self._latest.clear()
        return self._drop(len(self.stamps))

    def _drop(self, number: int) -> int:
        number = max(number, 0)
        for stamp in self.stamps[:number]:
            del self._entries[stamp]
        del self.stamps[:number]
        return number
