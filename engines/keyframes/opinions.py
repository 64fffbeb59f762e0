# SPDX-License-Identifier: Apache-2.0
"""What an engine makes of several views of one object, each by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recon_node.engines.errors import ReconstructionError
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Engine, ScaleSource

MOST = 4  # results that a refinement asks

_logger = logging.getLogger(__name__)


def with_opinions(keyframes: Sequence[Keyframe], engine: Engine) -> tuple[Keyframe, ...]:
    """The keyframes, `MOST` of them, evenly chosen, with the engine's result of their view.

    What is hidden from all views is the better guessed the more views it was guessed from. A
    result whose size is not known from its own view's depth does not count, nor one that failed.

    Args:
        keyframes: in the order of their views; results that are there stay.
        engine: makes the results.
    """
    chosen = set(np.linspace(0, len(keyframes) - 1, MOST).round().astype(int).tolist())
    return tuple(
        _with_result(keyframe, engine) if place in chosen else keyframe
        for place, keyframe in enumerate(keyframes)
    )


def _with_result(keyframe: Keyframe, engine: Engine) -> Keyframe:
    if keyframe.result is not None or keyframe.view.depth is None:
        return keyframe
    try:
        result = engine.reconstruct([keyframe.view])
    except ReconstructionError as error:
        _logger.info("a keyframe is refined without a result of its own: %s", error)
        return keyframe
    if result.scale_source is ScaleSource.NONE:
        return keyframe
    return replace(keyframe, result=result)
