# SPDX-License-Identifier: Apache-2.0
"""Measured points lie on the surface, with air in front of them and matter just behind."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.robust import robust
from recon_node.engines.terms.term import Question, Step, require_sdf

_LEAST_COSINE = 0.25  # between ray and normal: a depth camera says little beyond 75 degrees


@dataclass(frozen=True)
class Surface:
    """Signed distances at and around measured points, in standard deviations of the sensor.

    At the point itself the distance is 0. At s in front of it (behind: s < 0) the truncated
    distance of KinectFusion (Newcombe 2011, eq. 6) and of neural RGB-D fields (Azinović 2022) is s;
    that is the distance along the ray, and the distance to a plane seen at an angle is s·cos. So
    the field may say anything between s/4 and s there, and is corrected by what it lacks: the
    surface is not pushed aside where it is seen at an angle.

    Attributes:
        truncation: Largest |s| [box units]; thinner walls than that are fought over by what is
            seen of their two sides.
        points: Most rays that are asked about in a step, at two points each.
    """

    name: ClassVar[str] = "surface"
    truncation: float = 0.03
    points: int = 128

    def __call__(self, step: Step) -> torch.Tensor | Question:
        """Mean over rays of the two losses' sum, of shape ()."""
        require_sdf(step, self.name)
        measured = step.measured
        known = measured.depth_known.nonzero()[:, 0]
        if len(known) == 0:
            return step.rendered.opacities.new_zeros(())
        order = torch.randperm(len(known), generator=step.generator, device=known.device)
        asked = known[order[: self.points]]
        depths, sigmas = measured.depths[asked], measured.usable_sigmas[asked]
        uniform = torch.rand(
            len(asked), generator=step.generator, device=depths.device, dtype=depths.dtype
        )
        offsets = self.truncation * (2 * uniform - 1)
        lengths = torch.stack([depths, depths - offsets])  # (2, P)
        points = step.rays.origins[asked] + lengths[..., None] * step.rays.directions[asked]
        # Those asked stand for all that are known.
        weights = measured.weights[asked] * len(known) / (len(asked) * len(measured.depths))

        def value(sdf: torch.Tensor, _: None) -> torch.Tensor:
            residuals = _residuals(*sdf.reshape(2, -1), offsets) / sigmas
            return (weights * robust(residuals.square(), alpha=1.0, scale=1.0)).sum()

        return Question(points.reshape(-1, 3), value)


def _residuals(at: torch.Tensor, around: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """How far distances are from what is allowed at the points and around them, (2, P)."""
    flattest = _LEAST_COSINE * offsets
    allowed = around.clamp(torch.minimum(flattest, offsets), torch.maximum(flattest, offsets))
    return torch.stack([at, around - allowed])
