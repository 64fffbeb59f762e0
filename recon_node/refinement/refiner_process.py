# SPDX-License-Identifier: Apache-2.0
"""The node's end of the process that refines: started when first needed, and again when it died."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe

from recon_node.engines.errors import ReconstructionError
from recon_node.engines.reconstruction import Reconstruction
from recon_node.refinement.orders import Cancel, Ended, Order, Pace, Report
from recon_node.refinement.process import GRACE

COMMAND = (sys.executable, "-P", "-m", "recon_node.refinement.process")
TICK = 0.05  # [s] after which a cancellation is passed on at the latest
STEP_LIMIT = 30.0  # [s] that a step may go on after it was cancelled


class RefinerDiedError(ReconstructionError):
    """The process that refines ended in the middle of an order."""


class RefinerProcess:
    """Runs orders in another process. To be used from one thread.

    Args:
        command: Of the process; the number of its end of the connection is added.
    """

    def __init__(self, command: Sequence[str] = COMMAND):
        self._command = command
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, or None where none was needed yet."""
        return None if self._process is None else self._process.pid

    def run(
        self,
        order: Order,
        *,
        on_report: Callable[[Report], None],
        on_version: Callable[[Reconstruction], None],
        cancelled: Callable[[], bool],
        pace: Callable[[], Pace],
    ) -> Ended:
        """How an order ended, after it did.

        Args:
            order: What to do.
            on_report: Gets how far it is, a few times a second.
            on_version: Gets what is better than all before.
            cancelled: Whether to end after the step that runs; asked every `TICK`.
            pace: Whether to make steps for now; asked every `TICK`.

        Raises:
            RefinerDiedError: The process ended; the next order starts another one.
        """
        connection = self._started()
        try:
            connection.send(order)
            ended = self._pump(connection, order, on_report, on_version, cancelled, pace)
        except (EOFError, OSError) as error:
            raise RefinerDiedError(self._obituary()) from error
        if ended.is_bug:
            self.close(timeout=0.0)  # who knows what state it is in
        return ended

    def close(self, *, timeout: float) -> None:
        """Ends the process; an order that runs keeps its checkpoint.

        Args:
            timeout: How long to wait for its end [s]; then it is killed.
        """
        process, self._process = self._process, None
        if process is None:
            return
        self._connection.close()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _started(self) -> Connection:
        if self._process is not None and self._process.poll() is not None:
            self.close(timeout=0.0)  # it died between two orders
        if self._process is None:
            self._connection, theirs = Pipe()
            with theirs:
                self._process = subprocess.Popen(
                    [*self._command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    # No session of its own: Linux shares the processor between sessions first, and
                    # what is nice in its own would still take as much as the node.
                    pass_fds=[theirs.fileno()],
                )
        return self._connection

    def _pump(
        self,
        connection: Connection,
        order: Order,
        on_report: Callable[[Report], None],
        on_version: Callable[[Reconstruction], None],
        cancelled: Callable[[], bool],
        pace: Callable[[], Pace],
    ) -> Ended:
        deadline, told = None, Pace.GO
        while True:
            if deadline is None and cancelled():
                connection.send(Cancel(order.number))
                deadline = time.monotonic() + STEP_LIMIT
            if (wished := pace()) is not told:
                connection.send(wished)
                told = wished
            if deadline is not None and time.monotonic() > deadline:
                self._process.kill()
            if not connection.poll(TICK):
                continue
            news = connection.recv()
            if isinstance(news, Report):
                on_report(news)
            elif isinstance(news, Reconstruction):
                on_version(news)
            else:
                return news

    def _obituary(self) -> str:
        """How the process ended, which it has; it is reaped."""
        process, self._process = self._process, None
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        if process.returncode is None:
            process.kill()
            process.wait()
        if process.returncode < 0:
            told = f"by {signal.Signals(-process.returncode).name}"
            if process.returncode == -signal.SIGKILL:
                told += " (out of memory? see dmesg)"
        else:
            told = f"with exit code {process.returncode}; its last words are in the node's stderr"
        return f"the process that refines ended {told}; the next refinement starts another one"
