# SPDX-License-Identifier: Apache-2.0
"""The tree of frames that /tf and /tf_static of a bag describe, at a stamp."""

from __future__ import annotations

import bisect

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.interpolation import interpolate
from recon_node.engines.transforms import invert
from recon_node.messages.poses import rigid_transform
from recon_node.messages.stamps import stamp_ns

JUMP_NS = 1_000_000_000  # back in time that starts anew
KEPT_NS = 30_000_000_000  # of each moving frame; longer than any frame waits for its transform


class _Edge:
    """Where a frame was in its parent; `T_parent_frame` is made when asked for."""

    def __init__(self, parent: str, *, is_static: bool) -> None:
        self.parent = parent
        self.is_static = is_static
        self.stamps: list[int] = []
        self._transforms: list[object] = []  # geometry_msgs/Transform

    def add(self, stamp: int, transform: object) -> None:
        if self.is_static:
            self.stamps, self._transforms = [stamp], [transform]
            return
        place = bisect.bisect_left(self.stamps, stamp)
        if place < len(self.stamps) and self.stamps[place] == stamp:
            self._transforms[place] = transform
            return
        self.stamps.insert(place, stamp)
        self._transforms.insert(place, transform)
        old = bisect.bisect_left(self.stamps, self.stamps[-1] - KEPT_NS)
        del self.stamps[:old], self._transforms[:old]

    def at(self, stamp: int) -> np.ndarray | None:
        """`T_parent_frame` (4, 4) [m]; None before the first and after the last transform."""
        if self.is_static:
            return self._matrix(0)
        place = bisect.bisect_left(self.stamps, stamp)
        if place == len(self.stamps):
            return None
        if self.stamps[place] == stamp:
            return self._matrix(place)
        if place == 0:
            return None
        before, after = self.stamps[place - 1 : place + 1]
        share = (stamp - before) / (after - before)
        return interpolate(self._matrix(place - 1), self._matrix(place), share)

    def _matrix(self, place: int) -> np.ndarray:
        t, q = self._transforms[place].translation, self._transforms[place].rotation
        return rigid_transform((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))


class TransformBuffer:
    """Transforms between frames, as tf2 gives them: interpolated, never extrapolated.

    Where the stamps of a frame jump back by more than a second, as in a bag that starts over,
    everything that moves is forgotten.
    """

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def add(self, message: object, *, is_static: bool) -> None:
        """Takes over the transforms of a tf2_msgs/TFMessage.

        Args:
            message: From /tf or /tf_static.
            is_static: From /tf_static: its transforms hold at all times.
        """
        for item in message.transforms:
            parent, frame = _plain(item.header.frame_id), _plain(item.child_frame_id)
            stamp, edge = stamp_ns(item.header), self._edges.get(frame)
            if edge is not None and not (edge.is_static or is_static):
                if stamp < edge.stamps[-1] - JUMP_NS:
                    self._edges = {name: e for name, e in self._edges.items() if e.is_static}
                    edge = None
            if edge is None or edge.parent != parent or edge.is_static != is_static:
                edge = self._edges[frame] = _Edge(parent, is_static=is_static)
            edge.add(stamp, item.transform)

    def frames(self) -> list[str]:
        """The frames there are, sorted."""
        return sorted({*self._edges, *(edge.parent for edge in self._edges.values())})

    def lookup(self, target: str, source: str, stamp: int) -> np.ndarray | None:
        """`T_target_source` f64 (4, 4) [m] at a stamp; None where it is not known (yet).

        Args:
            target: Frame to map to.
            source: Frame to map from.
            stamp: When [ns].

        Raises:
            InvalidInputError: A transform on the way has no rotation.
        """
        ways = self._ways(_plain(target), _plain(source))
        if ways is None:
            return None
        T_common_target, T_common_source = (self._along(way, stamp) for way in ways)
        if T_common_target is None or T_common_source is None:
            return None
        return invert(T_common_target) @ T_common_source

    def explain(self, target: str, source: str, stamp: int) -> str:
        """Why `lookup` found nothing, for people."""
        target, source = _plain(target), _plain(source)
        frames = self.frames()
        for frame in (target, source):
            if frame not in frames:
                known = ", ".join(frames) or "none"
                return f"there is no frame {frame!r} in /tf and /tf_static; frames: {known}"
        ways = self._ways(target, source)
        if ways is None:
            return (
                f"{target!r} and {source!r} are not connected: their roots are "
                f"{self._root(target)!r} and {self._root(source)!r}"
            )
        for frame in (*ways[0], *ways[1]):
            edge = self._edges[frame]
            if edge.at(stamp) is None:
                return (
                    f"the transform from {frame!r} to {edge.parent!r} is known from "
                    f"{edge.stamps[0] / 1e9:.3f} to {edge.stamps[-1] / 1e9:.3f} s, but not at "
                    f"{stamp / 1e9:.3f} s"
                )
        return "it is known"

    def _ways(self, target: str, source: str) -> tuple[list[str], list[str]] | None:
        """The frames from both up to, but without, their nearest common ancestor."""
        above_target, above_source = self._ancestors(target), self._ancestors(source)
        common = next((frame for frame in above_source if frame in above_target), None)
        if common is None:
            return None
        return (
            above_target[: above_target.index(common)],
            above_source[: above_source.index(common)],
        )

    def _ancestors(self, frame: str) -> list[str]:
        """The frame and those above it, up to the root; a ring is walked once."""
        above = [frame]
        while (edge := self._edges.get(above[-1])) is not None and edge.parent not in above:
            above.append(edge.parent)
        return above

    def _root(self, frame: str) -> str:
        return self._ancestors(frame)[-1]

    def _along(self, way: list[str], stamp: int) -> np.ndarray | None:
        """`T_top_bottom` over the frames of a way, bottom first."""
        T_top_bottom = np.eye(4)
        for frame in way:
            T_parent_frame = self._edges[frame].at(stamp)
            if T_parent_frame is None:
                return None
            T_top_bottom = T_parent_frame @ T_top_bottom
        return T_top_bottom


def _plain(frame: str) -> str:
    """A frame without the leading slash of tf1."""
    name = frame.removeprefix("/")
    if not name:
        raise InvalidInputError("a transform has an empty frame_id; check what publishes /tf")
    return name
