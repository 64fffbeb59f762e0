# SPDX-License-Identifier: Apache-2.0
"""Why something that arrived led to no mesh, and how often."""

import threading
from collections import Counter
from enum import Enum


class Drop(Enum):
    """The reasons; the values are the names in `Status.drop_reasons`."""

    IMAGE_UNMATCHED = "image_unmatched"  # no mask (or depth, where it is required) of its stamp
    MASK_UNMATCHED = "mask_unmatched"
    DEPTH_UNMATCHED = "depth_unmatched"
    OUT_OF_ORDER = "out_of_order"  # older than a frame that was already used
    TIME_JUMP = "time_jump"  # waited when the stamps jumped back
    NO_CAMERA_INFO = "no_camera_info"
    NO_CAMERA_POSE = "no_camera_pose"  # neither TF nor camera_pose had it in time
    BAD_INPUT = "bad_input"  # encoding, size or content cannot be used; last_error says what
    SUPERSEDED = "superseded"  # a newer frame of the object came before the worker was free
    UNCHANGED = "unchanged"  # the object looks as it did at its last mesh
    REFINED = "refined"  # a refined mesh stays, because the object has not moved
    TOO_MANY_OBJECTS = "too_many_objects"  # beyond max_objects, the smallest ones
    ENGINE_ERROR = "engine_error"  # no rung of the ladder made a mesh
    DEACTIVATED = "deactivated"  # waited, or was in work, when the node was deactivated
    CLEARED = "cleared"  # waited when its object was cleared


class DropCounter:
    """Counts by reason, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Drop] = Counter()

    def count(self, reason: Drop, number: int = 1) -> None:
        """Adds to a reason."""
        with self._lock:
            self._counts[reason] += number

    def counts(self) -> dict[str, int]:
        """What was counted, by name of the reason, every reason in the order of `Drop`."""
        with self._lock:
            return {reason.value: self._counts[reason] for reason in Drop}
