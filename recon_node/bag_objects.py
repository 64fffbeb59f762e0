# SPDX-License-Identifier: Apache-2.0
"""The objects of a bag's frames: what the node's worker would have made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from recon_node.bag_frames import BagFrame
from recon_node.engines.errors import ReconstructionError
from recon_node.engines.keyframes.buffer import KeyframeConfig
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Engine, Reconstruction
from recon_node.reconstructor import Reconstructor
from recon_node.refinement.object_views import ObjectViews
from recon_node.streams.change import ChangeConfig, ChangeDetector
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.identity import ObjectTracker, TrackingConfig
from recon_node.streams.object_store import ObjectStore, StoredObject

# Keyframes and a start to a better version, or None; may raise ReconstructionError.
Refine = Callable[[tuple[Keyframe, ...], Reconstruction], Reconstruction | None]


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

    The node refines when there is time; here an object is refined once, over all its keyframes,
    when it is given up or the frames are at their end.

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
        keyframes: KeyframeConfig,
        refine: Refine | None,
    ) -> None:
        """Starts without objects.

        Args:
            engine: Makes the meshes.
            tracking: How objects are followed.
            change: When an object counts as changed.
            min_interval: Shortest time between the stamps of two runs for one object [s].
            drops: Counts what leads to no mesh.
            keyframes: How many an object has.
            refine: Improves an object; None leaves all as they are.
        """
        self.latest: dict[str, StoredObject] = {}
        self.faults: dict[Drop, str] = {}
        self._change = ChangeDetector(change)
        self._store = ObjectStore()
        self._views = ObjectViews(
            keyframes,
            objects=tracking.max_objects,
            is_kept=refine is not None,
        )
        self._refine = refine
        self._reconstructor = Reconstructor(
            engine,
            self._change,
            self._store,
            views=self._views,
            moved=lambda object_id: None,
            is_refining=lambda object_id: False,
            view_share=math.inf,
        )
        self._tracker = ObjectTracker(tracking, drops)
        self._min_interval_ns = round(min_interval * 1e9)
        self._drops = drops
        self._waiting: dict[str, tuple[BagFrame, int]] = {}  # frame and value, by id
        self._recorded: dict[str, int] = {}  # when the newest frame of an object was recorded [ns]
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
        """What the frames bring that still wait for their interval to pass, and refining."""
        for object_id in list(self._waiting):
            yield from self._reconstructed(object_id)
        for object_id in self._store.ids():
            yield from self._refined(object_id)

    def _reconstructed(self, object_id: str) -> Iterator[News]:
        bag_frame, value = self._waiting.pop(object_id)
        frame = bag_frame.frame
        self._recorded[object_id] = bag_frame.recorded_ns
        try:
            result = self._reconstructor.reconstruct(frame, value, object_id)
        except ReconstructionError as error:
            self._drops.count(Drop.BAD_INPUT)
            self.faults[Drop.BAD_INPUT] = f"{object_id}: {error}"
            return
        if isinstance(result, Drop):
            self._drops.count(result)
            return
        stored = self._store.accept(
            result, stamp_ns=frame.stamp_ns, frame_id=frame.output_frame, label=value
        )
        self._reconstructor.remember(frame, value, object_id)
        self._reconstructor.keep_view()
        self.latest[object_id] = stored
        yield News(stored, bag_frame.recorded_ns)

    def _refined(self, object_id: str) -> Iterator[News]:
        """The better version of an object, made of all its keyframes, which it then loses."""
        if not self._views.count(object_id):
            return
        start = self._store.get(object_id)
        result = None
        try:
            result = self._refine(*self._views.take(object_id, start))
        except ReconstructionError as error:
            self._drops.count(Drop.ENGINE_ERROR)
            self.faults[Drop.ENGINE_ERROR] = f"{object_id} is not refined: {error}"
        if result is not None:
            placed, stamp_ns = self._views.placed(result)
            stored = self.latest[object_id] = self._store.accept(
                placed, stamp_ns=stamp_ns, frame_id=start.frame_id, label=start.label
            )
            yield News(stored, self._recorded[object_id])
        self._views.forget(object_id)

    def _removed(self, object_ids: Iterable[str], bag_frame: BagFrame) -> Iterator[News]:
        for object_id in object_ids:
            yield from self._refined(object_id)
            self._change.forget(object_id)
            self._started.pop(object_id, None)
            if object_id in self._waiting:
                del self._waiting[object_id]
                self._drops.count(Drop.CLEARED)
            if self._store.remove(object_id):
                yield News(self.latest[object_id], bag_frame.recorded_ns, bag_frame.frame.stamp_ns)
