# SPDX-License-Identifier: Apache-2.0
"""What the node and the process that refines tell each other; unpickling it needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig


@dataclass(frozen=True, eq=False)
class Order:
    """One object to refine.

    Attributes:
        number: Counts up; what a `Cancel` names.
        keyframes: The views of it, one or more.
        start: What to improve; its frame is that of the keyframes' cameras.
        config: How, and for how long.
        checkpoint: File of the state that an interrupted run keeps; None keeps none.
    """

    number: int
    keyframes: tuple[Keyframe, ...]
    start: Reconstruction
    config: RefineConfig
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Cancel:
    """Ends the order of that number, and those before it, after the step that runs.

    Attributes:
        number: Of the order.
    """

    number: int


class Pace(Enum):
    """Whether steps are made now: one after the other, with rests between them, or none."""

    GO = "go"
    YIELD = "yield"
    PAUSE = "pause"


@dataclass(frozen=True)
class Report:
    """How far the order is.

    Attributes:
        step: Steps made.
        elapsed_s: Time spent [s].
        budget_s: Time there is in all [s].
        share: Of the time or the steps that there are, 0 to 1.
        losses: By name.
        psnr: Of pixels that are held out [dB]; NaN where there are none.
    """

    step: int
    elapsed_s: float
    budget_s: float
    share: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    psnr: float = float("nan")


@dataclass(frozen=True, eq=False)
class Ended:
    """The last thing told about an order.

    Attributes:
        message: What happened, and why.
        steps: Steps made.
        seconds: Time spent [s].
        is_error: Whether it could not be done at all; `message` says why.
        is_bug: Whether the error is none that recon raises on purpose.
    """

    message: str
    steps: int = 0
    seconds: float = 0.0
    is_error: bool = False
    is_bug: bool = False
