# SPDX-License-Identifier: Apache-2.0
"""The hash encoding as one writes it in torch without kernels: all corners of a level at once."""

import torch

from recon_node.kernels.hash_grid_config import HashGridConfig

_PRIMES = (1, 2654435761, 805459861)


class PlainHashGrid(torch.nn.Module):
    """An embedding per level, looked up at the eight corners of each point's cell.

    Args:
        config: of `kernels.hash_grid`, which has the same answers for the same rows.
        table: rows to begin with, f32 `config.table_shape`.
    """

    def __init__(self, config: HashGridConfig, table: torch.Tensor):
        super().__init__()
        self._config = config
        parts = torch.split(table, config.rows)
        self.levels = torch.nn.ModuleList(
            torch.nn.Embedding.from_pretrained(part.clone(), freeze=False) for part in parts
        )
        corners = torch.cartesian_prod(*3 * [torch.arange(2)])
        self.register_buffer("_corners", corners)  # (8, 3)
        self.register_buffer("_primes", torch.tensor(_PRIMES))

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Features (N, W) of positions (N, 3) in the unit cube."""
        features = []
        for level, embedding in enumerate(self.levels):
            resolution = self._config.resolutions[level]
            scaled = positions * resolution
            cell = scaled.detach().floor().long().clamp(0, resolution - 1)
            within = (scaled - cell)[:, None]  # (N, 1, 3)
            vertices = cell[:, None] + self._corners  # (N, 8, 3)
            if self._config.dense[level]:
                x, y, z = vertices.unbind(-1)
                rows = x + (resolution + 1) * (y + (resolution + 1) * z)
            else:
                x, y, z = (vertices * self._primes).unbind(-1)
                rows = (x ^ y ^ z) & (self._config.table_size - 1)
            weights = torch.where(self._corners == 1, within, 1 - within).prod(-1)  # (N, 8)
            features.append((weights[..., None] * embedding(rows)).sum(1))
        return torch.cat(features, dim=-1)
