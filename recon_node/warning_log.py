# SPDX-License-Identifier: Apache-2.0
"""Warnings at the command line: shown once each on stderr, and collected for the result."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

ROOT_LOGGER = "recon_node"


class StderrHandler(logging.StreamHandler):
    """Prints each record as one `recon: level: message` line, the same warning only once."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("recon: %(levelname)s: %(message)s"))
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Prints the record unless it is a warning shown before."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING and message in self._shown:
            return
        self._shown.add(message)
        record.levelname = record.levelname.lower()
        super().emit(record)


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
