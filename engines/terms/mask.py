# SPDX-License-Identifier: Apache-2.0
"""Rays meet the object where the mask says so."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.term import Step, mean_over_rays

_SLACK = 1e-3  # a mask is never surer than that; NeuS clips opacities so
_FAR = 0.1  # least distance of a ray that was not sampled [box units]: no object there


@dataclass(frozen=True)
class Mask:
    """Cross entropy of how likely a ray meets the object, o, and coverage m, less the entropy of m.

    m ln(m/o) + (1-m) ln((1-m)/(1-o)), with both drawn in from 0 and 1 by a thousandth instead of
    clipped, so that a ray that is wrong to the end still has a gradient. A pixel of unknown
    coverage says nothing.

    Of a signed distance, o = 1 / (1 + exp(d / width)), d the least one along the ray (Yariv 2020,
    "Multiview neural surface reconstruction"): a half where the ray just touches the surface. The
    opacity is more than that, as light is stopped around a surface too, and a long way where a ray
    passes along it: fitted to masks, it leaves objects smaller than their outlines. Of a density o
    is the opacity, for want of a surface.

    Attributes:
        width: Distance from the outline at which a ray is decided [box units].
    """

    name: ClassVar[str] = "mask"
    width: float = 0.006

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays [nat], of shape ()."""
        measured = step.measured
        known = measured.masks.isfinite()
        met, masks = _draw_in(self._met(step)), _draw_in(measured.coverage)
        covered = masks * (masks / met).log()
        free = (1 - masks) * ((1 - masks) / (1 - met)).log()
        return mean_over_rays(known * measured.weights * (covered + free))

    def _met(self, step: Step) -> torch.Tensor:
        """How likely each ray meets the object, 0 to 1, (R,)."""
        sdf = step.rendered.field_samples.sdf
        if sdf is None:
            return step.rendered.opacities
        nearest = sdf.new_full((len(step.measured.masks),), _FAR)
        rays = step.rendered.samples.ray_indices.to(torch.int64)
        return torch.sigmoid(-nearest.scatter_reduce(0, rays, sdf, "amin") / self.width)


def _draw_in(share: torch.Tensor) -> torch.Tensor:
    return _SLACK + (1 - 2 * _SLACK) * share
