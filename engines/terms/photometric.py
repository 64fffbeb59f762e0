# SPDX-License-Identifier: Apache-2.0
"""The object's colours equal the picture's."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.object_colours import object_colours
from recon_node.engines.terms.robust import robust
from recon_node.engines.terms.term import Step, mean_over_rays

_LEAST_OPACITY = 1e-3


@dataclass(frozen=True)
class Photometric:
    """Charbonnier's loss between the colour a ray meets and the pixel's, in sRGB.

    Compared is Σ w rgb / Σ w, times the exposure's gains, so neither the picture's background nor
    the one rendered on has a say, and no ray gains by turning transparent: whether there is an
    object is the mask's to tell. A ray counts as much as its keyframe's weight and its own opacity,
    the latter as a constant, if the object covers its whole pixel: others show the background too.

    Attributes:
        scale: Difference in sRGB up to which the loss is a square; beyond, as at a highlight that
            only one view sees, it grows linearly.
    """

    name: ClassVar[str] = "photometric"
    scale: float = 0.05

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays of the three channels' summed loss, of shape ()."""
        measured, opacities = step.measured, step.rendered.opacities
        met = object_colours(step) / opacities.clamp(min=_LEAST_OPACITY)[:, None]
        losses = robust((met - measured.rgbs).square(), alpha=1.0, scale=self.scale).sum(dim=1)
        return mean_over_rays(measured.inside * measured.weights * opacities.detach() * losses)
