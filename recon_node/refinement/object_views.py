# SPDX-License-Identifier: Apache-2.0
"""What was seen of all objects, for those who refine them; asked from every thread."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.keyframes.buffer import KeyframeConfig
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import invert
from recon_node.refinement.object_watch import ObjectWatch, Place
from recon_node.streams.frame import Frame
from recon_node.streams.object_store import StoredObject


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of an object; replaced as a whole, so that every thread may read it.

    Attributes:
        frame_id: Of the results.
        is_posed: Whether cameras have poses in it.
        keyframes: The views.
        fresh: How many of them came since they were last taken.
        is_settled: Whether the newest mesh shows the object where the keyframes do.
        T_anchor_camera: f64 (4, 4) [m], of the newest view that shows it where the others do, and
        stamp_ns: when that was [ns].
        trouble: Why the last view was of no use, or empty.
    """

    frame_id: str = ""
    is_posed: bool = True
    keyframes: tuple[Keyframe, ...] = ()
    fresh: int = 0
    is_settled: bool = True
    T_anchor_camera: np.ndarray = field(default_factory=lambda: np.eye(4))
    stamp_ns: int = 0
    trouble: str = ""


class ObjectViews:
    """The keyframes of all objects.

    Views are offered from one thread, that of the engine; everything else may be asked by any.

    Args:
        config: How many keyframes of an object are kept.
        objects: With keyframes at most; the one not seen for longest loses its own.
        is_kept: See the attribute.

    Attributes:
        config: May be replaced at any time.
        is_kept: Whether views are kept at all; may be changed at any time.
    """

    def __init__(self, config: KeyframeConfig, *, objects: int, is_kept: bool) -> None:
        self.config, self.is_kept = config, is_kept
        self._object_count = objects
        self._lock = threading.Lock()
        self._age = 0  # grows when something is forgotten
        self._seen: dict[str, _Seen] = {}  # the object seen last comes last
        self._watches: dict[str, ObjectWatch] = {}

    def offer(
        self, object_id: str, frame: Frame, view: View, result: Reconstruction | None = None
    ) -> Place:
        """Where a view shows an object, after it was kept where it is worth it.

        Args:
            object_id: Of what.
            frame: Whose view it is.
            view: Of the whole picture, its camera in the output frame.
            result: The instant result of the view, in the output frame, where there is one.
        """
        if not self.is_kept:
            return Place.SAME
        with self._lock:
            before, age = self._seen.get(object_id), self._age
            self._watches = {key: self._watches[key] for key in self._seen}
        is_posed = frame.output_frame != frame.frame_id
        seen = before
        if before is None or before.frame_id != frame.output_frame:
            seen = _Seen(frame.output_frame, is_posed)
            self._watches[object_id] = ObjectWatch(self.config, is_posed=is_posed)
        watch = self._watches[object_id]
        place, is_new = watch.offer(view, result, self.config)
        if seen is not before and before is not None:
            place = Place.MOVED  # into another frame
        seen = dataclasses.replace(
            seen,
            keyframes=watch.keyframes,
            fresh=len(watch.keyframes) if place is Place.MOVED else seen.fresh + is_new,
            is_settled=seen.is_settled and place is not Place.MOVED,
            trouble=watch.trouble,
        )
        if place is not Place.UNSURE:
            seen = dataclasses.replace(
                seen, T_anchor_camera=watch.T_anchor_camera, stamp_ns=view.stamp_ns
            )
        self._keep(object_id, seen, age)
        return place

    def settle(self, object_id: str) -> None:
        """Says that the newest mesh shows the object where its keyframes do."""
        with self._lock:
            if object_id in self._seen:
                self._seen[object_id] = dataclasses.replace(self._seen[object_id], is_settled=True)

    def is_settled(self, object_id: str) -> bool:
        """Whether the newest mesh shows the object where its keyframes do."""
        return self._of(object_id).is_settled

    def count(self, object_id: str) -> int:
        """How many keyframes an object has."""
        return len(self._of(object_id).keyframes)

    def why_none(self, object_id: str) -> str:
        """Why an object has no keyframe."""
        return self._of(object_id).trouble or "no view of it was kept; let the camera see it again"

    def fresh(self, fewest: int) -> dict[str, int]:
        """The new keyframes of the objects that have any, and so many keyframes in all."""
        with self._lock:
            return {
                object_id: seen.fresh
                for object_id, seen in self._seen.items()
                if seen.fresh and len(seen.keyframes) >= fewest
            }

    def take(
        self, object_id: str, newest: StoredObject
    ) -> tuple[tuple[Keyframe, ...], Reconstruction]:
        """The keyframes of an object, none of them new from now on, and what to improve.

        Args:
            object_id: Of what.
            newest: Its newest version.

        Raises:
            InvalidInputError: It has none; it was forgotten.
        """
        with self._lock:
            seen = self._seen.get(object_id)
            if seen is None or not seen.keyframes:
                raise InvalidInputError(f"{object_id} has no keyframes any more")
            self._seen[object_id] = dataclasses.replace(seen, fresh=0)
            model = self._watches[object_id].model
        start = newest.result
        if not seen.is_posed and model is not None:
            start = dataclasses.replace(model, version=start.version, parent_version=None)
        return seen.keyframes, start

    def refresh(self, object_id: str) -> None:
        """Takes all keyframes of an object for new: the turn that took them was cut short."""
        with self._lock:
            seen = self._seen.get(object_id)
            if seen is not None:
                fresh = len(seen.keyframes)
                self._seen[object_id] = dataclasses.replace(seen, fresh=fresh)

    def placed(self, result: Reconstruction) -> tuple[Reconstruction, int]:
        """A refined result in the frame of the results, and the stamp that it is true at [ns].

        That of the newest view that shows the object where the others do. Cameras without a pose
        are placed by this mesh from now on.

        Args:
            result: In the frame of the keyframes.
        """
        with self._lock:
            seen = self._seen.get(result.object_id, _Seen())
            if result.object_id in self._watches:
                self._watches[result.object_id].model = result
        return _in_output(seen, result), seen.stamp_ns

    def followed(self, newest: Reconstruction) -> Reconstruction | None:
        """A refined mesh where the last view showed it; None where results stay in their place.

        Args:
            newest: The newest version.
        """
        seen, model = self._of(newest.object_id), self._watches[newest.object_id].model
        if seen.is_posed or model is None:
            return None
        model = dataclasses.replace(model, version=newest.version + 1, metrics={})
        return dataclasses.replace(_in_output(seen, model), parent_version=newest.version)

    def forget(self, object_id: str) -> None:
        """Forgets an object."""
        with self._lock:
            self._age += 1
            self._seen.pop(object_id, None)

    def clear(self) -> None:
        """Forgets all objects."""
        with self._lock:
            self._age += 1
            self._seen.clear()

    def _of(self, object_id: str) -> _Seen:
        with self._lock:
            return self._seen.get(object_id, _Seen())

    def _keep(self, object_id: str, seen: _Seen, age: int) -> None:
        """Replaces what is known of an object, unless objects were forgotten meanwhile."""
        with self._lock:
            if age != self._age:
                return
            self._seen.pop(object_id, None)
            self._seen[object_id] = seen
            while len(self._seen) > self._object_count:
                del self._seen[next(iter(self._seen))]


def _in_output(seen: _Seen, result: Reconstruction) -> Reconstruction:
    """A result of the anchor in the frame of the results."""
    if seen.is_posed:
        return result
    T_output_object = invert(seen.T_anchor_camera) @ result.T_world_object
    return dataclasses.replace(result, T_world_object=T_output_object)
