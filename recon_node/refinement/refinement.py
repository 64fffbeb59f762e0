# SPDX-License-Identifier: Apache-2.0
"""The background of the node: one object at a time is refined, and its better versions stored."""

import dataclasses
import itertools
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from recon_node.engines.errors import InvalidInputError, ReconstructionError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.refinement.object_views import ObjectViews
from recon_node.refinement.orders import Ended, Order, Pace, Report
from recon_node.refinement.process import GRACE
from recon_node.refinement.refinement_config import RefinementConfig, RefineMode
from recon_node.refinement.refiner_process import RefinerProcess
from recon_node.refinement.turns import FEWEST, News, Request, Turn, next_turn
from recon_node.streams.object_store import ObjectStore, StoredObject

_logger = logging.getLogger(__name__)


class Refinement:
    """Gives objects their turns with the process that refines, from a thread of its own.

    A request ends a turn that nobody asked for, and waits for one that somebody did. An object
    that moves begins anew from where it is seen then.

    Args:
        config: What is refined when.
        refine: How; a request may have another budget.
        views: The keyframes.
        store: Gets the versions.
        process: Refines.
        pace: Whether steps are to be made now.
        expect: Readies a mesh for what may be asked of it, in the thread, before it is stored.
        prepare: Makes the messages of new versions, in the thread.
        fault: Gets what went wrong, in the thread.
        notify: Called when `news` has more, but not after `close`.
    """

    def __init__(
        self,
        config: RefinementConfig,
        refine: RefineConfig,
        *,
        views: ObjectViews,
        store: ObjectStore,
        process: RefinerProcess,
        pace: Callable[[], Pace],
        expect: Callable[[Mesh], None],
        prepare: Callable[[Sequence[StoredObject]], list[object]],
        fault: Callable[[str], None],
        notify: Callable[[], None],
    ):
        self._config, self._refine = config, refine
        self._views, self._store, self._process = views, store, process
        self._pace = pace
        self._expect, self._prepare, self._fault, self._notify = expect, prepare, fault, notify
        self._changed = threading.Condition(threading.RLock())
        self._is_active = self._is_closed = False
        self._requests: list[Request] = []
        self._current: Turn | None = None
        self._turns: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._news: deque[News] = deque()
        self._thread = threading.Thread(target=self._run, name="recon-refinement", daemon=True)
        self._thread.start()

    @property
    def mode(self) -> RefineMode:
        """When objects are refined."""
        return RefineMode(self._config.mode)

    def request(self, object_id: str, budget_s: float) -> Request:
        """The request that refines an object; the one there is where somebody asked before.

        Args:
            object_id: Of what.
            budget_s: Time to spend [s]; 0: as configured. That of an earlier request stays.

        Raises:
            ReconstructionError: It cannot be refined now; the message says why.
        """
        if self.mode is RefineMode.OFF:
            raise InvalidInputError(
                "refining is off: set the parameter refine.mode to on_request or continuous"
            )
        if not self._is_active:
            raise InvalidInputError("the node is not active; activate it first")
        self._store.get(object_id)  # raises where there is none
        if not self._views.count(object_id):
            raise InvalidInputError(
                f"{object_id} has no keyframe yet: {self._views.why_none(object_id)}"
            )
        if budget_s:
            dataclasses.replace(self._refine, budget=budget_s)  # raises where it is out of range
        with self._changed:
            if (there := self._find(object_id)) is not None:
                return there
            request = Request(object_id, budget_s)
            self._requests.append(request)
            if self._current is not None and self._current.request is None:
                self._current.stopped = "a request goes first"
            self._changed.notify_all()
        return request

    def withdraw(self, request: Request) -> None:
        """Ends a request that nobody waits for any more; its end is news as any other."""
        with self._changed:
            if request in self._requests:
                self._requests.remove(request)
                self._tell(News(request, ended=Ended("cancelled before its turn came")))
            elif self._current is not None and self._current.request is request:
                self._current.stopped, self._current.again = "cancelled", False

    def restart(self, object_id: str) -> None:
        """Begins an object's turn anew, because it has moved."""
        with self._changed:
            if self._current is not None and self._current.object_id == object_id:
                self._current.stopped, self._current.again = f"{object_id} has moved", True

    def is_refining(self, object_id: str) -> bool:
        """Whether it is the object's turn."""
        turn = self._current
        return turn is not None and turn.object_id == object_id

    def wake(self) -> None:
        """Looks whether there is something to do, because there may be new keyframes."""
        with self._changed:
            self._changed.notify_all()

    def interrupt(self, why: str, object_ids: Collection[str] | None = None) -> None:
        """Ends the turns and requests of objects, or all, for good; no version comes after it."""
        with self._changed:
            for request in list(self._requests):
                if object_ids is None or request.object_id in object_ids:
                    self._requests.remove(request)
                    self._tell(News(request, ended=Ended(why, is_error=True)))
            current = self._current
            if current is not None and (object_ids is None or current.object_id in object_ids):
                current.stopped, current.again = why, False

    def activate(self) -> None:
        """Begins to take turns."""
        with self._changed:
            self._is_active = True
            self._changed.notify_all()

    def deactivate(self) -> None:
        """Ends what runs and what waits."""
        with self._changed:
            self._is_active = False
            self.interrupt("the node was deactivated")

    def reconfigure(self, config: RefinementConfig, refine: RefineConfig) -> None:
        """Takes over live parameters, from the next turn on."""
        with self._changed:
            self._config, self._refine = config, refine
            if self.mode is RefineMode.OFF:
                self.interrupt("refining was turned off")
            self._changed.notify_all()

    def news(self) -> list[News]:
        """What has happened since the last call, in order."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def current(self) -> tuple[Turn | None, int]:
        """The turn that runs, and how many requests wait."""
        with self._changed:
            return self._current, len(self._requests)

    def stop(self) -> None:
        """Begins to end everything; a turn that runs keeps its state on disk."""
        with self._changed:
            self._is_closed = True
            self.interrupt("the node ends")
            self._changed.notify_all()

    def close(self, *, timeout: float) -> bool:
        """Whether the process has ended in time; if not, it does after the step that it is at."""
        self.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _find(self, object_id: str) -> Request | None:
        current = self._current
        goes_on = current is not None and (current.again or not current.stopped)
        for request in (*([current.request] if goes_on else []), *self._requests):
            if request is not None and request.object_id == object_id:
                return request
        return None

    def _run(self) -> None:
        while (turn := self._take()) is not None:
            try:
                ended = self._perform(turn)
            except ReconstructionError as error:
                ended = Ended(str(error), is_error=True)
            except Exception as error:  # a bug must not end the thread: nothing would come after
                _logger.exception("a refinement failed")
                ended = Ended(f"internal error: {type(error).__name__}: {error}")
                ended = dataclasses.replace(ended, is_error=True)
            self._finish(turn, ended)
        self._process.close(timeout=GRACE)

    def _take(self) -> Turn | None:
        """The next turn, when there is one; None when everything ends."""
        with self._changed:
            while not self._is_closed:
                if self._is_active and self.mode is not RefineMode.OFF:
                    continuous = self.mode is RefineMode.CONTINUOUS
                    turn = next_turn(
                        self._requests,
                        self._views.fresh(FEWEST) if continuous else {},
                        self._turns,
                        may_start=self._views.is_settled,
                    )
                    if turn is not None:
                        self._current = turn
                        return turn
                self._changed.wait()
        return None

    def _perform(self, turn: Turn) -> Ended:
        object_id = turn.object_id
        stored = self._store.get(object_id)
        order = Order(
            next(self._numbers),
            *self._views.take(object_id, stored),
            self._config_of(turn),
            self._checkpoint(object_id),
        )
        return self._process.run(
            order,
            on_report=lambda report: self._on_report(turn, report),
            on_version=lambda result: self._on_version(turn, stored, result),
            cancelled=lambda: bool(turn.stopped),
            pace=self._pace,
        )

    def _config_of(self, turn: Turn) -> RefineConfig:
        budget = 0.0 if turn.request is None else turn.request.budget_s
        return dataclasses.replace(self._refine, budget=budget) if budget else self._refine

    def _checkpoint(self, object_id: str) -> Path | None:
        folder = self._config.checkpoint_directory
        return Path(folder).expanduser() / f"{object_id}.checkpoint" if folder else None

    def _on_report(self, turn: Turn, report: Report) -> None:
        turn.report = report
        self._tell(News(turn.request, report=report))

    def _on_version(self, turn: Turn, start: StoredObject, result: Reconstruction) -> None:
        """Stores a better version, unless nobody wants it any more."""
        self._expect(result.mesh)
        with self._changed:
            if turn.stopped:
                return
            placed, stamp_ns = self._views.placed(result)
            turn.refined = self._store.accept(
                placed, stamp_ns=stamp_ns, frame_id=start.frame_id, label=start.label
            )
        messages = self._prepare([turn.refined])
        self._tell(News(turn.request, stored=turn.refined, messages=messages))

    def _finish(self, turn: Turn, ended: Ended) -> None:
        with self._changed:
            self._current = None
            self._turns[turn.object_id] += 1
            if turn.again and not self._is_closed:
                if turn.request is not None:
                    self._requests.insert(0, turn.request)
                return
            if turn.stopped and turn.request is None:
                self._views.refresh(turn.object_id)
            if ended.is_error and not turn.stopped:
                self._fault(f"{turn.object_id} is not refined: {ended.message}")
            if turn.stopped:
                ended = dataclasses.replace(ended, message=turn.stopped, is_error=True)
            is_better = turn.refined is not None
            self._tell(News(turn.request, ended=ended, is_better=is_better))

    def _tell(self, news: News) -> None:
        with self._changed:
            self._news.append(news)
            if not self._is_closed:
                self._notify()
