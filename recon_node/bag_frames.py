# SPDX-License-Identifier: Apache-2.0
"""The frames of a recorded bag: what the node's subscriptions would have made of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recon_node.bag_files import BagReadError
from recon_node.bag_topics import TF, TF_STATIC, BagTopics
from recon_node.bag_transforms import TransformBuffer
from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.messages.images import check_color_encoding
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns
from recon_node.streams.camera_poses import PoseBuffer
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.frame import Frame
from recon_node.streams.frame_join import FrameJoin, JoinConfig, Joined

if TYPE_CHECKING:
    from recon_node.bag_files import BagMessage, BagReader

PATIENCE_NS = 1_000_000_000  # of the recording, that a frame waits for its camera pose
_WAITING_FRAMES = 40  # at most, meanwhile


@dataclass(frozen=True, eq=False)
class BagFrame:
    """A frame and where it stands in the bag.

    Attributes:
        frame: Its parts.
        recorded_ns: When the last of its messages was recorded [ns].
        loop: How often the stamps had jumped back before it.
    """

    frame: Frame
    recorded_ns: int
    loop: int


class BagFrames:
    """Frames of a bag, joined and placed as the node does it.

    Two things are looked up ahead, because a recording may begin without them: the static
    transforms, and the first camera_info.

    Attributes:
        images: How many images were read.
        frames: How many frames were made.
        faults: The last thing that went wrong, by reason.
        missing: What the join still waited for at the end; empty where nothing.
    """

    def __init__(
        self,
        reader: BagReader,
        topics: BagTopics,
        *,
        join: JoinConfig,
        world_frame: str,
        drops: DropCounter,
    ) -> None:
        """Looks up what is needed ahead.

        Args:
            reader: The bag, open.
            topics: The topics to read.
            join: How messages are joined.
            world_frame: Frame of the results through /tf; empty: that of camera_pose, or the
                camera's own.
            drops: Counts what leads to no frame.

        Raises:
            BagReadError: The bag is damaged.
        """
        self.images = self.frames = 0
        self.faults: dict[Drop, str] = {}
        self.missing = ""
        self._reader, self._topics = reader, topics
        self._world_frame, self._drops = world_frame, drops
        self._join = FrameJoin(join, drops)
        self._join.require_depth(topics.depth is not None)
        self._poses, self._transforms = PoseBuffer(), TransformBuffer()
        self._waiting: deque[tuple[Joined, int, int]] = deque()
        first = next(reader.messages([topics.camera_info]), None)
        self._camera_info = None if first is None else first.message
        self._streams = {topics.image: "image", topics.mask: "mask"}
        if topics.depth is not None:
            self._streams[topics.depth] = "depth"
        self.topics = {*self._streams, topics.camera_info}
        if world_frame:
            for message in reader.messages([TF_STATIC]):
                self._guarded(self._add_transforms, message)
            self.topics.add(TF)
        elif topics.camera_pose is not None:
            self.topics.add(topics.camera_pose)

    def read(self, tick: Callable[[], None]) -> Iterator[BagFrame]:
        """The frames, in the order of the recording.

        Args:
            tick: Called after every message.

        Raises:
            BagReadError: The bag is damaged; the frames before are good.
        """
        damage = None
        try:
            for message in self._reader.messages(self.topics):
                self._guarded(self._take, message)
                yield from self._placed(message.recorded_ns)
                tick()
        except BagReadError as error:
            damage = error
        self.missing = self._join.waiting_for()
        self._join.finish()
        yield from self._placed(math.inf)
        if damage is not None:
            raise damage

    def _guarded(self, take: Callable[[BagMessage], None], message: BagMessage) -> None:
        """Takes a message, or counts it as bad input."""
        if message.message is None:
            self._fault(Drop.BAD_INPUT, f"a message of {message.topic} cannot be decoded")
            return
        try:
            take(message)
        except ReconstructionError as error:
            self._fault(Drop.BAD_INPUT, f"{message.topic}: {error}")

    def _take(self, message: BagMessage) -> None:
        content = message.message
        stream = self._streams.get(message.topic)
        if stream is not None:
            self._add(stream, content, message.recorded_ns)
        elif message.topic == self._topics.camera_info:
            self._camera_info = content
        elif message.topic == TF:
            self._add_transforms(message)
        else:
            frame_id, T_frame_camera = content.header.frame_id, transform_of(content.pose)
            self._poses.add(stamp_ns(content.header), frame_id, T_frame_camera)

    def _add_transforms(self, message: BagMessage) -> None:
        self._transforms.add(message.message, is_static=message.topic == TF_STATIC)

    def _add(self, stream: str, content: object, recorded_ns: int) -> None:
        if stream == "image":
            self.images += 1
            if hasattr(content, "encoding"):
                check_color_encoding(content)
        joined = self._join.add(stream, stamp_ns(content.header), content)
        if joined is None:
            return
        if self._camera_info is None:
            text = f"{self._topics.camera_info} has no message that can be used"
            self._fault(Drop.NO_CAMERA_INFO, text)
            return
        self._waiting.append((joined, recorded_ns, self._join.jumps))
        if len(self._waiting) > _WAITING_FRAMES:
            self._give_up(self._waiting.popleft()[0])

    def _placed(self, now_ns: float) -> Iterator[BagFrame]:
        """The frames that wait, in order, as far as their camera pose is known by now."""
        while self._waiting:
            joined, recorded_ns, loop = self._waiting[0]
            try:
                is_late = now_ns >= recorded_ns + PATIENCE_NS
                place = self._camera_place(joined, final=is_late)
                if place is None and not is_late:
                    return
                frame = None if place is None else Frame.of(joined, self._camera_info, *place)
            except ReconstructionError as error:
                self._fault(Drop.BAD_INPUT, str(error))
                self._waiting.popleft()
                continue
            self._waiting.popleft()
            if frame is None:
                self._give_up(joined)
                continue
            self.frames += 1
            yield BagFrame(frame, recorded_ns, loop)

    def _camera_place(self, joined: Joined, *, final: bool) -> tuple[str, np.ndarray] | None:
        """Output frame and T_output_camera of a set; None where it is not known (yet)."""
        frame_id = joined.messages["image"].header.frame_id
        if self._world_frame:
            if not frame_id:
                raise InvalidInputError(
                    "an image has no frame_id, so /tf cannot place it; leave --world-frame out, or "
                    "set the frame in the camera's driver"
                )
            T = self._transforms.lookup(self._world_frame, frame_id, joined.stamp_ns)
            return None if T is None else (self._world_frame, T)
        if self._topics.camera_pose is not None:
            return self._poses.lookup(joined.stamp_ns, final=final)
        return frame_id, np.eye(4)

    def _give_up(self, joined: Joined) -> None:
        frame_id = joined.messages["image"].header.frame_id
        if self._world_frame:
            why = self._transforms.explain(self._world_frame, frame_id, joined.stamp_ns)
        else:
            stamp = f"{joined.stamp_ns / 1e9:.3f} s"
            why = f"{self._topics.camera_pose} has none within reach of the stamp {stamp}"
        self._fault(Drop.NO_CAMERA_POSE, f"no camera pose of an image: {why}")

    def _fault(self, reason: Drop, text: str) -> None:
        self._drops.count(reason)
        self.faults[reason] = text
