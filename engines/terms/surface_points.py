# SPDX-License-Identifier: Apache-2.0
"""Random points near the surface, seen or not, among the samples that are rendered anyway."""

import torch

from recon_node.engines.terms.term import Step

_LEAST_WEIGHT = 0.01  # share of a ray's light at which a density's sample counts as surface


def surface_points(step: Step, *, count: int, reach: float) -> torch.Tensor:
    """At most `count` of the step's samples near the surface, (P, 3) [box units], no gradient.

    Samples on the far side of the object are among them, for a ray's samples do not end at the
    first surface. A density's far side is not, as it gets no light.

    Args:
        step: whose samples.
        count: the most that are wanted.
        reach: largest |sdf| of a point [box units].
    """
    samples = step.rendered.field_samples
    if samples.sdf is None:
        near = step.rendered.weights.detach() > _LEAST_WEIGHT
    else:
        near = samples.sdf.detach().abs() < reach
    near = near.nonzero()[:, 0]
    order = torch.randperm(len(near), generator=step.generator, device=near.device)
    return step.rendered.points[near[order[:count]]].detach()


def random_directions(points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Unit vectors drawn evenly from the sphere, one for each point, (P, 3)."""
    drawn = torch.randn(points.shape, generator=generator, device=points.device, dtype=points.dtype)
    return torch.nn.functional.normalize(drawn, dim=1)
