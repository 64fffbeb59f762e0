# SPDX-License-Identifier: Apache-2.0
"""Refinement at the command line: in this process, an object at a time, until Ctrl-C."""

import dataclasses
import io
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from recon_node.comparison import draw_comparison
from recon_node.engines.errors import ReconstructionError, require_package
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.engines.keyframes.quality import assess, sharpness
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.refine_chart import draw_refine_chart
from recon_node.refine_record import Moment, RefineRecord, Version
from recon_node.scene_files import SceneObject

CHECKPOINT = "refine.checkpoint"

_logger = logging.getLogger(__name__)


def require_refiner() -> None:
    """Fails early where a refinement could not run.

    Raises:
        MissingPackageError: torch is not installed.
    """
    require_package("torch", extra="torch")


def keyframes_of(item: SceneObject, start: Reconstruction) -> tuple[Keyframe, ...]:
    """The views of an object that are worth refining from, by their quality; the first knows start.

    Views that are blurred against the others, dark, clipped, cut off or hidden are left out, and a
    warning says so; where none would be left, the first stays.
    """
    views = (make_keyframe(item.view, start), *item.keyframes[1:])
    if len(views) == 1:
        return views
    sharp = np.array([sharpness(keyframe) for keyframe in views])
    kept = []
    for number, keyframe in enumerate(views):
        quality = assess(keyframe, float(np.median(np.delete(sharp, number))))
        if quality.refusal is None:
            kept.append(dataclasses.replace(keyframe, weight=quality.weight))
            continue
        _logger.warning(
            "%s: view %d of %d is not used to refine: %s",
            item.object_id,
            number + 1,
            len(views),
            quality.refusal.value,
        )
    return tuple(kept) or views[:1]


def refine_object(
    keyframes: tuple[Keyframe, ...],
    start: Reconstruction,
    config: RefineConfig,
    *,
    checkpoint: Path,
    on_moment: Callable[[Moment], None],
    cancelled: Callable[[], bool],
) -> RefineRecord:
    """What a refinement did, and what it ended with.

    Args:
        keyframes: All views of the object.
        start: What to improve.
        config: What it may spend.
        checkpoint: Kept there if it is cancelled, and gone on with if it is there; its folder is
            made.
        on_moment: Told before the first step is prepared, and after each.
        cancelled: Asked before each step; the best until then is kept.

    Raises:
        MissingPackageError: torch is not installed.
    """
    require_refiner()
    from recon_node.engines.refine.refine import Progress, refine

    record, began = RefineRecord(config, start, len(keyframes)), time.monotonic()

    def note_progress(progress: Progress) -> None:
        record.step_count, record.seconds = progress.step, progress.elapsed_s
        moment = Moment(progress.step, progress.elapsed_s, dict(progress.losses), progress.psnr)
        record.look(moment)
        on_moment(moment)

    def note_version(version: Reconstruction) -> None:
        seconds = max(record.seconds, time.monotonic() - began)  # it comes before its step is told
        number = len(record.versions) + 1
        record.versions.append(Version(number, record.step_count, seconds))

    on_moment(Moment(0, 0.0, {}, math.nan))
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        outcome = refine(
            keyframes,
            start,
            config,
            on_progress=note_progress,
            on_version=note_version,
            cancelled=cancelled,
            paused=lambda: False,
            checkpoint=checkpoint,
        )
    except ReconstructionError as error:
        _logger.warning("%s is not refined: %s", start.object_id, error)
        record.message = f"failed, and the start stays: {error}"
        return record
    record.result, record.message = outcome.result, outcome.message
    record.step_count, record.seconds = outcome.steps, outcome.seconds
    record.cancelled = cancelled()
    return record


def refinement_files(record: RefineRecord, keyframes: tuple[Keyframe, ...]) -> dict[str, bytes]:
    """File names and contents that tell of a refinement: refine.json, refine.png, compare.png."""
    return {
        "refine.json": record.to_json(),
        "refine.png": _png(draw_refine_chart(record, title=record.start.object_id)),
        "compare.png": _png(draw_comparison(keyframes, record.start, record.result)),
    }


def _png(picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, format="PNG")
    return encoded.getvalue()
