# SPDX-License-Identifier: Apache-2.0
"""Neighbouring points of the surface have like normals."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.robust import robust
from recon_node.engines.terms.surface_points import random_directions, surface_points
from recon_node.engines.terms.term import Question, Step


@dataclass(frozen=True)
class NormalSmoothness:
    """Charbonnier's loss of n(p) - n(p + ε) for random short ε (as Oechsle 2021, UNISURF).

    Normals are the field's own, so this trains through second derivatives; few points keep it
    cheap. The loss grows linearly, so an edge costs no more than many small bumps.

    Attributes:
        points: How many pairs of points a step looks at.
        distance: Length of ε [box units].
        scale: Difference of two unit normals beyond which the loss is linear.
    """

    name: ClassVar[str] = "normal_smoothness"
    points: int = 64
    distance: float = 0.02
    scale: float = 0.1

    def __call__(self, step: Step) -> torch.Tensor | Question:
        """Mean over the pairs, of shape ()."""
        here = surface_points(step, count=self.points, reach=2 * self.distance)
        if len(here) == 0:
            return step.rendered.opacities.new_zeros(())
        there = here + self.distance * random_directions(here, step.generator)
        points = torch.cat([here, there])
        if step.rendered.field_samples.sdf is None:
            return self._value(step.field.normals(points))
        return Question(
            points,
            lambda _, gradients: self._value(torch.nn.functional.normalize(gradients, dim=1)),
            with_gradients=True,
        )

    def _value(self, normals: torch.Tensor) -> torch.Tensor:
        normals, others = normals.chunk(2)
        squares = (normals - others).square().sum(dim=1)
        return robust(squares, alpha=1.0, scale=self.scale).mean()
