# SPDX-License-Identifier: Apache-2.0
"""The object has little surface: no crumbs, no ripples."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.surface_points import random_directions, surface_points
from recon_node.engines.terms.term import Step


@dataclass(frozen=True)
class TotalVariation:
    """|h(p + ε) - h(p)| / |ε| of the occupancy h, for random short ε at points near the surface.

    Over a volume V, 2V times its mean is the area of the surface inside (Crofton's formula: a
    needle crosses it |ε| · area / 2V times). h is 1/(1 + exp(sdf / width)) of a signed distance,
    and 1 - exp(-density · |ε|) of a density.

    Attributes:
        points: How many needles a step throws; each costs two evaluations of the field.
        distance: Length of a needle [box units].
        width: Distance over which occupancy falls from 1 to 0 [box units].
    """

    name: ClassVar[str] = "total_variation"
    points: int = 128
    distance: float = 0.02
    width: float = 0.01

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over the needles [1 / box unit], of shape ()."""
        here = surface_points(step, count=self.points, reach=self.distance + 2 * self.width)
        if len(here) == 0:
            return step.rendered.opacities.new_zeros(())
        there = here + self.distance * random_directions(here, step.generator)
        occupancies, others = self._occupancies(step, torch.cat([here, there])).chunk(2)
        return (occupancies - others).abs().mean() / self.distance

    def _occupancies(self, step: Step, points: torch.Tensor) -> torch.Tensor:
        if step.rendered.field_samples.sdf is None:
            return 1 - (-step.field.density(points) * self.distance).exp()
        return torch.sigmoid(-step.field.sdf(points) / self.width)
