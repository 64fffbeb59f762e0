# SPDX-License-Identifier: Apache-2.0
"""The objects of a bag's frames: what the node's worker would have made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recon_node.bag_frames import BagFrame
from recon_node.engines.errors import ReconstructionError
from recon_node.engines.reconstruction import Engine
from recon_node.reconstructor import Reconstructor
from recon_node.streams.change import ChangeConfig, ChangeDetector
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.identity import ObjectTracker, TrackingConfig
from recon_node.streams.object_store import ObjectStore, StoredObject


@dataclass(frozen=True, eq=False)
class News:
    """What became of an object.

    Attributes:
        stored: The object.
        recorded_ns: When the news is from, in the time of the recording [ns].
        removed_ns: The stamp at which it was given up [ns]; None where it has a new mesh.
    """

    stored: StoredObject
    recorded_ns: int
    removed_ns: int | None = None


class BagObjects:
    """Follows and reconstructs the objects of frames, one after the other.

    The node drops frames when it has no time; here there is always time, so what the node drops
    for its load is used. What it drops by choice is dropped here too: within `min_interval` of an
    object's last run the newest frame waits, and what has not changed is not made again.

    Attributes:
        latest: The newest mesh of every object, also of those that are gone.
        faults: The last thing that went wrong, by reason.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        tracking: TrackingConfig,
        change: ChangeConfig,
        min_interval: float,
        drops: DropCounter,
    ) -> None:
        """Starts without objects.

        Args:
            engine: Makes the meshes.
            tracking: How objects are followed.
            change: When an object counts as changed.
            min_interval: Shortest time between the stamps of two runs for one object [s].
            drops: Counts what leads to no mesh.
        """
        self.latest: dict[str, StoredObject] = {}
        self.faults: dict[Drop, str] = {}
        self._change = ChangeDetector(change)
        self._reconstructor = Reconstructor(engine, self._change)
        self._tracker = ObjectTracker(tracking, drops)
        self._store = ObjectStore()
        self._min_interval_ns = round(min_interval * 1e9)
        self._drops = drops
        self._waiting: dict[str, tuple[BagFrame, int]] = {}  # frame and value, by id
        self._started: dict[str, int] = {}  # stamp of each object's last run [ns]
        self._loop = 0

    def feed(self, bag_frame: BagFrame) -> Iterator[News]:
        """What a frame, or time that has passed until it, brings.

        Where the stamps have jumped back, every object is given up first.
        """
        frame = bag_frame.frame
        if bag_frame.loop != self._loop:
            yield from self.finish()
            yield from self._removed(self._tracker.reset(), bag_frame)
            self._loop = bag_frame.loop
        for value, object_id in self._tracker.update(frame.stamp_ns, frame.labels).items():
            if object_id in self._waiting:
                self._drops.count(Drop.SUPERSEDED)
            self._waiting[object_id] = (bag_frame, value)
        due = [
            object_id
            for object_id in self._waiting
            if frame.stamp_ns >= self._started.get(object_id, -(2**63)) + self._min_interval_ns
        ]
        for object_id in due:
            self._started[object_id] = frame.stamp_ns
            yield from self._reconstructed(object_id)
        yield from self._removed(self._tracker.expire(frame.stamp_ns), bag_frame)

    def finish(self) -> Iterator[News]:
        """What the frames bring that still wait for their interval to pass."""
        for object_id in list(self._waiting):
            yield from self._reconstructed(object_id)

    def _reconstructed(self, object_id: str) -> Iterator[News]:
        bag_frame, value = self._waiting.pop(object_id)
        frame = bag_frame.frame
        try:
            result = self._reconstructor.reconstruct(frame, value, object_id)
        except ReconstructionError as error:
            self._drops.count(Drop.BAD_INPUT)
            self.faults[Drop.BAD_INPUT] = f"{object_id}: {error}"
            return
        if result is None:
            self._drops.count(Drop.UNCHANGED)
            return
        stored = self._store.accept(
            result, stamp_ns=frame.stamp_ns, frame_id=frame.output_frame, label=value
        )
        self._reconstructor.remember(frame, value, object_id)
        self._reconstructor.remember(frame, value, object_id)
        self.latest[object_id] = stored
        yield News(stored, bag_frame.recorded_ns)

    def _removed(self, object_ids: Iterable[str], bag_frame: BagFrame) -> Iterator[News]:
        for object_id in object_ids:
            self._change.forget(object_id)
            self._started.pop(object_id, None)
            if object_id in self._waiting:
                del self._waiting[object_id]
                self._drops.count(Drop.CLEARED)
            if self._store.remove(object_id):
                yield News(self.latest[object_id], bag_frame.recorded_ns, bag_frame.frame.stamp_ns)
