# SPDX-License-Identifier: Apache-2.0
"""Rays are as opaque as the mask says."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.term import Step, mean_over_rays

_SLACK = 1e-3  # a mask is never surer than that; NeuS clips opacities so


@dataclass(frozen=True)
class Mask:
    """Cross entropy of opacity o against coverage m, less the entropy of m: 0 if they are equal.

    m ln(m/o) + (1-m) ln((1-m)/(1-o)), with both drawn in from 0 and 1 by a thousandth instead of
    clipped, so that an opaque ray outside the mask still has a gradient. A pixel of unknown
    coverage says nothing.
    """

    name: ClassVar[str] = "mask"

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays [nat], of shape ()."""
        measured = step.measured
        known = measured.masks.isfinite()
        opacities = _draw_in(step.rendered.opacities)
        masks = _draw_in(measured.coverage)
        covered = masks * (masks / opacities).log()
        free = (1 - masks) * ((1 - masks) / (1 - opacities)).log()
        return mean_over_rays(known * measured.weights * (covered + free))


def _draw_in(share: torch.Tensor) -> torch.Tensor:
    return _SLACK + (1 - 2 * _SLACK) * share
