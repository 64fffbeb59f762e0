# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C as a request to finish well: the first is noted, the second interrupts."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_logger = logging.getLogger(__name__)


@contextmanager
def noted_interruption() -> Iterator[Callable[[], bool]]:
    """What tells whether Ctrl-C was pressed while the block runs; for the main thread only."""
    is_pressed = False

    def note(number: int, frame: object) -> None:
        nonlocal is_pressed
        if is_pressed:
            raise KeyboardInterrupt
        is_pressed = True
        _logger.warning(
            "interrupted: the best mesh so far is written; Ctrl-C again stops without it"
        )

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: is_pressed
    finally:
        signal.signal(signal.SIGINT, before)
