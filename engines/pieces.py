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

    def ask(
        self, answer: Callable[[slice], np.ndarray], count: int, channels: tuple[int, ...] = ()
    ) -> np.ndarray:
        """The answers for all points, f32 (count, *channels).

        Each goes into its place at once. Kept until all are there, they lie between the memory that
        a network frees, and glibc before 2.38 finds no use for it again: 540 MB for one surface.

        Args:
            answer: Of the points in a slice of them all, (N, *channels).
            count: Number of points.
            channels: Shape of one point's answer.
        """
        share = -(-count // self._concurrency)
        size = min(max(share, SMALLEST_PIECE), self._largest)
        pieces = [slice(start, start + size) for start in range(0, count, size)]
        answers = np.empty((count, *channels), np.float32)

        def place(piece: slice) -> None:
            answers[piece] = answer(piece)

        started = map(place, pieces) if len(pieces) < 2 else self._threads.map(place, pieces)
        list(started)  # waits, and raises what a piece raised
        return answers
