# SPDX-License-Identifier: Apache-2.0
"""What was seen of each object: keyframes, and whether it is still where they show it."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from enum import Enum

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.keyframes.agreement import agree
from recon_node.engines.keyframes.buffer import KeyframeBuffer, KeyframeConfig, Outcome, Verdict
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.engines.keyframes.quality import Refusal
from recon_node.engines.reconstruction import Reconstruction
from recon_node.streams.object_store import StoredObject


class Place(Enum):
    """What a view tells about the place of an object."""

    SAME = "same"  # it is where its keyframes show it, or there are none yet
    MOVED = "moved"  # it is elsewhere; the keyframes begin anew with this view
    UNSURE = "unsure"  # the view is of no use, or it is the first that shows it elsewhere


_MOST_ODD = 2  # views in a row that show the object elsewhere: it is elsewhere


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of an object; replaced as a whole, so that every thread may read it.

    Attributes:
        keyframes: The views.
        fresh: How many of them came since they were last taken.
        is_settled: Whether the newest mesh shows the object where the keyframes do.
        stamp_ns: Of the newest view that shows it there [ns].
        trouble: Why the last view was of no use, or empty.
        odd: Views in a row that are of no use and show the object elsewhere.
    """

    keyframes: tuple[Keyframe, ...] = ()
    fresh: int = 0
    is_settled: bool = True
    stamp_ns: int = 0
    trouble: str = ""
    odd: int = 0


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
        self._buffers: dict[str, KeyframeBuffer] = {}

    def offer(self, object_id: str, view: View, result: Reconstruction | None = None) -> Place:
        """Where a view shows an object, after it was kept where it is worth it.

        Args:
            object_id: Of what.
            view: Of the whole picture, its camera in the output frame.
            result: The instant result of the view, in the output frame, where there is one.
        """
        if not self.is_kept:
            return Place.SAME
        with self._lock:
            seen, age = self._seen.get(object_id), self._age
            self._buffers = {key: self._buffers[key] for key in self._seen}
        if seen is None:
            seen = _Seen()
            self._buffers[object_id] = KeyframeBuffer(self.config)
        buffer = self._buffers[object_id]
        buffer.config = self.config
        try:
            keyframe = make_keyframe(view, result)
        except ReconstructionError as error:
            self._keep(object_id, dataclasses.replace(seen, trouble=str(error)), age)
            return Place.UNSURE
        verdict = buffer.offer(keyframe)
        place = _place_of(verdict)
        odd = 0
        if place is Place.UNSURE and _shows_elsewhere(
            verdict, keyframe, seen.keyframes, self.config
        ):
            odd = seen.odd + 1
            if odd >= _MOST_ODD and verdict.refusal is not Refusal.DISAGREES:
                buffer.clear()
                place = Place.MOVED
        is_new = verdict.outcome in (Outcome.ACCEPTED, Outcome.REPLACED)
        news = _Seen(
            buffer.keyframes,
            len(buffer.keyframes) if place is Place.MOVED else seen.fresh + is_new,
            seen.is_settled and place is not Place.MOVED,
            view.stamp_ns if place is not Place.UNSURE else seen.stamp_ns,
            "" if verdict.refusal is None else f"the last view is {verdict.refusal.value}",
            odd,
        )
        self._keep(object_id, news, age)
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
        return seen.keyframes, newest.result

    def refresh(self, object_id: str) -> None:
        """Takes all keyframes of an object for new: the turn that took them was cut short."""
        with self._lock:
            seen = self._seen.get(object_id)
            if seen is not None:
                fresh = len(seen.keyframes)
                self._seen[object_id] = dataclasses.replace(seen, fresh=fresh)

    def placed(self, result: Reconstruction) -> tuple[Reconstruction, int]:
        """A refined result in the output frame, and the stamp of the newest view of it [ns]."""
        return result, self._of(result.object_id).stamp_ns

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


def _place_of(verdict: Verdict) -> Place:
    if verdict.outcome is Outcome.MOVED:
        return Place.MOVED
    if verdict.outcome is Outcome.REFUSED and verdict.refusal is not Refusal.REDUNDANT:
        return Place.UNSURE
    return Place.SAME


def _shows_elsewhere(
    verdict: Verdict, keyframe: Keyframe, others: tuple[Keyframe, ...], config: KeyframeConfig
) -> bool:
    """Whether a refused view contradicts the keyframes, as far as it can tell."""
    if verdict.refusal is Refusal.DISAGREES:
        return True
    return bool(others) and (
        agree(
            others[-1],
            keyframe,
            sigma_translation=config.pose_sigma_translation,
            sigma_rotation=float(np.radians(config.pose_sigma_rotation)),
        )
        is False
    )
