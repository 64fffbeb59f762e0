# SPDX-License-Identifier: Apache-2.0
"""What the differentiable kernels compute, in plain torch: the same names, signatures and answers.

Written to be read and to be right; gradients of every order are torch's own.
"""

import torch

from recon_node.kernels.hash_grid_config import HashGridConfig

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
