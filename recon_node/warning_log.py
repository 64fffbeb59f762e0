# SPDX-License-Identifier: Apache-2.0
"""Warnings at the command line: shown once each on stderr, and collected for the result."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

ROOT_LOGGER = "recon_node"


class StderrHandler(logging.Handler):
    """Prints each record as one `recon: level: message` line, the same warning only once.

    Args:
        with_tracebacks: Print the traceback of a record that has one below it.
    """

    def __init__(self, *, with_tracebacks: bool = False) -> None:
        super().__init__()
        self._with_tracebacks = with_tracebacks
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Prints the record unless it is a warning shown before."""
        message = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING and message in self._shown:
            return
        self._shown.add(message)
        # sys.stderr is looked up now: a progress bar puts its own there to stay below the lines
        print(f"recon: {record.levelname.lower()}: {message}", file=sys.stderr)
        if self._with_tracebacks and record.exc_info:
            traceback.print_exception(*record.exc_info, file=sys.stderr)


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """A list that fills with the warnings logged by recon while the block runs."""
    collector = _Collector()
    logger = logging.getLogger(ROOT_LOGGER)
    logger.addHandler(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)
