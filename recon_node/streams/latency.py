# SPDX-License-Identifier: Apache-2.0
"""How long the stages of the work took lately."""

import threading
from collections import deque
from collections.abc import Mapping

import numpy as np

PERCENTILES = (50, 90, 99)


class LatencyWindow:
    """The last durations of every stage, from any thread."""

    def __init__(self, size: int = 200) -> None:
        """Starts empty.

        Args:
            size: How many durations of a stage are kept.
        """
        self._size = size
        self._lock = threading.Lock()
        self._seconds: dict[str, deque[float]] = {}

    def add(self, seconds_by_stage: Mapping[str, float]) -> None:
        """Adds one duration [s] to each of the stages named."""
        with self._lock:
            for stage, seconds in seconds_by_stage.items():
                self._seconds.setdefault(stage, deque(maxlen=self._size)).append(seconds)

    def stages(self) -> tuple[str, ...]:
        """The stages, in the order in which they were first added."""
        with self._lock:
            return tuple(self._seconds)

    def percentiles(self, stage: str) -> tuple[float, float, float]:
        """The 50th, 90th and 99th percentile of a stage [s]; NaN where nothing was added to it."""
        with self._lock:
            seconds = tuple(self._seconds.get(stage, (np.nan,)))
        p50, p90, p99 = np.percentile(seconds, PERCENTILES).tolist()
        return p50, p90, p99
