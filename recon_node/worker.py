# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the engine: loads it, then takes jobs until it is closed."""

import dataclasses
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recon_node.engines import load_engine
from recon_node.engines.confidence import load_confidence
from recon_node.engines.errors import (
    BackendUnavailableError,
    MissingPackageError,
    ReconstructionError,
)
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Engine, Stage
from recon_node.reconstructor import Reconstructor
from recon_node.refinement.object_views import ObjectViews
from recon_node.streams.change import ChangeDetector
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.frame import Frame
from recon_node.streams.mailbox import Mailbox
from recon_node.streams.object_store import ObjectStore, StoredObject

VIEW_SHARE = 0.05  # of the thread's time, that looking at views for keyframes may take

_logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Objects of one frame to reconstruct.

    Attributes:
        frame: What was seen.
        objects: Value in the frame's labels and id of each.
        answer: For a request: called in the executor's thread with what came of it. A job
            without one may be skipped where nothing changed.
        cancelled: Why the result of an object is not wanted any more, by its id.
    """

    frame: Frame
    objects: Sequence[tuple[int, str]]
    answer: Callable[["Outcome"], None] | None = None
    cancelled: dict[str, Drop] = field(default_factory=dict)


@dataclass(eq=False)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        stored: Its new results.
        messages: What is to be published of them, made by `prepare`.
        errors: A sentence for each object that has none.
    """

    job: Job
    stored: list[StoredObject] = field(default_factory=list)
    messages: list[object] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Worker:
    """Runs jobs in a thread of its own; outcomes are collected by the executor's thread.

    Args:
        load: Loads the engine; called in the thread, because it takes seconds.
        load_anywhere: Loads it on the backend that any machine has, where the one asked for is not
            to be had on this one.
        mailbox: Jobs by object id; the worker closes it.
        store: Gets the results.
        change: Remembers what each object looked like.
        views: Gets the views of each object.
        moved: Called with the id of an object that has moved, in the thread.
        is_refining: Whether an object is refined now.
        drops: Counts jobs without a result.
        expect: Readies a new mesh for what may be asked of it, in the thread, before it is stored.
        prepare: Makes the messages of new results, in the thread.
        fault: Gets what went wrong, in the thread.
        notify: Called when `outcomes` has more, but not after `close`.
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        *,
        load_anywhere: Callable[[], Engine],
        mailbox: Mailbox[Job],
        store: ObjectStore,
        change: ChangeDetector,
        views: ObjectViews,
        moved: Callable[[str], None],
        is_refining: Callable[[str], bool],
        drops: DropCounter,
        expect: Callable[[Mesh], None],
        prepare: Callable[[Sequence[StoredObject]], list[object]],
        fault: Callable[[str], None],
        notify: Callable[[], None],
    ):
        self._load, self._load_anywhere = load, load_anywhere
        self._expect, self._prepare = expect, prepare
        self._fault, self._notify = fault, notify
        self._mailbox, self._store, self._change, self._drops = mailbox, store, change, drops
        self._views, self._moved, self._is_refining = views, moved, is_refining
        # Between accepting a result and cancelling its job, between notifying and closing.
        self._lock = threading.Lock()
        self._is_closed = False
        self._current: Job | None = None
        self._outcomes: deque[Outcome] = deque()
        self._started: dict[str, float] = {}
        self.engine: Engine | None = None
        self.load_error = ""
        self._thread = threading.Thread(target=self._run, name="recon-worker", daemon=True)
        self._thread.start()

    @property
    def is_asked(self) -> bool:
        """Whether it works on a request, which somebody waits for."""
        job = self._current
        return job is not None and job.answer is not None

    @property
    def is_busy(self) -> bool:
        """Whether it works on anything."""
        return self._current is not None

    def last_start(self, object_id: str) -> float:
        """When the engine last began with an object [s] of `time.monotonic()`; 0: never."""
        return self._started.get(object_id, 0.0)

    def outcomes(self) -> list[Outcome]:
        """What has come of jobs since the last call, in order."""
        done = []
        while self._outcomes:
            done.append(self._outcomes.popleft())
        return done

    def cancel(self, reason: Drop, object_ids: Sequence[str] | None = None) -> None:
        """Drops the jobs that wait or run, of these objects or of all; each one is counted.

        A job that runs goes on to its end, but its result is thrown away. Requests are answered
        when they come to their turn.
        """
        if object_ids is None:
            dropped = self._mailbox.clear()
        else:
            dropped = [self._mailbox.remove(object_id) for object_id in object_ids]
        with self._lock:
            for _, object_id in () if self._current is None else self._current.objects:
                if object_ids is None or object_id in object_ids:
                    self._current.cancelled[object_id] = reason
        for job in dropped:
            if job is None:
                continue
            self._drops.count(reason)
            if job.answer is not None:
                self._finish(Outcome(job, errors=[f"the request was dropped: {reason.value}"]))

    def close(self, *, timeout: float) -> bool:
        """Whether the thread ended in time; it takes no job and notifies of none from now on."""
        with self._lock:
            self._is_closed = True
        self._mailbox.close()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self.engine = self._load_or_hull()
        self._tell()
        reconstructor = Reconstructor(
            self.engine,
            self._change,
            self._store,
            views=self._views,
            moved=self._moved,
            is_refining=self._is_refining,
            view_share=VIEW_SHARE,
        )
        while not self._is_closed:
            job = self._mailbox.take(reconstructor.time_to_keep())
            if job is not None:
                self._work(reconstructor, job)
            try:
                reconstructor.keep_view()
            except Exception as error:
                _logger.exception("a view was not kept")
                self._fault(f"internal error: {type(error).__name__}: {error}")
            self._tell()

    def _work(self, reconstructor: Reconstructor, job: Job) -> None:
        with self._lock:
            self._current = job
        outcome = Outcome(job)
        try:
            self._perform(reconstructor, outcome)
        except Exception as error:  # a bug must not end the thread: nothing would come after
            _logger.exception("a job failed")
            self._drops.count(Drop.ENGINE_ERROR)
            outcome.errors.append(f"internal error: {type(error).__name__}: {error}")
            self._fault(outcome.errors[-1])
        with self._lock:
            self._current = None
        self._finish(outcome)

    def _load_or_hull(self) -> Engine:
        try:
            load_confidence()
            try:
                return self._load()
            except (BackendUnavailableError, MissingPackageError) as error:
                engine = self._load_anywhere()
                self.load_error = f"{error}; onnxruntime serves instead"
        except Exception as error:
            if not isinstance(error, ReconstructionError):
                _logger.exception("the engine cannot be loaded")
            self.load_error = f"the engine cannot be loaded: {error}; the hull serves instead"
            engine = load_engine("hull")
        self._fault(self.load_error)
        return engine

    def _perform(self, reconstructor: Reconstructor, outcome: Outcome) -> None:
        for value, object_id in outcome.job.objects:
            reason = outcome.job.cancelled.get(object_id)
            if reason is None:
                reason = self._perform_one(reconstructor, outcome, value, object_id)
            if reason is not None:
                self._drops.count(reason)
                if reason not in (Drop.BAD_INPUT, Drop.UNCHANGED, Drop.REFINED):
                    outcome.errors.append(f"{object_id}: dropped, {reason.value}")
        if outcome.stored:
            outcome.messages = self._prepare(outcome.stored)

    def _perform_one(
        self, reconstructor: Reconstructor, outcome: Outcome, value: int, object_id: str
    ) -> Drop | None:
        """Why there is no result, or None where there is one."""
        job = outcome.job
        started = self._started[object_id] = time.monotonic()
        try:
            result = reconstructor.reconstruct(
                job.frame, value, object_id, always=job.answer is not None
            )
        except ReconstructionError as error:
            outcome.errors.append(f"{object_id}: {error}")
            self._fault(outcome.errors[-1])
            return Drop.BAD_INPUT
        if isinstance(result, Drop):
            return result
        if result.engine != reconstructor.engine.name and result.stage is not Stage.REFINED:
            self._fault(f"{object_id}: {'; '.join(result.warnings)}")
        self._expect(result.mesh)
        metrics = {"queue_s": started - job.frame.arrived, **result.metrics}
        with self._lock:
            if object_id in job.cancelled:
                return job.cancelled[object_id]
            stored = self._store.accept(
                dataclasses.replace(result, metrics=metrics),
                stamp_ns=job.frame.stamp_ns,
                frame_id=job.frame.output_frame,
                label=value,
                keep_refined=job.answer is None and reconstructor.is_in_place(object_id),
            )
            if stored is None:
                return Drop.REFINED
            outcome.stored.append(stored)
            reconstructor.remember(job.frame, value, object_id)
        return None

    def _finish(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._notify()
