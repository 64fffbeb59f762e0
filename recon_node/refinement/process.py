# SPDX-License-Identifier: Apache-2.0
"""The process that refines: takes orders from the node, one at a time, and ends when the node does.

A process, not a thread: Warp on the CPU must not run in two threads of Python at a time, torch and
its memory stay out of the node, and the scheduler can be told to let the node go first.
"""

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from recon_node.engines.errors import OutputError, ReconstructionError, require_package
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.kernels.warp_start import start_warp
from recon_node.refinement.orders import Cancel, Ended, Order, Pace, Report
from recon_node.refinement.pacer import Pacer

REPORT_PERIOD = 0.2  # [s] between two reports; those between are left out
GRACE = 10.0  # [s] that a step and its checkpoint may take after the node is gone
# Beside an engine that never rests it has 6 per cent of a core: what the engine may lose. As idle
# work (SCHED_IDLE) it would have 0.3, and would not even load torch.
NICENESS = 12
_FIRST_TO_GO = "1000"  # of oom_score_adj: where memory is short this process ends, not the node

Refine = Callable[..., object]  # recon_node.engines.refine.refine.refine

_logger = logging.getLogger(__name__)


class Line:
    """What the node says, heard in a thread of its own, so that it is heard between steps.

    Args:
        connection: To the node; when it closes, everything is cancelled.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._cancelled = 0.0
        self._pacer = Pacer()
        threading.Thread(target=self._listen, name="recon-line", daemon=True).start()

    def orders(self) -> Iterator[Order]:
        """The orders as they come, until the node is gone."""
        while (order := self._orders.get()) is not None:
            yield order

    def is_cancelled(self, order: Order) -> bool:
        """Whether nobody wants the order any more."""
        return order.number <= self._cancelled

    def is_paused(self) -> bool:
        """Whether no step is to be made now; to be asked before every step."""
        return self._pacer.is_paused()

    def tell(self, news: object) -> None:
        """Sends news, which is lost where the node is gone."""
        with contextlib.suppress(OSError):
            self._connection.send(news)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                said = self._connection.recv()
                if isinstance(said, Cancel):
                    self._cancelled = max(self._cancelled, said.number)
                elif isinstance(said, Pace):
                    self._pacer.pace = said
                else:
                    self._pacer.pace = Pace.GO
                    self._orders.put(said)
        self._cancelled, self._pacer.pace = float("inf"), Pace.GO
        self._orders.put(None)
        time.sleep(GRACE)
        os._exit(1)


def serve(connection: Connection, load: Callable[[], Refine]) -> None:
    """Returns when the node is gone, and with it what it had ordered.

    Args:
        connection: To the node.
        load: Gives what refines; called for every order, because it may say what is missing.
    """
    line = Line(connection)
    for order in line.orders():
        try:
            ended = _perform(order, line, load())
        except ReconstructionError as error:
            ended = Ended(str(error), is_error=True)
        except Exception as error:
            _logger.exception("a refinement failed")
            message = f"internal error: {type(error).__name__}: {error}"
            ended = Ended(message, is_error=True, is_bug=True)
        line.tell(ended)


def _perform(order: Order, line: Line, refine: Refine) -> Ended:
    told = -REPORT_PERIOD
    newest = None

    def on_version(version: Reconstruction) -> None:
        nonlocal newest
        newest = version
        line.tell(version)

    def on_progress(progress: object) -> None:
        nonlocal told
        if (now := time.monotonic()) >= told + REPORT_PERIOD:
            told = now
            line.tell(_report(progress, order.config))

    if order.checkpoint is not None:
        _make_folder(order.checkpoint.parent)
    outcome = refine(
        order.keyframes,
        order.start,
        order.config,
        on_progress=on_progress,
        on_version=on_version,
        cancelled=lambda: line.is_cancelled(order),
        paused=line.is_paused,
        checkpoint=order.checkpoint,
    )
    if outcome.result is not None and outcome.result is not newest:
        line.tell(outcome.result)
    return Ended(outcome.message, outcome.steps, outcome.seconds)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make {folder} for checkpoints: {error.strerror}; set the parameter "
            "refine.checkpoint_directory to another folder, or to '' to keep none"
        ) from error


def _report(progress: object, config: RefineConfig) -> Report:
    """What `on_progress` of the refiner is given, as it is told."""
    spent = progress.elapsed_s / progress.budget_s if progress.budget_s > 0 else 0.0
    made = progress.step / config.steps if config.steps else 0.0
    return Report(
        progress.step,
        progress.elapsed_s,
        progress.budget_s,
        min(max(spent, made), 1.0),
        {name: float(loss) for name, loss in progress.losses.items()},
        float(progress.psnr),
    )


def give_way() -> None:
    """Lets everything else on the machine go first: the processor, and memory where it is short."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)


def load_refine() -> Refine:
    """The refiner.

    Raises:
        MissingPackageError: There is no torch here.
    """
    torch = require_package("torch", extra="torch")
    torch.set_num_threads(1)
    start_warp()
    from recon_node.engines.refine.refine import refine

    return refine


def main(descriptor: str, load: Callable[[], Refine] = load_refine) -> None:
    """Serves the node at the other end of a connection, then ends the process.

    At once, as the node does itself: libraries may not be unloaded while threads are in them.

    Args:
        descriptor: Number of the open file of the connection.
        load: See `serve`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the node, which closes the connection
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    give_way()
    serve(Connection(int(descriptor)), load)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
