# SPDX-License-Identifier: Apache-2.0
"""The signed distance is a distance: its gradient has length 1."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.surface_points import surface_points
from recon_node.engines.terms.term import Question, Step, require_sdf


@dataclass(frozen=True)
class Eikonal:
    """(‖∇ sdf‖ - 1)² at random points (Gropp 2020, eq. 4): near the surface and in the whole box.

    Attributes:
        near: Most points near the surface, rendered samples moved at random.
        anywhere: Points drawn evenly from the box.
        spread: Standard deviation of that move, and half the reach of "near" [box units].
    """

    name: ClassVar[str] = "eikonal"
    near: int = 128
    anywhere: int = 64
    spread: float = 0.03

    def __call__(self, step: Step) -> Question:
        """Mean over the points, of shape ()."""
        require_sdf(step, self.name)
        near = surface_points(step, count=self.near, reach=2 * self.spread)
        chance = {"generator": step.generator, "device": near.device, "dtype": near.dtype}
        near = near + self.spread * torch.randn(near.shape, **chance)
        anywhere = 2 * torch.rand(self.anywhere, 3, **chance) - 1
        points = torch.cat([near.clamp(-1, 1), anywhere])
        return Question(points, _value, with_gradients=True)


def _value(_: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    return (torch.linalg.vector_norm(gradients, dim=1) - 1).square().mean()
