# SPDX-License-Identifier: Apache-2.0
"""Where nothing was seen, the field stays what it began as."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.terms.robust import robust
from recon_node.engines.terms.term import Question, Step, require_sdf


@dataclass(frozen=True, eq=False)
class Prior:
    """Geman and McClure's loss between signed distances now and at the start.

    It never exceeds 2 and lets go of a point that measurements have moved by much more than the
    scale, so evidence wins.

    Attributes:
        points: Where the start's distances are known [box units], (P, 3).
        sdf: The start's distance at each [box units], (P,).
        weights: How much each is to stay, 0 where keyframes saw, (P,).
        scale: Displacement at which the prior pulls hardest, about [box units].
        count: How many random points a step looks at.
    """

    name: ClassVar[str] = "prior"
    points: torch.Tensor
    sdf: torch.Tensor
    weights: torch.Tensor
    scale: float = 0.05
    count: int = 128

    def __post_init__(self) -> None:
        """Refuse points without a distance or a weight, or with numbers that are none."""
        count = len(self.points)
        for name in ("points", "sdf", "weights"):
            tensor, asked = getattr(self, name), (count,) + (name == "points") * (3,)
            if tuple(tensor.shape) != asked:
                raise InvalidInputError(
                    f"{name} has shape {tuple(tensor.shape)}; {count} points need {asked}"
                )
            if not tensor.isfinite().all():
                raise InvalidInputError(f"{name} of the prior has a NaN or infinite entry")

    def __call__(self, step: Step) -> torch.Tensor | Question:
        """Mean over the points drawn, of shape ()."""
        require_sdf(step, self.name)
        if len(self.points) == 0:
            return step.rendered.opacities.new_zeros(())
        drawn = torch.randint(
            len(self.points), (self.count,), generator=step.generator, device=self.sdf.device
        )
        weights, started = self.weights[drawn], self.sdf[drawn]

        def value(sdf: torch.Tensor, _: None) -> torch.Tensor:
            squares = (sdf - started).square()
            return (weights * robust(squares, alpha=-2.0, scale=self.scale)).mean()

        return Question(self.points[drawn], value)
