# SPDX-License-Identifier: Apache-2.0
"""rosbag2 files, sqlite3 and mcap, read and written without ROS."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from recon_node.engines.errors import InvalidInputError, OutputError, ReconstructionError
from recon_node.interface_files import interface_texts
from recon_node.messages.object_meshes import ADD, REMOVE, object_mesh_fields
from recon_node.messages.poses import quaternion_xyzw

if TYPE_CHECKING:
    from recon_node.bag_objects import News

OBJECTS_TOPIC = "/recon/objects"
STORAGES = {".db3": "sqlite3", ".mcap": "mcap"}

_RECOVER = {"sqlite3": "sqlite3 FILE.db3 .recover", "mcap": "mcap recover FILE.mcap"}
_OBJECT_MESH = "recon/msg/ObjectMesh"
_VERSION = 8  # of the format: what Iron and later read
_FOR_EVER = QosTime(2147483647, 4294967295)  # [s, ns] how ROS writes a time without end
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    100,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _FOR_EVER,
    _FOR_EVER,
    QosLiveliness.AUTOMATIC,
    _FOR_EVER,
    False,
)
_EMPTY_FIELDS = {
    "operation": ADD,
    "object_id": "",
    "label": 0,
    "version": 0,
    "parent_version": 0,
    "stage": 0,
    "pose": np.eye(4),
    "dimensions": np.zeros(3),
    "watertight": False,
    "scale_source": 0,
    "scale_sigma": 0.0,
    "vertex_count": 0,
    "triangle_count": 0,
    "vertices": np.zeros(0, np.float32),
    "triangles": np.zeros(0, np.uint32),
    "colors": np.zeros(0, np.uint8),
    "provenance": np.zeros(0, np.uint8),
    "sigma": np.zeros(0, np.float32),
    "engine": "",
    "view_count": 0,
    "latency_stages": [],
    "latency_ms": np.zeros(0, np.float32),
    "warnings": [],
    "mesh_uri": "",
}


class BagReadError(ReconstructionError):
    """A bag ends, or turns to nonsense, where a message was expected."""


def typestore_with_recon() -> Typestore:
    """The messages of ROS 2 Jazzy and those of recon, for rosbags."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for name, text in interface_texts().items():
        if "/msg/" in name:
            types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


@dataclass(frozen=True)
class BagTopic:
    """What a bag says about one topic.

    Attributes:
        name: With its leading slash.
        type: Such as "sensor_msgs/msg/Image".
        count: Number of messages.
    """

    name: str
    type: str
    count: int


@dataclass(frozen=True, eq=False)
class BagMessage:
    """One message of a bag.

    Attributes:
        topic: Its name.
        recorded_ns: When it was recorded [ns].
        message: As an object with the fields of its type; None where its bytes make no message.
    """

    topic: str
    recorded_ns: int
    message: object | None


