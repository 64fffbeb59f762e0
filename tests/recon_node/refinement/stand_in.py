# SPDX-License-Identifier: Apache-2.0
"""The real process around a refiner that only counts steps; an object's id says what befalls it."""

import dataclasses
import os
import signal
import sys
import time
from types import SimpleNamespace

from recon_node.engines.errors import InvalidInputError, require_package
from recon_node.engines.reconstruction import Reconstruction, Stage
from recon_node.refinement.process import main

STEP = 0.01  # [s]


def refine(
    keyframes, start, config, *, on_progress, on_version, cancelled, paused, checkpoint=None
):
    """As many steps as the configuration says; every tenth is a version."""
    if start.object_id == "refused":
        raise InvalidInputError("the keyframes show nothing")
    began, step, best = time.monotonic(), 0, None
    while step < config.steps and not cancelled():
        if paused():
            time.sleep(STEP)
            continue
        time.sleep(STEP)
        step += 1
        elapsed = time.monotonic() - began
        on_progress(SimpleNamespace(**progress(step, elapsed)))
        if step == 5:
            befall(start.object_id)
        if step % 10 == 0:
            best = refined(start, len(keyframes))
            on_version(best)
    if cancelled() and checkpoint is not None:
        checkpoint.write_text(str(step))
    message = "cancelled" if cancelled() else f"{len(keyframes)} views"
    return SimpleNamespace(result=best, message=message, steps=step, seconds=0.0)


def refined(start: Reconstruction, view_count: int) -> Reconstruction:
    """The start as if it were better."""
    return dataclasses.replace(
        start,
        stage=Stage.REFINED,
        version=start.version + 1,
        parent_version=start.version,
        view_count=view_count,
    )


def progress(step: int, elapsed: float) -> dict:
    """The fields of a report."""
    losses = {"photometric": 1.0 / step}
    return {"step": step, "elapsed_s": elapsed, "budget_s": 9.0, "losses": losses, "psnr": 20.0}


def befall(object_id: str) -> None:
    """What an object is called after."""
    if object_id == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if object_id == "bug":
        raise RuntimeError("a bug")
    if object_id == "large":
        raise MemoryError("no room for the table")


def load():
    """The refiner; a machine without torch says so."""
    if "--no-torch" in sys.argv:
        sys.modules["torch"] = None
        require_package("torch", extra="torch")
    return refine


if __name__ == "__main__":
    main(sys.argv[-1], load)
