# SPDX-License-Identifier: Apache-2.0
"""The weights of a ray gather in one place."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.terms.term import Step


@dataclass(frozen=True)
class Distortion:
    """Σᵢⱼ wᵢ wⱼ |mᵢ - mⱼ| + ⅓ Σᵢ wᵢ² (t_endᵢ - t_startᵢ) of each ray (Barron 2022, eq. 15).

    m is a sample's middle. Samples lie in order, so the double sum is 2 Σᵢ wᵢ (mᵢ Σ_{j<i} wⱼ -
    Σ_{j<i} wⱼ mⱼ): two running sums over all samples, each less its value where the ray begins.
    They are kept in double precision, for hundreds of rays lie before the last.
    """

    name: ClassVar[str] = "distortion"

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over rays [box units], of shape ()."""
        samples, weights = step.rendered.samples, step.rendered.weights
        if len(weights) == 0:
            return step.rendered.opacities.new_zeros(())
        middles = ((samples.t_starts + samples.t_ends) / 2).double()
        doubled = weights.double()
        moments = torch.stack([doubled, doubled * middles])  # (2, M)
        before = moments.cumsum(dim=1) - moments
        firsts = samples.packed_info[:, 0][samples.ray_indices]
        nearer, nearer_moments = before - before[:, firsts]
        between = 2 * (doubled * (middles * nearer - nearer_moments)).sum()
        within = (weights.square() * (samples.t_ends - samples.t_starts)).sum() / 3
        return (between.to(weights.dtype) + within) / len(samples.packed_info)
