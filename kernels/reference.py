# SPDX-License-Identifier: Apache-2.0
"""What the differentiable kernels compute, in plain torch: the same names, signatures and answers.

Written to be read and to be right; gradients of every order are torch's own.
"""

import math
from collections.abc import Sequence

import torch

from recon_node.kernels.composite import Composite
from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.ray_march import RaySamples

_CORNERS = [(c & 1, (c >> 1) & 1, c >> 2) for c in range(8)]
_PRIMES = (1, 2654435761, 805459861)
_MASK32 = 0xFFFFFFFF


def hash_encode(
    positions: torch.Tensor, table: torch.Tensor, *, config: HashGridConfig
) -> torch.Tensor:
    """Features of points, (N, W), as in `kernels.hash_grid`."""
    inside = positions.clamp(0, 1)
    features, first = [], 0
    for resolution, rows, dense in zip(config.resolutions, config.rows, config.dense, strict=True):
        scaled = inside * resolution
        cell = scaled.detach().long().clamp(max=resolution - 1)
        within = scaled - cell
        total = 0
        for corner in _CORNERS:
            vertex = cell + torch.tensor(corner, device=cell.device)
            if dense:
                strides = torch.tensor([1, resolution + 1, (resolution + 1) ** 2])
                place = (vertex * strides.to(cell.device)).sum(dim=1)
            else:
                x, y, z = (vertex * torch.tensor(_PRIMES, device=cell.device) & _MASK32).T
                place = (x ^ y ^ z) % config.table_size
            upper = torch.tensor(corner, device=cell.device) == 1
            weight = torch.where(upper, within, 1 - within).prod(dim=1, keepdim=True)
            total = total + weight * table[first + place]
        features.append(total)
        first += rows
    return torch.cat(features, dim=1)


def hash_slopes(
    positions: torch.Tensor,
    table: torch.Tensor,
    cotangents: torch.Tensor,
    *,
    config: HashGridConfig,
) -> torch.Tensor:
    """Gradients of ⟨cotangents, features⟩ in each position, (N, 3), as in `kernels.hash_grid`."""
    with torch.enable_grad():
        positions = positions if positions.requires_grad else positions.detach().requires_grad_()
        features = hash_encode(positions, table, config=config)
        return torch.autograd.grad(features, positions, cotangents, create_graph=True)[0]


def ray_box(
    origins: torch.Tensor,
    directions: torch.Tensor,
    *,
    lower: Sequence[float],
    upper: Sequence[float],
    near: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ray parameters at which rays enter and leave a box, (N,), as in `kernels.ray_box`."""
    corners = origins.new_tensor([list(lower), list(upper)])
    planes = (corners - origins[:, None]) / directions[:, None]  # (N, 2, 3)
    beside = (origins < corners[0]) | (origins > corners[1])
    parallel = directions == 0
    entries = planes.amin(dim=1).masked_fill(parallel, -torch.inf).amax(dim=1).clamp(min=near)
    exits = planes.amax(dim=1).masked_fill(parallel, torch.inf).amin(dim=1)
    met = (entries < exits) & exits.isfinite() & ~(parallel & beside).any(dim=1)
    nowhere = torch.full_like(entries, near)
    return torch.where(met, entries, nowhere), torch.where(met, exits, nowhere)


def ray_march(
    origins: torch.Tensor,
    directions: torch.Tensor,
    t_nears: torch.Tensor,
    t_fars: torch.Tensor,
    occupied: torch.Tensor,
    *,
    lower: Sequence[float],
    upper: Sequence[float],
    step: float,
    jitter: torch.Tensor,
) -> RaySamples:
    """Intervals of rays whose middle lies in an occupied cell, as in `kernels.ray_march`."""
    longest = (t_fars - t_nears).amax().item() if len(origins) else 0.0
    cuts = torch.arange(-1, max(int(longest / step), 0) + 2, device=origins.device)
    bounds = t_nears[:, None] + (cuts + jitter[:, None]).clamp(min=0) * step
    bounds = torch.minimum(bounds, t_fars[:, None])
    starts, ends = bounds[:, :-1], bounds[:, 1:]
    points = origins[:, None] + (0.5 * (starts + ends))[..., None] * directions[:, None]
    low, high = origins.new_tensor([list(lower), list(upper)])
    cells = origins.new_tensor(occupied.shape)
    x, y, z = ((points - low) / (high - low) * cells).floor().long().unbind(dim=-1)
    inside = [c.clamp(0, size - 1) for c, size in zip((x, y, z), occupied.shape, strict=True)]
    kept = occupied[tuple(inside)] & (starts < ends)
    counts = kept.sum(dim=1)
    packed_info = torch.stack([counts.cumsum(0) - counts, counts], dim=1)
    return RaySamples(starts[kept], ends[kept], kept.nonzero()[:, 0], packed_info)


def composite(
    samples: RaySamples, sigmas: torch.Tensor, rgbs: torch.Tensor, *, stop: float = 1e-4
) -> Composite:
    """Weights of samples, and opacities, depths and colours of rays, as in `kernels.composite`."""
    lengths = samples.t_ends - samples.t_starts
    middles = 0.5 * (samples.t_starts + samples.t_ends)
    rays, count = len(samples.packed_info), len(samples.t_starts)
    places = torch.arange(count, device=sigmas.device) - samples.packed_info[samples.ray_indices, 0]
    longest = int(samples.packed_info[:, 1].amax()) if count else 0
    # A row for each ray, with nothing in front of its first sample or behind its last.
    thickness = sigmas.new_zeros(rays, longest + 1)
    thickness = thickness.index_put((samples.ray_indices, places + 1), sigmas * lengths)
    passed = thickness.cumsum(1)[samples.ray_indices, places]
    seen = passed <= (-math.log(stop) if stop > 0 else math.inf)
    weights = seen * torch.exp(-passed) * (1 - torch.exp(-sigmas * lengths))
    terms = torch.cat([weights[:, None], (weights * middles)[:, None], weights[:, None] * rgbs], 1)
    sums = terms.new_zeros(rays, 5).index_add(0, samples.ray_indices, terms)
    return Composite(weights, sums[:, 0], sums[:, 1], sums[:, 2:])
