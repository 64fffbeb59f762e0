# SPDX-License-Identifier: Apache-2.0
"""From frames to published meshes: what the node is made of between configure and cleanup."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rclpy.lifecycle import LifecycleNode
from recon.srv import Reconstruct

from recon_node.diagnostics import TOTAL, Snapshot
from recon_node.engines.errors import InvalidInputError, UnknownNameError
from recon_node.faults import FaultLog
from recon_node.intake import Intake
from recon_node.node_config import NodeConfig
from recon_node.publishers import Publication, Publishers
from recon_node.refinement.object_views import ObjectViews
from recon_node.refinement.orders import Pace
from recon_node.refinement.refine_action import RefineAction
from recon_node.refinement.refinement import Refinement
from recon_node.refinement.refinement_config import RefineMode
from recon_node.refinement.refiner_process import RefinerProcess
from recon_node.services import Services
from recon_node.streams.change import ChangeDetector
from recon_node.streams.drops import Drop, DropCounter
from recon_node.streams.frame import Frame
from recon_node.streams.identity import ObjectTracker
from recon_node.streams.latency import LatencyWindow
from recon_node.streams.mailbox import Mailbox
from recon_node.streams.object_store import ObjectStore, StoredObject
from recon_node.worker import Job, Outcome, Worker

if TYPE_CHECKING:
    from recon_node.live_view import LiveView

JOIN_TIMEOUT = 0.5  # [s] that closing waits for the engine to finish what it is at
LATE_JOINERS = 0.1  # [s] between two looks for them; each costs rclpy a millisecond


class Pipeline:
    """Intake, tracker, worker, publishers and services, wired together.

    Everything but the worker runs in the executor's thread.

    Args:
        node: Owns the topics and services.
        config: Of all parts.
        faults: Gets what goes wrong.
        latency: Gets what each stage took.

    Raises:
        ReconstructionError: A part cannot work as it is configured.
    """

    def __init__(
        self, node: LifecycleNode, config: NodeConfig, *, faults: FaultLog, latency: LatencyWindow
    ):
        self._node, self._config, self._latency = node, config, latency
        self._is_active = False
        self._results = self._refined = self._jumps = 0
        self._published: dict[str, int] = {}  # the newest version of every object
        self._drops = DropCounter()
        self._store = ObjectStore()
        self._mailbox: Mailbox[Job] = Mailbox()
        self._tracker = ObjectTracker(config.tracking, self._drops)
        self._change = ChangeDetector(config.change)
        self._views = ObjectViews(
            config.keyframes,
            objects=config.refinement.max_objects,
            is_kept=config.refinement.mode != RefineMode.OFF.value,
        )
        with ExitStack() as parts:  # closes those that are there when one of them fails
            self._build(parts, faults)
            self._parts = parts.pop_all()

    def _build(self, parts: ExitStack, faults: FaultLog) -> None:
        node, config = self._node, self._config
        self._view = _live_view(config.run.view_port)
        if self._view is not None:
            parts.callback(self._view.close)
        self._publishers = Publishers(
            node, config.output, self._store, max_objects=config.tracking.max_objects
        )
        parts.callback(self._publishers.close)
        self._intake = Intake(
            node, config, drops=self._drops, faults=faults, deliver=self._on_frame
        )
        parts.callback(self._intake.close)
        self._services = Services(
            node, self, self._store, save_directory=config.output.save_directory
        )
        parts.callback(self._services.close)
        self._done = node.create_guard_condition(self._deliver)
        parts.callback(node.destroy_guard_condition, self._done)
        timer = node.create_timer(LATE_JOINERS, self._serve_late_joiners)
        parts.callback(node.destroy_timer, timer)
        self._refinement = Refinement(
            config.refinement,
            config.refine,
            views=self._views,
            store=self._store,
            process=RefinerProcess(),
            pace=self._pace,
            expect=self._services.expect_queries,
            prepare=self._prepare,
            fault=faults.record,
            notify=self._done.trigger,
        )
        parts.callback(self._refinement.close, timeout=JOIN_TIMEOUT)
        self._action = RefineAction(node, self._refinement, self._store)
        parts.callback(self._action.close)
        self._worker = Worker(
            lambda: config.engine.load(config.backend),
            load_anywhere=config.engine.load_anywhere,
            mailbox=self._mailbox,
            store=self._store,
            change=self._change,
            views=self._views,
            moved=self._refinement.restart,
            is_refining=self._refinement.is_refining,
            drops=self._drops,
            expect=self._services.expect_queries,
            prepare=self._prepare,
            fault=faults.record,
            notify=self._done.trigger,
        )
        parts.callback(self._worker.close, timeout=JOIN_TIMEOUT)

    def activate(self) -> None:
        """Subscribes; frames wait for an engine that still loads."""
        try:
            self._intake.start()
        except Exception:
            self._intake.stop()
            raise
        self._is_active = True
        self._refinement.activate()

    def deactivate(self) -> None:
        """Unsubscribes, drops what waits, and answers the requests that wait."""
        self._intake.stop()
        self._worker.cancel(Drop.DEACTIVATED)
        self._refinement.deactivate()
        self._deliver()
        self._is_active = False

    def close(self) -> None:
        """Frees everything; takes `JOIN_TIMEOUT` at most where the engine is at work."""
        if self._is_active:
            self.deactivate()
        self._refinement.stop()
        self._parts.close()

    def reconfigure(self, config: NodeConfig) -> None:
        """Takes over live parameters."""
        self._config = config
        self._intake.reconfigure(config)
        self._tracker.config = config.tracking
        self._change.config = config.change
        self._publishers.config = config.output
        self._views.config = config.keyframes
        self._views.is_kept = config.refinement.mode != RefineMode.OFF.value
        if not self._views.is_kept:
            self._views.clear()
        self._refinement.reconfigure(config.refinement, config.refine)

    def snapshot(self, state: str) -> Snapshot:
        """What the pipeline is doing."""
        engine = self._worker.engine
        asked = self._config.engine
        name = asked.engine if engine is None else engine.name
        turn, waiting = self._refinement.current()
        return Snapshot(
            state=state,
            engine_ready=engine is not None,
            engine=name,
            engine_error=self._worker.load_error,
            backend="" if name == "hull" else getattr(engine, "backend", asked.backend),
            weights_note="" if engine is None else engine.weights_note,
            waiting_for=self._intake.waiting_for(),
            objects=len(self._store.ids()),
            queue=len(self._mailbox),
            images=self._intake.images,
            frames=self._intake.frames,
            results=self._results,
            drops=self._drops.counts(),
            refining="" if turn is None else turn.object_id,
            refine_queue=waiting,
            refine_report=None if turn is None else turn.report,
            refined=self._refined,
        )

    def frame_of(self, request: Reconstruct.Request) -> Frame:
        """The frame of a request, or the newest one of the topics where its image is empty.

        Raises:
            InvalidInputError: There is none, or it cannot be used.
        """
        if request.image.width:
            return self._intake.frame_of(
                request.image,
                request.mask,
                request.depth,
                request.camera_info,
                request.camera_pose,
            )
        if self._intake.latest is None:
            missing = self._intake.waiting_for() or "the node is not active"
            raise InvalidInputError(
                f"the request has no image, and there is no frame of the topics yet: {missing}"
            )
        return self._intake.latest

    def submit(
        self, frame: Frame, labels: Sequence[int], answer: Callable[[Outcome], None]
    ) -> None:
        """Puts a request before everything that waits.

        Raises:
            InvalidInputError: The node is not active, or the mask has none of the labels.
        """
        if not self._is_active:
            raise InvalidInputError("the node is not active; activate it first")
        ids = self._tracker.update(frame.stamp_ns, frame.labels)
        asked = list(labels) or list(ids)
        unknown = [value for value in asked if value not in ids]
        if unknown or not asked:
            known = ", ".join(map(str, ids)) or "nothing"
            wanted = ", ".join(map(str, unknown)) or "any object"
            raise InvalidInputError(f"the mask does not mark {wanted}; it marks {known}")
        self._mailbox.put_first(Job(frame, [(value, ids[value]) for value in asked], answer))

    def forget(self, object_ids: Sequence[str]) -> None:
        """Forgets objects: what waits for them, their markers, their files."""
        if not object_ids:
            return
        self._worker.cancel(Drop.CLEARED, object_ids)
        self._refinement.interrupt("the object is gone", object_ids)
        for object_id in object_ids:
            self._tracker.forget(object_id)
            self._change.forget(object_id)
            self._views.forget(object_id)
            try:
                gone = self._store.get(object_id)
            except UnknownNameError:
                continue  # it never had a mesh
            self._store.remove(object_id)
            self._publishers.remove(gone)
            if self._view is not None:
                self._view.remove(object_id)

    def _on_frame(self, frame: Frame) -> None:
        """Queues the objects of a frame, each at its own pace; gives all up where a bag loops."""
        if self._intake.jumps != self._jumps:
            self._jumps = self._intake.jumps
            self.forget(self._tracker.reset())
        for value, object_id in self._tracker.update(frame.stamp_ns, frame.labels).items():
            due = self._worker.last_start(object_id) + self._config.work.min_interval
            job = Job(frame, [(value, object_id)])
            if self._mailbox.put(object_id, job, not_before=due) is not None:
                self._drops.count(Drop.SUPERSEDED)
        self.forget(self._tracker.expire(frame.stamp_ns))

    def _prepare(self, results: Sequence[StoredObject]) -> list[object]:
        """Makes what is to be published, in the worker's thread."""
        messages = self._publishers.prepare(results)
        if self._view is not None:
            for stored in results:
                self._view.show(stored)
        return messages

    def _pace(self) -> Pace:
        """How the refiner is to go on beside the worker."""
        if self._worker.is_asked:
            return Pace.PAUSE
        return Pace.YIELD if self._worker.is_busy else Pace.GO

    def _deliver(self) -> None:
        """Publishes what the worker and the refinement have done, and answers their requests."""
        if not self._node.context.ok():
            return
        for outcome in self._worker.outcomes():
            for publication in self._publish(outcome.messages):
                self._results += 1
                self._latency.add(_seconds_by_stage(publication.stored, outcome.job.frame))
            if outcome.job.answer is not None:
                outcome.job.answer(outcome)
        self._refinement.wake()  # there may be new keyframes
        for news in self._refinement.news():
            self._refined += len(self._publish(news.messages))
            self._action.deliver(news)

    def _publish(self, messages: Sequence[object]) -> list[Publication]:
        """The versions among the messages, after all that is still wanted was published."""
        wanted = [message for message in messages if self._is_wanted(message)]
        self._publishers.publish(wanted)
        return [message for message in wanted if isinstance(message, Publication)]

    def _is_wanted(self, message: object) -> bool:
        """Whether a message is still to be published; a mesh that is not is counted."""
        if not isinstance(message, Publication):
            return self._is_active
        result = message.stored.result
        if result.object_id not in self._store.ids():
            self._drops.count(Drop.CLEARED)
            if self._view is not None:
                self._view.remove(result.object_id)  # it was shown after it was cleared
            return False
        if not self._is_active:
            self._drops.count(Drop.DEACTIVATED)
        elif result.version < self._published.get(result.object_id, 0):
            self._drops.count(Drop.SUPERSEDED)  # worker and refinement overtook each other
            return False
        self._published[result.object_id] = result.version
        return self._is_active

    def _serve_late_joiners(self) -> None:
        if self._is_active:
            self._publishers.serve_late_joiners()


def _seconds_by_stage(stored: StoredObject, frame: Frame) -> dict[str, float]:
    metrics = stored.result.metrics
    seconds = {
        name.removesuffix("_s"): value
        for name, value in metrics.items()
        if name.endswith("_s") and name != "total_s"
    }
    return {**seconds, TOTAL: time.monotonic() - frame.arrived}


def _live_view(port: int) -> "LiveView | None":
    if port == 0:
        return None
    from recon_node.live_view import LiveView

    return LiveView(port=port)
