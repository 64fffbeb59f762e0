# SPDX-License-Identifier: Apache-2.0
"""How to train the compact model."""

import math
from dataclasses import dataclass

from recon_node.engines.errors import InvalidInputError, UnknownNameError

PRECISIONS = ("auto", "32-true", "bf16-mixed")


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        steps: Optimiser steps in all, a resumed run's earlier ones counted.
        batch: Samples of a step on each device.
        learning_rate: Peak, after `warmup` steps.
        warmup: Steps of linear rise.
        cooldown: Last steps, over which the rate falls linearly to a twentieth (Hägele 2024);
            with 0 the rate stays, for runs that will be continued.
        average: Decay of the averaged weights, the ones that are kept.
        sharpness: Half sizes of the cube per unit of occupancy logit.
        workers: Processes that render beside the trainer; 0 renders in it.
        devices: Processes that train together.
        precision: Lightning Fabric's name, 32-true or bf16-mixed; auto is the faster of
            these two on the device.
        validate_every: Steps between validations and checkpoints.
        validation: Held-out views that are judged then.
        seed: Of the weights and of the samples.
    """

    steps: int = 100_000
    batch: int = 16
    learning_rate: float = 7.0e-4
    warmup: int = 200
    cooldown: int = 0
    average: float = 0.998
    sharpness: float = 0.02
    workers: int = 0
    devices: int = 1
    precision: str = "auto"
    validate_every: int = 250
    validation: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("steps", "batch", "devices", "validate_every", "validation", "warmup")
        least = dict.fromkeys(counts, 1)
        least |= dict.fromkeys(("workers", "cooldown", "seed"), 0)
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)}; it must be at least {lowest}"
                )
        for name in ("learning_rate", "sharpness"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)}; it must be a positive number"
                )
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        if not 0.0 <= self.average < 1.0:
            raise InvalidInputError(f"average is {self.average}; it must lie in [0, 1)")
