# SPDX-License-Identifier: Apache-2.0
"""Which object of a frame is which object of the frames before."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.option import check_options, option
from recon_node.messages.images import LabelImage
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.footprint import Footprint, footprints, label_counts

_MAX_AREA_RATIO = 2.0  # of two footprints that only their places join


@dataclass(frozen=True)
class TrackingConfig:
    """How objects get and keep their ids."""

    max_objects: int = option(
        32, "Objects of a frame that are used at most, the largest.", low=1, high=1000, live=True
    )
    persistent_labels: bool = option(
        True,
        "Whether a value of the mask always means the same object; if not, objects are followed by "
        "overlap and place.",
    )
    min_overlap: float = option(
        0.3,
        "Intersection over union at which two masks are one object, without persistent labels.",
        low=0.01,
        high=1.0,
        live=True,
    )
    max_age: float = option(
        10.0,
        "How long an object that is not seen is kept; 0 keeps it for ever [s].",
        low=0.0,
        high=86_400.0,
        live=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


class ObjectTracker:
    """Gives the objects of each frame their ids.

    With persistent labels the id is that of the value: 7 is "object_007". Else each object takes
    the id of the one whose last mask it overlaps most, or lies nearest to, one to one; what is
    left gets a new id. New ids count up and are never used again. Where the size of the mask
    changes, nothing overlaps.

    Attributes:
        config: May be replaced at any time; `persistent_labels` is read when made.
    """

    def __init__(self, config: TrackingConfig, drops: DropCounter) -> None:
        self.config = config
        self._drops = drops
        self._by_label = config.persistent_labels
        self._seen: dict[str, int] = {}  # when each object was last seen [ns]
        self._places: dict[str, Footprint] = {}  # where; without persistent labels
        self._next_number = 1

    def update(self, stamp_ns: int, labels: LabelImage) -> dict[int, str]:
        """The ids of a frame's objects by their values, ascending.

        Of more than `max_objects` the largest have one; the others are counted.

        Args:
            stamp_ns: Of the frame [ns].
            labels: Its objects.
        """
        values = self._largest(labels)
        if self._by_label:
            ids = {value: f"object_{value:03d}" for value in values}
        else:
            ids = self._follow(footprints(labels, values))
        for object_id in ids.values():
            self._seen[object_id] = stamp_ns
        return ids

    def expire(self, stamp_ns: int) -> list[str]:
        """The ids of the objects that were not seen for `max_age` at a stamp, now forgotten."""
        if not self.config.max_age:
            return []
        limit = stamp_ns - round(self.config.max_age * 1e9)
        expired = [object_id for object_id, seen in self._seen.items() if seen < limit]
        for object_id in expired:
            self.forget(object_id)
        return expired

    def forget(self, object_id: str) -> None:
        """Forgets an object; if it is seen again, it is a new one, but for persistent labels."""
        self._seen.pop(object_id, None)
        self._places.pop(object_id, None)

    def reset(self) -> list[str]:
        """The ids of all objects, now forgotten, as when the stamps jump back."""
        forgotten = list(self._seen)
        self._seen.clear()
        self._places.clear()
        return forgotten

    def _largest(self, labels: LabelImage) -> tuple[int, ...]:
        surplus = len(labels.values) - self.config.max_objects
        if surplus <= 0:
            return labels.values
        self._drops.count(Drop.TOO_MANY_OBJECTS, surplus)
        order = np.argsort(-label_counts(labels), kind="stable")
        return tuple(sorted(labels.values[i] for i in order[: self.config.max_objects]))

    def _follow(self, seen: dict[int, Footprint]) -> dict[int, str]:
        """Ids by value, from where the objects were last."""
        pairs = self._overlaps(seen)
        ids = _one_to_one(pairs)
        ids |= _one_to_one(self._neighbours(seen, ids))
        for value, footprint in seen.items():
            if value not in ids:
                ids[value] = f"object_{self._next_number:03d}"
                self._next_number += 1
            self._places[ids[value]] = footprint
        return {value: ids[value] for value in seen}

    def _overlaps(self, seen: dict[int, Footprint]) -> list[tuple[float, int, str]]:
        """Pairs that overlap enough: minus the intersection over union, value, id."""
        pairs = []
        for object_id, place in self._places.items():
            for value, footprint in seen.items():
                overlap = place.overlap(footprint)
                if overlap >= self.config.min_overlap:
                    pairs.append((-overlap, value, object_id))
        return pairs

    def _neighbours(
        self, seen: dict[int, Footprint], ids: dict[int, str]
    ) -> list[tuple[float, int, str]]:
        """Pairs of the rest that are near each other and of like size: distance, value, id."""
        taken = set(ids.values())
        pairs = []
        for object_id, place in self._places.items():
            if object_id in taken:
                continue
            for value, footprint in seen.items():
                if value in ids or place.area_ratio(footprint) > _MAX_AREA_RATIO:
                    continue
                distance = place.distance(footprint)
                if distance < place.diagonal / 2:
                    pairs.append((distance, value, object_id))
        return pairs


def _one_to_one(pairs: list[tuple[float, int, str]]) -> dict[int, str]:
    """Ids by value, of the pairs (cost, value, id), cheapest first, none twice."""
    ids: dict[int, str] = {}
    taken = set()
    for _, value, object_id in sorted(pairs):
        if value not in ids and object_id not in taken:
            ids[value] = object_id
            taken.add(object_id)
    return ids
