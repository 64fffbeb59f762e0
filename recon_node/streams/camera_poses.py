# SPDX-License-Identifier: Apache-2.0
"""Where the camera was at a stamp, from a stream of its poses."""

import bisect

import numpy as np

from recon_node.engines.interpolation import interpolate

GAP_NS = 500_000_000  # between two poses that are interpolated at most
JUMP_NS = 1_000_000_000  # back in time that starts anew
_SIZE = 2000  # 10 s at 200 Hz


class PoseBuffer:
    """The latest poses of one camera."""

    def __init__(self, slop: float = 0.02) -> None:
        """Starts empty.

        Args:
            slop: How far from a stamp a pose may lie that none follows or precedes [s].
        """
        self._slop_ns = round(slop * 1e9)
        self._stamps: list[int] = []
        self._poses: list[tuple[str, np.ndarray]] = []

    def __len__(self) -> int:
        """How many poses are kept."""
        return len(self._stamps)

    def add(self, stamp_ns: int, frame_id: str, T_frame_camera: np.ndarray) -> None:
        """Keeps a pose; one more than a second before the newest starts anew, as a bag loop does.

        Args:
            stamp_ns: When the camera was there [ns].
            frame_id: The frame.
            T_frame_camera: f64 (4, 4) rigid [m].
        """
        if self._stamps and stamp_ns < self._stamps[-1] - JUMP_NS:
            self._stamps.clear()
            self._poses.clear()
        place = bisect.bisect_left(self._stamps, stamp_ns)
        pose = (frame_id, T_frame_camera)
        if place < len(self._stamps) and self._stamps[place] == stamp_ns:
            self._poses[place] = pose
            return
        self._stamps.insert(place, stamp_ns)
        self._poses.insert(place, pose)
        if len(self._stamps) > _SIZE:
            del self._stamps[0], self._poses[0]

    def lookup(self, stamp_ns: int, *, final: bool = True) -> tuple[str, np.ndarray] | None:
        """Frame and `T_frame_camera` f64 (4, 4) [m] at a stamp; None where no pose is near enough.

        Between two poses at most half a second apart the camera moves evenly from one to the
        other. Elsewhere the nearest pose counts, within the slop.

        Args:
            stamp_ns: When [ns].
            final: Whether nobody waits for a better answer. If not, a stamp after the newest pose
                has none yet: the next pose will tell, where holding the last one would be off by
                the motion since.
        """
        place = bisect.bisect_left(self._stamps, stamp_ns)
        if 0 < place < len(self._stamps) and self._stamps[place] != stamp_ns:
            (before, after), (first, second) = (
                self._stamps[place - 1 : place + 1],
                self._poses[place - 1 : place + 1],
            )
            if after - before <= GAP_NS and first[0] == second[0]:
                share = (stamp_ns - before) / (after - before)
                return first[0], interpolate(first[1], second[1], share)
        around = range(max(place - 1, 0), min(place + 1, len(self._stamps)))
        if not final and place == len(self._stamps):
            return None
        nearest = min(around, key=lambda i: abs(self._stamps[i] - stamp_ns), default=None)
        if nearest is None or abs(self._stamps[nearest] - stamp_ns) > self._slop_ns:
            return None
        return self._poses[nearest]
