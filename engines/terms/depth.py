# SPDX-License-Identifier: Apache-2.0
"""Rays end where the depth camera says."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.robust import robust
from recon_node.engines.terms.term import Step, mean_over_rays


@dataclass(frozen=True)
class Depth:
    """Charbonnier's loss of rendered less measured depth, in standard deviations of the sensor.

    Only where the mask is on, and as much as the ray is opaque: a ray that meets nothing has no
    depth to compare.
    """

    name: ClassVar[str] = "depth"

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays, of shape (); 1/2 (z/σ)² each for small residuals, |z|/σ for large."""
        measured, rendered = step.measured, step.rendered
        known = measured.depth_known & (rendered.opacities.detach() > 0)
        residuals = (rendered.depths - measured.depths) / measured.usable_sigmas
        residuals = torch.where(known, residuals, 0.0)
        losses = robust(residuals.square(), alpha=1.0, scale=1.0)
        return mean_over_rays(measured.weights * rendered.opacities.detach() * losses)
