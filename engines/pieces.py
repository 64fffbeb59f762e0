# SPDX-License-Identifier: Apache-2.0
"""Many points answered in pieces, on as many threads as whoever answers them likes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SMALLEST_PIECE = 512  # below it a call costs more than its points


class Pieces:
    """Cuts points into pieces and asks for the answers.

    Args:
        concurrency: Threads to ask from.
        largest: Points asked at once; what a network makes of them should stay in a core's cache.
    """

    def __init__(self, *, concurrency: int, largest: int):
        self._concurrency = concurrency
        self._largest = largest
        self._threads = ThreadPoolExecutor(concurrency)

    def ask(self, answer: Callable[[slice], np.ndarray], count: int) -> list[np.ndarray]:
        """The answers for all pieces in order, at least one.

        Args:
            answer: Of the points in a slice of them all.
            count: Number of points.
        """
        share = -(-count // self._concurrency)
        size = min(max(share, SMALLEST_PIECE), self._largest)
        pieces = [slice(start, start + size) for start in range(0, max(count, 1), size)]
        return list(map(answer, pieces) if len(pieces) < 2 else self._threads.map(answer, pieces))
