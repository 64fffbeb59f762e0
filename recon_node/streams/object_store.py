# SPDX-License-Identifier: Apache-2.0
"""The newest result of every object, numbered."""

import dataclasses
import threading
from dataclasses import dataclass

from recon_node.engines.errors import UnknownNameError
from recon_node.engines.reconstruction import Reconstruction, Stage


@dataclass(frozen=True, eq=False)
class StoredObject:
    """A result, and where and when it is from.

    Attributes:
        result: With the version that the store gave it; `T_world_object` maps to `frame_id`.
        stamp_ns: Of the image it was made from [ns].
        frame_id: The output frame.
        label: Value of the object in the mask of that stamp.
        mesh_uri: file:// of the mesh as GLB, or empty.
    """

    result: Reconstruction
    stamp_ns: int
    frame_id: str
    label: int
    mesh_uri: str = ""


class ObjectStore:
    """Objects by id, from any thread.

    The versions of an id grow by one from 1, also over `remove`, so that a reader who missed the
    removal never takes an older mesh for a newer one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, StoredObject] = {}
        self._versions: dict[str, int] = {}

    def accept(
        self,
        result: Reconstruction,
        *,
        stamp_ns: int,
        frame_id: str,
        label: int,
        keep_refined: bool = False,
    ) -> StoredObject | None:
        """The result as stored, with the next version of its id; None where it was not taken.

        Args:
            result: Its version is replaced; its parent is kept where it was refined from one.
            stamp_ns: Of the image it was made from [ns].
            frame_id: Frame that its `T_world_object` maps to.
            label: Value of the object in the mask of that stamp.
            keep_refined: Do not take a result of a single view in place of a refined one, which
                may have come while that was made.

        Raises:
            InvalidInputError: Its parent is not an earlier version.
        """
        with self._lock:
            there = self._objects.get(result.object_id)
            is_refined = there is not None and there.result.stage is Stage.REFINED
            if keep_refined and is_refined and result.stage is not Stage.REFINED:
                return None
            version = self._versions.get(result.object_id, 0) + 1
            parent = result.parent_version if result.stage is Stage.REFINED else None
            result = dataclasses.replace(result, version=version, parent_version=parent)
            stored = StoredObject(result, stamp_ns, frame_id, label)
            self._versions[result.object_id] = version
            self._objects[result.object_id] = stored
        return stored

    def get(self, object_id: str) -> StoredObject:
        """The newest result of an object.

        Raises:
            UnknownNameError: There is none.
        """
        with self._lock:
            stored = self._objects.get(object_id)
            if stored is None:
                raise UnknownNameError("object", object_id, self._objects)
        return stored

    def ids(self) -> list[str]:
        """The ids of the objects, in the order in which they were first stored."""
        with self._lock:
            return list(self._objects)

    def all(self) -> list[StoredObject]:
        """The objects, in the order in which they were first stored."""
        with self._lock:
            return list(self._objects.values())

    def remove(self, object_id: str) -> bool:
        """Whether the object was there; it is gone now."""
        with self._lock:
            return self._objects.pop(object_id, None) is not None
