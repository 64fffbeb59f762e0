# SPDX-License-Identifier: Apache-2.0
"""There is no matter in front of what is seen, nor beside the mask."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.term import Step

_NOISE = 3.0  # standard deviations in front of a measured depth that are not yet free


@dataclass(frozen=True)
class FreeSpace:
    """What samples of rays hold where keyframes saw through.

    A sample is free if its ray passes beside the mask, or if it lies in front of the measured
    depth by more than three standard deviations and four margins. A signed distance has to be at
    least the margin there: ∫ max(margin - sdf, 0) dt along the ray. A density gives Σ w, the share
    of the light that free samples stop.

    Attributes:
        margin: Least distance to the surface in free space [box units].
    """

    name: ClassVar[str] = "free_space"
    margin: float = 0.005

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays, of shape () [box units², or a share of light]."""
        measured, samples = step.measured, step.rendered.samples
        rays = samples.ray_indices
        middles = (samples.t_starts + samples.t_ends) / 2
        clearance = _NOISE * measured.usable_sigmas + 4 * self.margin
        ends = torch.where(measured.depth_known, measured.depths - clearance, -torch.inf)
        ends = torch.where(measured.outside, torch.inf, ends)  # (R,)
        free = middles < ends[rays]
        sdf = step.rendered.field_samples.sdf
        if sdf is None:
            held = step.rendered.weights
        else:
            held = (self.margin - sdf).clamp(min=0.0) * (samples.t_ends - samples.t_starts)
        return (free * measured.weights[rays] * held).sum() / max(len(ends), 1)
