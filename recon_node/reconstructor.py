# SPDX-License-Identifier: Apache-2.0
"""From an object in a frame to its reconstruction: the same steps for the node and for bags."""

import dataclasses
import time
from collections.abc import Callable

from recon_node.engines.camera import View
from recon_node.engines.reconstruction import Engine, Reconstruction, Stage
from recon_node.ladder import reconstruct_or_hull
from recon_node.refinement.object_views import ObjectViews
from recon_node.refinement.object_watch import Place
from recon_node.streams.change import ChangeDetector
from recon_node.streams.drops import Drop
from recon_node.streams.frame import Frame
from recon_node.streams.object_store import ObjectStore


class Reconstructor:
    """Reconstructs what has changed, and keeps the views that a refinement can use.

    A refined mesh is replaced by one of a single view only where the object has moved, or where
    somebody asked for it.

    Args:
        engine: Makes the meshes; the hull takes over where it cannot.
        change: Remembers what each object looked like.
        store: Has the newest version of every object.
        views: Gets the views.
        moved: Called with the id of an object that has moved.
        is_refining: Whether an object is refined now: its views are then looked at before their
            results are accepted, so that nothing is published of a place that it has left.
        view_share: Of the time, that looking at all other views may take.
    """

    def __init__(
        self,
        engine: Engine,
        change: ChangeDetector,
        store: ObjectStore,
        *,
        views: ObjectViews,
        moved: Callable[[str], None],
        is_refining: Callable[[str], bool],
        view_share: float,
    ):
        self.engine, self.change = engine, change
        self._store, self._views, self._moved = store, views, moved
        self._is_refining, self._view_share = is_refining, view_share
        self._unkept: dict[str, tuple[Frame, int, Reconstruction]] = {}
        self._rest_until = 0.0

    def reconstruct(
        self, frame: Frame, value: int, object_id: str, *, always: bool = False
    ) -> Reconstruction | Drop:
        """The object's reconstruction, or why there is no need for one.

        Args:
            frame: What was seen.
            value: The object's value in the frame's labels.
            object_id: Its name.
            always: Reconstruct even what has not changed, and what is refined.

        Raises:
            ReconstructionError: The frame cannot be used.
        """
        started = time.perf_counter()
        view = frame.view(value)
        if not (always or self.change.is_new(object_id, view)):
            return Drop.UNCHANGED
        is_kept = not always and self._is_refined(object_id)
        if is_kept:
            place = self._offer(object_id, frame, view)
            if place is not Place.MOVED:
                return self._refined(object_id, view, place)
        converted = time.perf_counter()
        result = reconstruct_or_hull(self.engine, view, object_id=object_id)
        metrics = {"convert_s": converted - started, **result.metrics}
        result = dataclasses.replace(result, metrics=metrics)
        if self._is_refining(object_id) or not self._views.count(object_id):
            self._offer(object_id, frame, view, result)  # the first has nothing to compare with
        elif not is_kept:
            self._unkept[object_id] = frame, value, result
        return result

    def remember(self, frame: Frame, value: int, object_id: str) -> None:
        """Makes a frame the one that later ones are compared with: its result was accepted."""
        self.change.remember(object_id, frame.view(value))
        self._views.settle(object_id)

    def is_in_place(self, object_id: str) -> bool:
        """Whether the object has not moved since its newest mesh, as far as its views tell."""
        return self._views.is_kept and self._views.is_settled(object_id)

    def time_to_keep(self) -> float | None:
        """How long the next view still has to wait [s]; None where there is none."""
        return max(self._rest_until - time.monotonic(), 0.0) if self._unkept else None

    def keep_view(self) -> None:
        """Looks at the view that waited longest, the newest of its object, if it is time for it.

        It may take as long as a tenth of a second, so it is for the time after a result was
        published, and only for a share of it.
        """
        if self.time_to_keep() != 0.0:
            return
        began = time.monotonic()
        object_id = next(iter(self._unkept))
        frame, value, result = self._unkept.pop(object_id)
        if object_id in self._store.ids():
            self._offer(object_id, frame, frame.view(value), result)
            self._views.settle(object_id)
        self._rest_until = began + (time.monotonic() - began) / self._view_share

    def _is_refined(self, object_id: str) -> bool:
        if not self._views.is_kept or object_id not in self._store.ids():
            return False
        return self._store.get(object_id).result.stage is Stage.REFINED

    def _refined(self, object_id: str, view: View, place: Place) -> Reconstruction | Drop:
        """What becomes of a view of an object that is refined and has not moved.

        Where results stay in their place, nothing; else the same mesh, where the view shows it.
        """
        if place is not Place.SAME:
            return Drop.REFINED
        followed = self._views.followed(self._store.get(object_id).result)
        if followed is None:
            self.change.remember(object_id, view)
        return Drop.REFINED if followed is None else followed

    def _offer(
        self, object_id: str, frame: Frame, view: View, result: Reconstruction | None = None
    ) -> Place:
        place = self._views.offer(object_id, frame, view, result)
        if place is Place.MOVED:
            self._moved(object_id)
        return place
