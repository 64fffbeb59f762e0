# SPDX-License-Identifier: Apache-2.0
"""One backend serves while another one is made ready, and then hands over to it."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from recon_node.engines.backends.backend import Backend
from recon_node.engines.errors import ReconstructionError

_logger = logging.getLogger(__name__)


class Preparation(Protocol):
    """Work that goes on elsewhere.

    Attributes:
        progress: From 0 to 1.
        fault: Why it failed, or empty.
        is_over: Whether it has ended.
    """

    progress: float
    fault: str

    @property
    def is_over(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is over, after waiting for it [s]."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class HandoverBackend:
    """Serves with what is there until what was asked for is ready, then with that for good.

    Args:
        present: Serves meanwhile, and for good where the preparation fails.
        preparation: What is waited for.
        successor: Makes the backend asked for; called once, when the preparation is over.
        wanted: Name of that backend.
    """

    def __init__(
        self,
        present: Backend,
        preparation: Preparation,
        successor: Callable[[], Backend],
        *,
        wanted: str,
    ):
        self._serving, self._successor, self._wanted = present, successor, wanted
        self._preparation: Preparation | None = preparation
        self._fault = ""
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Of the backend that serves."""
        return self._serving.name

    @property
    def concurrency(self) -> int:
        """Of the backend that serves."""
        return self._serving.concurrency

    @property
    def status(self) -> str:
        """What serves, and what for."""
        preparation = self._preparation
        if preparation is not None:
            done = f"{100 * preparation.progress:.0f} % of its plan is built"
            return f"{self._serving.status} until {self._wanted} is ready, {done}"
        if self._fault:
            return f"{self._serving.status} instead of {self._wanted}: {self._fault}"
        return self._serving.status

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        if self._preparation is not None and self._preparation.is_over:
            self._hand_over()
        return self._serving.run(inputs, outputs)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the preparation is over, after waiting for it [s]."""
        preparation = self._preparation
        return preparation is None or preparation.wait(timeout)

    def close(self) -> None:
        """Ends the preparation; what serves now goes on serving."""
        with self._lock:
            if self._preparation is not None:
                self._preparation.close()

    def _hand_over(self) -> None:
        with self._lock:
            if self._preparation is None:  # another thread was first
                return
            self._fault = self._preparation.fault
            if not self._fault:
                try:
                    self._serving = self._successor()
                except ReconstructionError as error:
                    self._fault = str(error)
            self._preparation = None
        if self._fault:
            _logger.error("%s is not used: %s", self._wanted, self._fault)
        else:
            _logger.warning("%s serves from now on", self._wanted)
