# SPDX-License-Identifier: Apache-2.0
"""What the stages of a process cost: by the clock, in processor time, and in memory."""

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

_SELF = Path("/proc/self")
_RESET_PEAK = "5"  # of resident memory; see proc(5), clear_refs


class StageClock:
    """Figures of named stages, which may lie inside each other.

    Attributes:
        stages: By name: `wall_s`, `cpu_s` (of all threads), `peak_mib`, the most resident memory
            of the process meanwhile, `mapped_mib`, what of files is mapped into it at the end, and
            `preemptions`, how often others took a core away from it.
    """

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self._running: list[tuple[str, float, float, int]] = []

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the stage while the context lasts."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def begin(self, name: str) -> None:
        """Begins a stage inside those that are running."""
        self._share_peak()
        self.stages[name] = {"peak_mib": 0.0}
        self._running.append((name, time.perf_counter(), time.process_time(), _preemptions()))

    def end(self) -> None:
        """Ends the stage that began last."""
        self._share_peak()
        name, wall, cpu, preemptions = self._running.pop()
        self.stages[name] |= {
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            "mapped_mib": _resident("RssFile"),
            "preemptions": _preemptions() - preemptions,
        }

    def _share_peak(self) -> None:
        """Tells all running stages the peak since the last of these calls, and forgets it."""
        peak = _resident("VmHWM")
        for name, *_ in self._running:
            self.stages[name]["peak_mib"] = max(self.stages[name]["peak_mib"], peak)
        (_SELF / "clear_refs").write_text(_RESET_PEAK)


def _resident(field: str) -> float:
    """A size of this process in /proc/self/status [MiB]."""
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _preemptions() -> int:
    """Involuntary context switches of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
