# SPDX-License-Identifier: Apache-2.0
"""The object has little surface: no crumbs, no ripples."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.surface_points import random_directions, surface_points
from recon_node.engines.terms.term import Question, Step


@dataclass(frozen=True)
class TotalVariation:
    """|h(p + ε) - h(p)| / |ε| of the occupancy h, for random short ε at points near the surface.

    Over a volume V, 2V times its mean is the area of the surface inside (Crofton's formula: a
    needle crosses it |ε| · area / 2V times). h is 1/(1 + exp(sdf / width)) of a signed distance,
    and 1 - exp(-density · |ε|) of a density.

    Attributes:
        points: How many needles a step throws, with two ends each.
        distance: Length of a needle [box units].
        width: Distance over which occupancy falls from 1 to 0 [box units].
    """

    name: ClassVar[str] = "total_variation"
    points: int = 64
    distance: float = 0.02
    width: float = 0.01

    def __call__(self, step: Step) -> torch.Tensor | Question:
        """Mean over the needles [1 / box unit], of shape ()."""
        here = surface_points(step, count=self.points, reach=self.distance + 2 * self.width)
        if len(here) == 0:
            return step.rendered.opacities.new_zeros(())
        there = here + self.distance * random_directions(here, step.generator)
        points = torch.cat([here, there])
        if step.rendered.field_samples.sdf is None:
            return self._value(1 - (-step.field.density(points) * self.distance).exp())
        return Question(points, lambda sdf, _: self._value(torch.sigmoid(-sdf / self.width)))

    def _value(self, occupancies: torch.Tensor) -> torch.Tensor:
        occupancies, others = occupancies.chunk(2)
        return (occupancies - others).abs().mean() / self.distance
