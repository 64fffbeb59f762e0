# SPDX-License-Identifier: Apache-2.0
"""The progress bar of a refinement: time spent of its budget, losses, held-out PSNR."""

import time

from rich.markup import escape
from rich.progress import Progress, TaskID

from recon_node.refine_record import Moment
from recon_node.scene_files import SceneObject

_PERIOD = 0.2  # [s] between two changes
_LARGEST = 2  # losses that are named


class RefineProgress:
    """Shows the moments of refinements, one bar an object, in seconds.

    Args:
        progress: Where the bars go.
        budget: Of each refinement [s].
    """

    def __init__(self, progress: Progress, budget: float | None):
        self._progress, self._budget = progress, budget
        self._tasks: dict[str, TaskID] = {}
        self._shown = 0.0

    def __call__(self, item: SceneObject, moment: Moment) -> None:
        """Brings the bar of the object to a moment."""
        is_first = item.object_id not in self._tasks
        is_last = self._budget is not None and moment.seconds >= self._budget
        if not (is_first or is_last) and time.monotonic() - self._shown < _PERIOD:
            return
        self._shown = time.monotonic()
        if is_first:
            self._tasks[item.object_id] = self._progress.add_task("", total=self._budget)
        self._progress.update(
            self._tasks[item.object_id],
            completed=min(moment.seconds, self._budget or moment.seconds),
            description=escape(describe_moment(item.object_id, moment)),
        )


def describe_moment(name: str, moment: Moment) -> str:
    """A moment in a line, its largest losses by name.

    >>> moment = Moment(120, 8.0, {"mask": 0.012, "surface": 0.031, "eikonal": 0.001}, 23.41)
    >>> describe_moment("mug", moment)
    'mug, step 120: PSNR 23.4 dB, loss 0.044 (surface 0.031, mask 0.012)'
    """
    if not moment.losses:
        return f"{name}: the refinement is prepared"
    losses = sorted(moment.losses.items(), key=lambda pair: -pair[1])
    named = ", ".join(f"{term} {loss:.2g}" for term, loss in losses[:_LARGEST])
    total = sum(moment.losses.values())
    return f"{name}, step {moment.step}: PSNR {moment.psnr:.1f} dB, loss {total:.2g} ({named})"
