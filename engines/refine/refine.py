# SPDX-License-Identifier: Apache-2.0
"""The refinement loop: steps until time is up, better versions on the way, never a worse one."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.checkpoint import load_checkpoint, save_checkpoint
from recon_node.engines.refine.config import RefineConfig
from recon_node.engines.refine.refiner import Refiner

FIRST_VERSION, GROWTH = 0.08, 2.0  # share of the run at which the first is tried, and the next
MOST_DRIFT = 0.05  # of what no keyframe saw, in a version; usual is 0.02
PAUSE = 0.01  # [s] between two looks whether to go on

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a refinement is.

    Attributes:
        step: Steps made.
        elapsed_s: Time spent [s], without pauses.
        budget_s: Time there is [s]; 0 where only steps count.
        losses: Value of each term at the last step.
        psnr: Of held-out pixels, of the best mesh so far [dB].
    """

    step: int
    elapsed_s: float
    budget_s: float
    losses: Mapping[str, float]
    psnr: float


@dataclass(frozen=True, eq=False)
class RefineOutcome:
    """What came of a refinement.

    Attributes:
        result: The best version, of stage REFINED; None where nothing better than the start was
            found.
        message: What happened, and why.
        steps: Steps made.
        seconds: Time spent [s], without pauses.
    """

    result: Reconstruction | None
    message: str
    steps: int
    seconds: float


class _Clock:
    """Time spent, without pauses, and the share of the run that is done."""

    def __init__(self, config: RefineConfig):
        self._config = config
        self._since = time.monotonic()
        self.elapsed = 0.0

    def tick(self, *, counts: bool) -> None:
        """Adds the time since the last tick, or leaves it out."""
        now = time.monotonic()
        self.elapsed += (now - self._since) if counts else 0.0
        self._since = now

    def progress(self, step: int) -> float:
        """Share of the budget, or of the steps if that is more, from 0."""
        config = self._config
        spent = self.elapsed / config.budget if config.budget else 0.0
        return max(spent, step / config.steps if config.steps else 0.0)


def refine(
    keyframes: Sequence[Keyframe],
    start: Reconstruction,
    config: RefineConfig,
    *,
    on_progress: Callable[[Progress], None],
    on_version: Callable[[Reconstruction], None],
    cancelled: Callable[[], bool],
    paused: Callable[[], bool],
    checkpoint: Path | None = None,
) -> RefineOutcome:
    """The best mesh of the object that the keyframes and the start allow within the limits.

    Versions are judged on pixels that nothing was trained on; one is told only if it is better
    than the start and all before it. They come at 8, 16, 32 and 64 per cent of the run, and at
    its end.

    Args:
        keyframes: One or more views of the object, in the world of the start.
        start: What to improve.
        config: Limits.
        on_progress: Told after every step.
        on_version: Told every better mesh, as soon as it is there.
        cancelled: Asked before every step; what is best by then is the result.
        paused: Asked before every step; while it is true nothing happens, and no time counts.
        checkpoint: File that keeps the state of a run that was cancelled. If it is there, and of
            the same keyframes and start, the run goes on where that one ended; it is removed
            when a run ends by itself.

    Raises:
        InvalidInputError: The keyframes cannot be used.
        ReconstructionError: Not even the smallest step fits into the memory.
    """
    clock = _Clock(config)
    refiner = Refiner(keyframes, start, config)
    for _ in refiner.prepare():
        clock.tick(counts=True)
        if cancelled():
            return RefineOutcome(None, "cancelled before the first step", 0, clock.elapsed)
        _wait(clock, paused, cancelled)
    if checkpoint is not None and checkpoint.exists():
        clock.elapsed = load_checkpoint(checkpoint, refiner)
    best = _Best(refiner, on_version)
    is_cancelled = _run(refiner, best, clock, config, on_progress, cancelled, paused)
    best.offer()
    clock.tick(counts=True)
    if checkpoint is not None:
        if is_cancelled:
            save_checkpoint(checkpoint, refiner, elapsed=clock.elapsed)
        else:
            checkpoint.unlink(missing_ok=True)
    message = "; ".join([best.message, *refiner.notes] + ["cancelled"] * is_cancelled)
    return RefineOutcome(best.result, message, refiner.step_number, clock.elapsed)


def _run(
    refiner: Refiner,
    best: "_Best",
    clock: _Clock,
    config: RefineConfig,
    on_progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    paused: Callable[[], bool],
) -> bool:
    """Steps until the limits are reached; whether the run was cancelled before."""
    due = FIRST_VERSION
    while (progress := clock.progress(refiner.step_number)) < 1 and not refiner.gave_up:
        if cancelled():
            return True
        losses = refiner.step(progress)
        if progress >= due:
            best.offer()
            due = GROWTH * max(progress, due)
        clock.tick(counts=True)
        on_progress(
            Progress(refiner.step_number, clock.elapsed, config.budget, losses, best.score.psnr)
        )
        _wait(clock, paused, cancelled)
    return False


def _wait(clock: _Clock, paused: Callable[[], bool], cancelled: Callable[[], bool]) -> None:
    """Returns when the run is not paused any more, or cancelled."""
    while paused() and not cancelled():
        time.sleep(PAUSE)
        clock.tick(counts=False)


class _Best:
    """The best mesh so far, by held-out pixels.

    Args:
        refiner: Makes the meshes.
        tell: Told of every one that is better than all before it.
    """

    def __init__(self, refiner: Refiner, tell: Callable[[Reconstruction], None]):
        self._refiner, self._tell = refiner, tell
        self.start_score = self.score = refiner.score_of_start()
        self.result: Reconstruction | None = None
        self._last_step = -1

    @property
    def message(self) -> str:
        """What was reached, for people."""
        before, after = self.start_score, self.score
        if self.result is None:
            return (
                "nothing better than the start was found: by pixels held out its error is "
                f"{before.error:.4f}, and the start stays"
            )
        return (
            f"error on held-out pixels {before.error:.4f} -> {after.error:.4f}, "
            f"PSNR {before.psnr:.1f} -> {after.psnr:.1f} dB"
        )

    def offer(self) -> None:
        """Takes the refiner's mesh as it is now, if it is better."""
        if self._last_step == self._refiner.step_number:
            return
        self._last_step = self._refiner.step_number
        try:
            mesh = self._refiner.mesh()
        except EmptySurfaceError as error:
            _logger.info("no version at step %d: %s", self._refiner.step_number, error)
            return
        if self._refiner.drift() > MOST_DRIFT:
            _logger.info("no version at step %d: its hidden side went astray", self._last_step)
            return
        score = self._refiner.score(mesh)
        if score.error < self.score.error:
            self.score = score
            self.result = self._refiner.reconstruction(mesh, score, self.start_score)
            self._tell(self.result)
