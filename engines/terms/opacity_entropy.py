# SPDX-License-Identifier: Apache-2.0
"""Rays are opaque or clear, not misty."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.term import Step, mean_over_rays

_SLACK = 1e-4  # the slope of the entropy at 0 and 1 is infinite


@dataclass(frozen=True)
class OpacityEntropy:
    """Binary entropy of opacities, -o log₂ o - (1-o) log₂ (1-o), as RealFusion uses it."""

    name: ClassVar[str] = "opacity_entropy"

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays [bit], of shape ()."""
        opacities = _SLACK + (1 - 2 * _SLACK) * step.rendered.opacities
        clear = 1 - opacities
        return mean_over_rays(-opacities * opacities.log2() - clear * clear.log2())
