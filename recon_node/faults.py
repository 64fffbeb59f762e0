# SPDX-License-Identifier: Apache-2.0
"""What went wrong last: logged, but not at the camera's rate, and kept for diagnostics."""

import threading
import time
from dataclasses import dataclass

from rclpy.node import Node

QUIET = 5.0  # [s] for which the same sentence is not logged again
_SENTENCES = 100  # remembered


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong.

    Attributes:
        text: What, why, and what to do.
        stamp_ns: When, in the node's clock [ns].
    """

    text: str
    stamp_ns: int


class FaultLog:
    """Records faults, from any thread.

    Args:
        node: Whose logger and clock to use.
    """

    def __init__(self, node: Node):
        self._node = node
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self.last: Fault | None = None

    def record(self, text: str) -> None:
        """Keeps the fault, and logs it unless the same one was logged a moment ago."""
        text = " ".join(text.split())
        now = time.monotonic()
        with self._lock:
            self.last = Fault(text, self._node.get_clock().now().nanoseconds)
            is_fresh = now - self._logged.get(text, -QUIET) >= QUIET
            if is_fresh:
                self._logged[text] = now
            while len(self._logged) > _SENTENCES:
                del self._logged[next(iter(self._logged))]
        if is_fresh:
            self._node.get_logger().error(text)