class BagReader:
    """A recorded bag, for a `with`.

    Attributes:
        path: Of the folder or file that is read.
        storage: "sqlite3" or "mcap".
        topics: By name.
    """

    def __init__(self, path: Path) -> None:
        """Finds the bag.

        Args:
            path: The folder of a bag, or a .db3 or .mcap file of one.

        Raises:
            InvalidInputError: There is no bag.
        """
        self.path, self.storage = _find_bag(path)
        self.topics: dict[str, BagTopic] = {}
        self._store = typestore_with_recon()
        self._reader: Reader | None = None

    def __enter__(self) -> BagReader:
        """The bag, open.

        Raises:
            InvalidInputError: It cannot be opened.
        """
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as error:  # rosbags lets the errors of its storages through
            raise InvalidInputError(
                f"cannot open the bag {self.path}: {_told(error)}; if it was cut off, "
                f"`{_RECOVER[self.storage]}` may save what is left of it"
            ) from error
        for name, info in self._reader.topics.items():
            self.topics[name] = BagTopic(name, info.msgtype or "several types", info.msgcount)
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the bag."""
        self._reader.close()

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """The messages of some topics, in the order in which they were recorded.

        Raises:
            BagReadError: The bag is damaged; what came before is good.
        """
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        read, messages = 0, self._reader.messages(connections)
        while True:
            try:
                connection, recorded_ns, data = next(messages)
            except StopIteration:
                return
            except Exception as error:  # apsw, zstandard, struct, assertions of the mcap reader …
                raise BagReadError(
                    f"the bag {self.path} cannot be read beyond message {read}: {_told(error)}; "
                    "it is damaged or was cut off; what came before was used"
                ) from error
            read += 1
            yield BagMessage(connection.topic, recorded_ns, self._decoded(data, connection.msgtype))

    def _decoded(self, data: bytes, kind: str) -> object | None:
        try:
            return self._store.deserialize_cdr(data, kind)
        except Exception:  # of whatever the bytes provoke; the caller counts it
            return None


class ObjectBagWriter:
    """A bag of `recon/ObjectMesh`; made when the first is written, complete once closed.

    Attributes:
        mesh_count: How many meshes were written.
    """

    def __init__(self, path: Path, *, storage: str) -> None:
        """Checks the place.

        Args:
            path: Folder of the bag, which must not exist.
            storage: "sqlite3" or "mcap".

        Raises:
            OutputError: There is something already.
        """
        if path.exists():
            raise OutputError(f"{path} exists already; remove it, or choose another place with -o")
        self.mesh_count = 0
        self._path, self._storage = path, storage
        self._store = typestore_with_recon()
        self._writer: Writer | None = None
        self._connection = None

    def write(self, news: News) -> None:
        """Adds what became of an object: its new mesh, or that it is gone.

        Raises:
            OutputError: The bag cannot be written.
        """
        if news.removed_ns is None:
            self._write(object_mesh_fields(news.stored), news.recorded_ns)
            self.mesh_count += 1
            return
        gone = {
            "header": {"stamp_ns": news.removed_ns, "frame_id": news.stored.frame_id},
            "operation": REMOVE,
            "object_id": news.stored.result.object_id,
            "label": news.stored.label,
        }
        self._write(gone, news.recorded_ns)

    def close(self) -> None:
        """Completes the bag; nothing where nothing was written.

        Raises:
            OutputError: The bag cannot be written.
        """
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with self._told_errors():
                writer.close()

    def _write(self, fields: dict[str, object], recorded_ns: int) -> None:
        with self._told_errors():
            if self._writer is None:
                self._open()
            data = self._store.serialize_cdr(_message(self._store, fields), _OBJECT_MESH)
            self._writer.write(self._connection, recorded_ns, data)

    @contextmanager
    def _told_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise OutputError(
                f"cannot write {self._path}: {_told(error)}; choose another place with -o, or free "
                "this one"
            ) from error

    def _open(self) -> None:
        plugin = StoragePlugin[self._storage.upper()]
        self._writer = Writer(self._path, version=_VERSION, storage_plugin=plugin)
        self._writer.open()
        self._connection = self._writer.add_connection(
            OBJECTS_TOPIC, _OBJECT_MESH, typestore=self._store, offered_qos_profiles=[_LATCHED]
        )


def _message(store: Typestore, fields: dict[str, object]) -> object:
    """A `recon/ObjectMesh` of rosbags; what is not among the fields is zero or empty."""
    types = store.types
    fields = _EMPTY_FIELDS | fields
    header, size = fields.pop("header"), fields.pop("dimensions")
    T_frame_object = fields.pop("pose")
    seconds, nanoseconds = divmod(header["stamp_ns"], 1_000_000_000)
    time = types["builtin_interfaces/msg/Time"](seconds, nanoseconds)
    position = types["geometry_msgs/msg/Point"](*T_frame_object[:3, 3].tolist())
    q_xyzw = quaternion_xyzw(T_frame_object[:3, :3]).tolist()
    orientation = types["geometry_msgs/msg/Quaternion"](*q_xyzw)
    return types[_OBJECT_MESH](
        header=types["std_msgs/msg/Header"](time, header["frame_id"]),
        pose=types["geometry_msgs/msg/Pose"](position, orientation),
        dimensions=types["geometry_msgs/msg/Vector3"](*size.tolist()),
        **fields,
    )


def _find_bag(path: Path) -> tuple[Path, str]:
    """The folder, or the one file of a folder without metadata, and its storage."""
    if not path.exists():
        raise InvalidInputError(f"there is no bag {path}; check the path")
    if path.is_file():
        if path.suffix not in STORAGES:
            raise InvalidInputError(
                f"{path} is no bag; give the folder of a rosbag2 bag, or its .db3 or .mcap file"
            )
        return path, STORAGES[path.suffix]
    files = sorted(file for file in path.iterdir() if file.suffix in STORAGES)
    compressed = sorted(path.glob("*.zstd"))
    if not files and not compressed:
        raise InvalidInputError(
            f"{path} is no bag: it holds neither .db3 nor .mcap; give the folder that holds "
            "metadata.yaml"
        )
    storage = STORAGES[files[0].suffix if files else compressed[0].with_suffix("").suffix]
    if (path / "metadata.yaml").exists():
        return path, storage
    if len(files) == 1:  # recording was killed: metadata.yaml is written last
        return files[0], storage
    raise InvalidInputError(
        f"{path} has no metadata.yaml and several files; name one of them, or run "
        "`ros2 bag reindex`"
    )


def _told(error: Exception) -> str:
    """What an error of another package says, or at least its kind."""
    return str(error) or type(error).__name__
