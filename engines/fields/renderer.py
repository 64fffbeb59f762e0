# SPDX-License-Identifier: Apache-2.0
"""What a field looks like along rays."""

from dataclasses import dataclass

import torch
from torch import Tensor

from recon_node.engines.fields.field import Field, FieldSamples
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.kernels.composite import composite
from recon_node.kernels.ray_box import ray_box
from recon_node.kernels.ray_march import RaySamples, ray_march

_NEXT_TO_NOTHING = 1e-4  # opacity below which a mean over it would have gradients beyond reason
_LOWER, _UPPER = (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Rays:
    """R rays in the box frame; both tensors may ask for gradients.

    Attributes:
        origins: Where they start, f32 (R, 3) [box].
        directions: Of unit length in the box frame, f32 (R, 3).
    """

    origins: Tensor
    directions: Tensor


@dataclass(frozen=True, eq=False)
class Rendered:
    """R rays through a field, and their M samples.

    Attributes:
        rgbs: sRGB colour over the background, f32 (R, 3).
        opacities: Share of light that comes from the field, f32 (R,).
        depths: Mean ray parameter of that light [box unit], f32 (R,); it falls to 0 where the
            opacity is below 1e-4.
        samples: Intervals of the rays that were looked into.
        weights: Share of each sample in the light of its ray, f32 (M,).
        field_samples: What the field said about them.
        points: Their middles, f32 (M, 3) [box].
    """

    rgbs: Tensor
    opacities: Tensor
    depths: Tensor
    samples: RaySamples
    weights: Tensor
    field_samples: FieldSamples
    points: Tensor


def render(
    field: Field,
    rays: Rays,
    occupancy: OccupancyGrid,
    *,
    step: float,
    jitter: Tensor,
    background: Tensor | None = None,
    with_gradients: bool = False,
) -> Rendered:
    """Colours, opacities and depths of rays, by emission and absorption (see `composite`).

    Gradients reach the field's parameters, and the rays through the places of the samples
    o + t d, with the ray parameters t fixed.

    Args:
        field: What is there.
        rays: In the box frame; nothing in front of an origin or beyond the box is met.
        occupancy: Cells to look into.
        step: Length of an interval [box unit].
        jitter: Where the first interval of each ray ends, from [0, 1), f32 (R,); see `ray_march`.
        background: sRGB colour behind the box, f32 (3,); None for black.
        with_gradients: Also the gradients of the signed distance at the samples, differentiable.
    """
    origins, directions = rays.origins, rays.directions
    t_nears, t_fars = ray_box(origins, directions, lower=_LOWER, upper=_UPPER)
    samples = ray_march(
        origins,
        directions,
        t_nears,
        t_fars,
        occupancy.occupied,
        lower=_LOWER,
        upper=_UPPER,
        step=step,
        jitter=jitter,
    )
    lengths = samples.t_ends - samples.t_starts
    middles = torch.add(samples.t_starts, lengths, alpha=0.5)
    along = directions[samples.ray_indices]
    points = torch.addcmul(origins[samples.ray_indices], middles[:, None], along)
    said = field.sample(points, along, lengths, with_gradients=with_gradients)
    light = composite(samples, said.sigmas, said.rgbs)
    rgbs = light.rgbs
    if background is not None:
        rgbs = torch.addcmul(rgbs, 1 - light.opacities[:, None], background)
    depths = light.depths / light.opacities.clamp(min=_NEXT_TO_NOTHING)
    return Rendered(rgbs, light.opacities, depths, samples, light.weights, said, points)
