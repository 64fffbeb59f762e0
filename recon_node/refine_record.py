# SPDX-License-Identifier: Apache-2.0
"""What a refinement did, written down while it runs: the content of refine.json."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig

SCHEMA_VERSION = 1
MOST_MOMENTS = 600  # kept; of a longer run every other one is left out, again and again


@dataclass(frozen=True)
class Moment:
    """A look at a refinement.

    Attributes:
        step: Steps taken.
        seconds: Since it began [s].
        losses: Value of each term, weighted, by its name.
        psnr: Of held-out pixels [dB].
    """

    step: int
    seconds: float
    losses: Mapping[str, float]
    psnr: float


@dataclass(frozen=True)
class Version:
    """A better mesh that a refinement found.

    Attributes:
        number: Of the better meshes of this run, from 1.
        step: Steps taken until then.
        seconds: Since the refinement began [s].
    """

    number: int
    step: int
    seconds: float


@dataclass
class RefineRecord:
    """One refinement of one object.

    Attributes:
        config: What it was allowed.
        start: What it started from.
        keyframe_count: Views it could use.
        moments: Looks at it, at most MOST_MOMENTS, evenly over its steps.
        versions: Better meshes, in order.
        result: The mesh it ended with, or None where that is the start.
        message: How it ended, in a sentence; why it fell back where it did.
        step_count: Steps taken.
        seconds: That it took [s].
        cancelled: Whether it was interrupted.
    """

    config: RefineConfig
    start: Reconstruction
    keyframe_count: int
    moments: list[Moment] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    result: Reconstruction | None = None
    message: str = ""
    step_count: int = 0
    seconds: float = 0.0
    cancelled: bool = False
    _stride: int = 1
    _seen: int = 0

    def look(self, moment: Moment) -> None:
        """Keeps a look, or leaves it out where many were kept."""
        if self._seen % self._stride == 0:
            self.moments.append(moment)
        self._seen += 1
        if len(self.moments) > MOST_MOMENTS:
            del self.moments[1::2]
            self._stride *= 2

    def to_json(self) -> bytes:
        """The content of refine.json; numbers that are not finite are null."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "outcome": "kept the start" if self.result is None else "refined",
            "message": self.message,
            "cancelled": self.cancelled,
            "steps": self.step_count,
            "seconds": self.seconds,
            "keyframe_count": self.keyframe_count,
            "config": dataclasses.asdict(self.config),
            "start": _described(self.start),
            "result": None if self.result is None else _described(self.result),
            "versions": [dataclasses.asdict(version) for version in self.versions],
            "progress": [
                {
                    "step": moment.step,
                    "seconds": moment.seconds,
                    "psnr": _finite(moment.psnr),
                    "losses": {name: _finite(loss) for name, loss in moment.losses.items()},
                }
                for moment in self.moments
            ],
        }
        return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _described(result: Reconstruction) -> dict[str, object]:
    return {
        "version": result.version,
        "parent_version": result.parent_version,
        "stage": result.stage.name,
        "engine": result.engine,
        "scale_source": result.scale_source.name,
        "scale_sigma": _finite(result.scale_sigma),
        "view_count": result.view_count,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
