# SPDX-License-Identifier: Apache-2.0
"""What the node says about itself: ~/status for programs, /diagnostics for people."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from recon.msg import Status

from recon_node.faults import Fault
from recon_node.messages.stamps import set_stamp
from recon_node.refinement.orders import Report
from recon_node.streams.latency import LatencyWindow

TOTAL = "arrival_to_publication"  # the stage that covers all others
RECENT = 10.0  # [s] for which a fault keeps the diagnostics at a warning


@dataclass(frozen=True)
class Snapshot:
    """What the node is doing.

    Attributes:
        state: Of the lifecycle.
        engine_ready: Whether the engine is loaded.
        engine: What serves.
        engine_error: Why the engine asked for does not serve, or empty.
        backend: What runs the network.
        weights_note: Whose weights it runs, under which licence.
        waiting_for: Which input is missing.
        objects: How many are kept.
        queue: How many jobs wait.
        images: Received since configure.
        frames: Joined since configure.
        results: Published since configure.
        drops: By reason.
        refining: The object that is refined now, or empty.
        refine_queue: How many requests to refine wait.
        refine_report: How far it is; None before its first step.
        refined: Refined versions published since configure.
    """

    state: str
    engine_ready: bool = False
    engine: str = ""
    engine_error: str = ""
    backend: str = ""
    weights_note: str = ""
    waiting_for: str = ""
    objects: int = 0
    queue: int = 0
    images: int = 0
    frames: int = 0
    results: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    refining: str = ""
    refine_queue: int = 0
    refine_report: Report | None = None
    refined: int = 0


class Diagnostics:
    """Publishes snapshots, in every state of the node.

    Args:
        node: Publishes.
        hardware_id: What the messages are about, such as the node's name.
    """

    def __init__(self, node: Node, *, hardware_id: str):
        self._node, self._hardware_id = node, hardware_id
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._status = node.create_publisher(Status, "~/status", latched)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.latency = LatencyWindow()

    def publish(self, snapshot: Snapshot, fault: Fault | None) -> None:
        """Publishes a snapshot, and the last fault."""
        now = self._node.get_clock().now().nanoseconds
        self._status.publish(self._status_message(snapshot, fault, now))
        array = DiagnosticArray(status=[self._diagnostic(snapshot, fault, now)])
        set_stamp(array.header.stamp, now)
        self._diagnostics.publish(array)

    def _status_message(self, snapshot: Snapshot, fault: Fault | None, now: int) -> Status:
        message = Status(
            state=snapshot.state,
            engine_ready=snapshot.engine_ready,
            engine=snapshot.engine,
            backend=snapshot.backend,
            waiting_for=snapshot.waiting_for,
            object_count=snapshot.objects,
            queue_length=snapshot.queue,
            images=snapshot.images,
            frames=snapshot.frames,
            results=snapshot.results,
            drop_reasons=list(snapshot.drops),
            drop_counts=list(snapshot.drops.values()),
            refining=snapshot.refining,
            refine_queue_length=snapshot.refine_queue,
            refined=snapshot.refined,
            refine_psnr=math.nan,
        )
        if snapshot.refine_report is not None:
            _set_report(message, snapshot.refine_report)
        set_stamp(message.header.stamp, now)
        if TOTAL in self.latency.stages():
            p50, p90, p99 = (1000.0 * seconds for seconds in self.latency.percentiles(TOTAL))
            message.latency_p50_ms, message.latency_p90_ms, message.latency_p99_ms = p50, p90, p99
        if fault is not None:
            set_stamp(message.last_error_stamp, fault.stamp_ns)
            message.last_error = fault.text
        return message

    def _diagnostic(self, snapshot: Snapshot, fault: Fault | None, now: int) -> DiagnosticStatus:
        level, message = _judged(snapshot, fault, now)
        values = {
            "state": snapshot.state,
            "engine": snapshot.engine,
            "backend": snapshot.backend,
            "weights": snapshot.weights_note,
            "objects": snapshot.objects,
            "queue": snapshot.queue,
            "images": snapshot.images,
            "frames": snapshot.frames,
            "results": snapshot.results,
            "refined": snapshot.refined,
            "refining": _progress(snapshot),
            "waiting for": snapshot.waiting_for,
            "last error": "" if fault is None else fault.text,
        }
        values |= {f"dropped: {name}": n for name, n in snapshot.drops.items() if n}
        for stage in self.latency.stages():
            p50, p90, p99 = (1000.0 * seconds for seconds in self.latency.percentiles(stage))
            values[f"{stage} p50 / p90 / p99 [ms]"] = f"{p50:.1f} / {p90:.1f} / {p99:.1f}"
        return DiagnosticStatus(
            level=level,
            name=f"{self._hardware_id}: reconstruction",
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )


def _set_report(message: Status, report: Report) -> None:
    message.refine_step = report.step
    message.refine_progress = float(report.share)
    message.refine_psnr = float(report.psnr)
    message.refine_loss_names = list(report.losses)
    message.refine_losses = list(report.losses.values())


def _progress(snapshot: Snapshot) -> str:
    """What is refined, and how far it is."""
    report = snapshot.refine_report
    if not snapshot.refining or report is None:
        return snapshot.refining
    told = f"{snapshot.refining}, step {report.step}, {100 * report.share:.0f} %"
    return told if math.isnan(report.psnr) else f"{told}, {report.psnr:.1f} dB"


def _judged(snapshot: Snapshot, fault: Fault | None, now: int) -> tuple[bytes, str]:
    """Level and one sentence."""
    if snapshot.engine_error:
        return DiagnosticStatus.ERROR, snapshot.engine_error
    if fault is not None and now - fault.stamp_ns < RECENT * 1e9:
        return DiagnosticStatus.WARN, fault.text
    if snapshot.state == "active" and not snapshot.engine_ready:
        return DiagnosticStatus.WARN, "the engine is loading; the newest frame waits"
    if snapshot.waiting_for:
        return DiagnosticStatus.WARN, f"waiting for {snapshot.waiting_for}"
    return DiagnosticStatus.OK, snapshot.state
