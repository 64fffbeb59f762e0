# SPDX-License-Identifier: Apache-2.0
"""Which topic of a bag plays which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon_node.engines.errors import InvalidInputError

if TYPE_CHECKING:
    from recon_node.bag_files import BagReader

TF, TF_STATIC = "/tf", "/tf_static"

_IMAGE = "sensor_msgs/msg/Image"
_TYPES = {
    "image": (_IMAGE, "sensor_msgs/msg/CompressedImage"),
    "mask": (_IMAGE,),
    "depth": (_IMAGE,),
    "camera_info": ("sensor_msgs/msg/CameraInfo",),
    "camera_pose": ("geometry_msgs/msg/PoseStamped",),
}
_REQUIRED = ("image", "mask", "camera_info")
_ENCODINGS = {  # what the pixels of a raw image are for, where nothing else tells
    "image": ("rgb8", "bgr8", "rgba8", "bgra8", "8UC3", "8UC4"),
    "mask": ("mono8", "8UC1", "mono16", "32SC1"),
    "depth": ("16UC1", "32FC1"),
}


@dataclass(frozen=True)
class BagTopics:
    """Names of topics; None where there is none.

    Attributes:
        image: sensor_msgs Image or CompressedImage.
        mask: sensor_msgs/Image.
        camera_info: sensor_msgs/CameraInfo.
        depth: sensor_msgs/Image.
        camera_pose: geometry_msgs/PoseStamped.
    """

    image: str
    mask: str
    camera_info: str
    depth: str | None = None
    camera_pose: str | None = None


def choose_topics(reader: BagReader, asked: Mapping[str, str | None]) -> BagTopics:
    """The topics that were asked for, and the obvious ones for the rest.

    A topic is obvious when its name is that of the part (`/mask`, or one `/…/mask`), when it is
    the camera_info beside the image, or when it is the only one of its type. Raw images also
    count by their encoding: colour is an image, gray a mask, 16UC1 and 32FC1 depth; a raw image
    goes before its compressed twin. A camera_pose goes by its name only.

    Args:
        reader: The bag, open.
        asked: Topic by part, or None where it was left open; without "depth", none is used.

    Raises:
        InvalidInputError: A topic that was asked for, or one that is needed, is not there.
    """
    chosen = {part: _asked(reader, part, topic) for part, topic in asked.items() if topic}
    for part in asked:
        if part not in chosen:
            named = _by_name(reader, part, taken=chosen.values())
            if named is not None:
                chosen[part] = named
    for part in asked:
        if part not in chosen and part != "camera_pose":
            only = _by_kind(reader, part, chosen)
            if only is not None:
                chosen[part] = only
    for part in _REQUIRED:
        if part not in chosen:
            raise InvalidInputError(
                f"the bag {reader.path} has no topic {part!r}, and no other stands out; name one "
                f"with --{part.replace('_', '-')}. {_listing(reader)}"
            )
    return BagTopics(**chosen)


def _asked(reader: BagReader, part: str, topic: str) -> str:
    """The topic under its full name, after its type was checked."""
    name = topic if topic in reader.topics or topic.startswith("/") else f"/{topic}"
    option = f"--{part.replace('_', '-')}"
    if name not in reader.topics:
        raise InvalidInputError(
            f"the bag {reader.path} has no topic {name!r} ({option}). {_listing(reader)}"
        )
    kind = reader.topics[name].type
    if kind not in _TYPES[part]:
        raise InvalidInputError(
            f"{option} {name} is a {kind}, but must be a {' or '.join(_TYPES[part])}. "
            f"{_listing(reader)}"
        )
    return name


def _candidates(reader: BagReader, part: str) -> list[str]:
    return [t.name for t in reader.topics.values() if t.type in _TYPES[part] and t.count]


def _by_name(reader: BagReader, part: str, *, taken: object) -> str | None:
    free = [name for name in _candidates(reader, part) if name not in taken]
    named = [name for name in free if f"/{name}".endswith(f"/{part}")]
    exact = [name for name in named if name.removeprefix("/") == part]
    return exact[0] if exact else named[0] if len(named) == 1 else None


def _by_kind(reader: BagReader, part: str, chosen: Mapping[str, str]) -> str | None:
    free = [name for name in _candidates(reader, part) if name not in chosen.values()]
    if part == "camera_info" and "image" in chosen:
        folder = chosen["image"].removesuffix("/compressed").rpartition("/")[0]
        if f"{folder}/camera_info" in free:
            return f"{folder}/camera_info"
    if part in _ENCODINGS:
        free = [name for name in free if _fits(reader, part, name)]
        raw = {name for name in free if not name.endswith("/compressed")}
        free = [name for name in free if name in raw or name.removesuffix("/compressed") not in raw]
    return free[0] if len(free) == 1 else None


def _fits(reader: BagReader, part: str, topic: str) -> bool:
    """Whether the first message of a topic is what the part needs."""
    first = next(reader.messages([topic])).message
    if hasattr(first, "encoding"):
        return first.encoding in _ENCODINGS[part]
    return "compressedDepth" not in getattr(first, "format", "")


def _listing(reader: BagReader) -> str:
    topics = sorted(reader.topics.values(), key=lambda topic: topic.name)
    listed = ", ".join(f"{topic.name} ({topic.type}, {topic.count})" for topic in topics)
    return f"Its topics: {listed or 'none'}"
