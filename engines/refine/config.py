# SPDX-License-Identifier: Apache-2.0
"""How long a refinement may take, and what it may change; needs no torch."""

from dataclasses import dataclass

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.option import check_options, option


@dataclass(frozen=True)
class RefineConfig:
    """Limits of one refinement; at least one of budget and steps is above zero."""

    budget: float = option(
        30.0, "Time that one refinement takes at most [s]; 0: only steps count.", low=0, high=3600
    )
    steps: int = option(
        0,
        "Steps that one refinement takes at most; 0: only the budget counts. With a budget of 0 "
        "the same views give the same mesh, bit for bit, on a CPU.",
        low=0,
        high=1_000_000,
    )
    seed: int = option(0, "Of all random choices.", low=0, high=2**31 - 1)
    correct_cameras: bool = option(
        True, "Correct where the cameras stood (all but the first), as hand-eye calibration errs."
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.budget == 0 and self.steps == 0:
            raise InvalidInputError(
                "budget and steps of a refinement are both 0, so it would never end; "
                "give at least one of them"
            )
