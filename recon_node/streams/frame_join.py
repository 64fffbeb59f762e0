# SPDX-License-Identifier: Apache-2.0
"""Image, mask and depth of one moment, joined by their stamps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recon_node.engines.option import check_options, option
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.stamp_queue import StampQueue

JUMP_NS = 1_000_000_000
_PATIENCE = 10  # messages of a stream without a set before `waiting_for` complains


@dataclass(frozen=True)
class JoinConfig:
    """How messages are joined."""

    slop: float = option(
        0.02,
        "How far the stamps of mask and depth may lie from the image's; 0 joins equal ones [s].",
        low=0.0,
        high=1.0,
        live=True,
    )
    queue_size: int = option(
        40,
        "Images, masks and depths that wait for their partners; the default bridges a mask that "
        "comes 1.3 s after its image at 30 Hz.",
        low=1,
        high=1000,
        live=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, eq=False)
class Joined:
    """Messages of one moment.

    Attributes:
        stamp_ns: Of the image [ns].
        messages: By stream: "image", "mask", and "depth" where it was there.
        arrived: When the last of them came [s] of `time.monotonic()`.
    """

    stamp_ns: int
    messages: Mapping[str, object]
    arrived: float


class FrameJoin:
    """Joins image, mask and depth by stamp; the newest complete set wins.

    An equal stamp is taken at once. Else the nearest within the slop is, when each is the other's
    nearest and the rate of the earlier stream does not promise a still nearer message. Each
    message belongs to one set at most. All that arrives is handed out, waits, or is counted.

    Attributes:
        config: May be replaced at any time.
        jumps: How often the stamps jumped back, as when a bag starts over.
    """

    def __init__(self, config: JoinConfig, drops: DropCounter) -> None:
        self.config = config
        self.jumps = 0
        self._drops = drops
        self._queues = {
            "image": StampQueue(Drop.IMAGE_UNMATCHED),
            "mask": StampQueue(Drop.MASK_UNMATCHED),
            "depth": StampQueue(Drop.DEPTH_UNMATCHED),
        }
        self._requires_depth = False
        self._last: int | None = None  # stamp of the last set [ns]
        self._behind: set[str] = set()  # streams that have not made the latest jump yet

    def require_depth(self, required: bool) -> None:
        """Sets whether an image waits for its depth; if not, depth is joined if it is there."""
        self._requires_depth = required

    def add(self, stream: str, stamp_ns: int, message: object) -> Joined | None:
        """The newest set that is complete now, or None.

        Older messages are dropped with it, so the stamps of the sets grow between two jumps.

        Args:
            stream: "image", "mask" or "depth".
            stamp_ns: Of the message [ns].
            message: Handed on as it is.
        """
        queue = self._queues[stream]
        if self._lags_behind_jump(stream, stamp_ns):
            queue.received += 1
            self._drops.count(Drop.TIME_JUMP)
            return None
        if queue.newest is not None and stamp_ns < queue.newest - JUMP_NS:
            self._jump(stream, stamp_ns)
        queue.see(stamp_ns)
        if self._is_too_late(stream, stamp_ns):
            self._drops.count(Drop.OUT_OF_ORDER)
            return None
        dropped = queue.put(stamp_ns, message, time.monotonic())
        dropped += queue.shrink(self.config.queue_size)
        self._count(queue.unmatched, dropped)
        chosen = self._complete_set()
        return None if chosen is None else self._hand_out(chosen)

    def waiting_for(self) -> str:
        """What keeps images from being used, for people; empty where nothing does."""
        names = ["image", "mask"] + ["depth"] * self._requires_depth
        queues = {name: self._queues[name] for name in names}
        missing = [f"{name}: none received" for name, q in queues.items() if not q.received]
        if missing:
            return "; ".join(missing)
        if self._last is not None and not self._is_stuck():
            return ""
        silent = {name: "since time jumped back" for name in names if name in self._behind}
        for name, queue in queues.items():
            if queue.unused == 0:
                silent.setdefault(name, "since the last frame")
        if silent:
            return "; ".join(f"{name}: none {since}" for name, since in silent.items())
        images = queues.pop("image")
        distances = {name: queue.distance(images) for name, queue in queues.items()}
        reasons = [
            f"{name}: {queues[name].received} received, nearest stamp {distance / 1e9:.3g} s from "
            f"the image's (slop {self.config.slop:g})"
            for name, distance in distances.items()
            if distance > self._slop_ns()
        ]
        return "; ".join(reasons) or f"no image with {' and '.join(queues)}"

    def reset(self) -> None:
        """Forgets everything but the count of jumps; what waited counts as deactivated."""
        waiting = sum(queue.clear() for queue in self._queues.values())
        self._count(Drop.DEACTIVATED, waiting)
        for queue in self._queues.values():
            queue.received = 0
        self._last = None
        self._behind.clear()

    def finish(self) -> None:
        """Counts what waits as unmatched: nothing more will come of this recording."""
        for queue in self._queues.values():
            self._count(queue.unmatched, queue.clear())
        self._last = None
        self._behind.clear()

    def _slop_ns(self) -> int:
        return round(self.config.slop * 1e9)

    def _count(self, reason: Drop, number: int) -> None:
        if number:
            self._drops.count(reason, number)

    def _is_too_late(self, stream: str, stamp_ns: int) -> bool:
        """Whether no set newer than the last one can contain the message."""
        if self._last is None:
            return False
        return stamp_ns <= self._last - (0 if stream == "image" else self._slop_ns())

    def _jump(self, stream: str, stamp_ns: int) -> None:
        """Starts over where a stream jumped back to a stamp."""
        self.jumps += 1
        self._behind |= {
            name
            for name, queue in self._queues.items()
            if queue.newest is not None and queue.newest > stamp_ns + JUMP_NS
        }
        self._behind.remove(stream)
        waiting = sum(queue.clear() for queue in self._queues.values())
        self._count(Drop.TIME_JUMP, waiting)
        self._last = None

    def _lags_behind_jump(self, stream: str, stamp_ns: int) -> bool:
        """Whether the message is from before a jump that another stream has made already.

        A mask from a slow network arrives seconds after the images of the next loop have begun;
        taken for news it would make the stamps jump a second time.
        """
        if stream not in self._behind:
            return False
        newest = (q.newest for name, q in self._queues.items() if name not in self._behind)
        if stamp_ns > max(stamp for stamp in newest if stamp is not None) + JUMP_NS:
            return True
        self._behind.remove(stream)
        return False

    def _complete_set(self) -> dict[str, int] | None:
        """The stamps of the newest complete set, by stream."""
        images, masks, depths = self._queues.values()
        if not images.stamps or (self._requires_depth and not depths.stamps):
            return None
        for mask in reversed(masks.stamps):
            image = images.nearest(mask)
            if not self._are_partners(images, image, masks, mask, patient=True):
                continue
            chosen = {"image": image, "mask": mask}
            depth = depths.nearest(image)
            patient = self._requires_depth
            if depth is not None and self._are_partners(
                images, image, depths, depth, patient=patient
            ):
                chosen["depth"] = depth
            elif self._requires_depth:
                continue
            return chosen
        return None

    def _are_partners(
        self, images: StampQueue, image: int, others: StampQueue, other: int, *, patient: bool
    ) -> bool:
        """Whether two messages belong together; patient: and no nearer one is to be expected."""
        distance = abs(image - other)
        if distance == 0:
            return True
        if distance > self._slop_ns():
            return False
        if images.nearest(other) != image or others.nearest(image) != other:
            return False
        if not patient:
            return True
        earlier, first, second = (images, image, other) if image < other else (others, other, image)
        if earlier.newest > first or earlier.period is None:
            return True
        return 2 * abs(first + earlier.period - second) >= distance

    def _hand_out(self, chosen: dict[str, int]) -> Joined:
        taken = {name: self._queues[name].pop(stamp) for name, stamp in chosen.items()}
        self._last = chosen["image"]
        for name, queue in self._queues.items():
            useless = self._last - (0 if name == "image" else self._slop_ns())
            self._count(queue.unmatched, queue.drop_until(useless))
            queue.unused = 0
        messages = {name: message for name, (message, _) in taken.items()}
        arrived = max(arrived for _, arrived in taken.values())
        return Joined(self._last, MappingProxyType(messages), arrived)

    def _is_stuck(self) -> bool:
        """Whether so much came without a set that something must be wrong."""
        images, masks, depths = self._queues.values()
        others = (masks, depths) if self._requires_depth else (masks,)
        return images.unused > self.config.queue_size or any(
            queue.unused > _PATIENCE for queue in others
        )
