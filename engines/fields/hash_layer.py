# SPDX-License-Identifier: Apache-2.0
"""One hidden layer over a hash encoding of the box, and its slopes in space."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.fields.random_weights import linear, uniform
from recon_node.kernels.hash_grid import hash_encode, hash_slopes
from recon_node.kernels.hash_grid_config import HashGridConfig


class HashLayer(nn.Module):
    """max(W E(p) + b, 0), where E is the hash encoding of the box [-1, 1]³.

    Args:
        grid: Of the encoding.
        width: Neurons.
        generator: Where the weights' start comes from, on the CPU.

    Attributes:
        levels: Levels of the encoding that count, the coarsest first; the features of others are
            zero, and so are their gradients. All at the start.
    """

    def __init__(self, grid: HashGridConfig, width: int, generator: torch.Generator):
        super().__init__()
        self.grid, self.levels = grid, grid.levels
        self.table = uniform(grid.table_shape, 1e-4, generator)  # Müller 2022, section 4
        self.weight = linear(width, grid.width, generator)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, points: Tensor) -> Tensor:
        """The layer at points f32 (M, 3) [box], f32 (M, width)."""
        features = hash_encode(_unit_cube(points), self.table, config=self.grid)
        active = self.levels * self.grid.features
        weight = self.weight
        if active < features.shape[1]:
            features, weight = features[:, :active], weight[:, :active]
        return F.relu(F.linear(features, weight, self.bias), inplace=True)

    def slopes(self, points: Tensor, hidden: Tensor, direction: Tensor) -> Tensor:
        """Gradients in space of the layer along a direction, f32 (M, 3), differentiable.

        ½ hash_slopes with (direction ∘ [hidden > 0]) W as the gradient in the features: exact, and
        without a pass backwards.

        Args:
            points: f32 (M, 3) [box].
            hidden: The layer there, f32 (M, width).
            direction: f32 (width,).
        """
        active = self.levels * self.grid.features
        towards = torch.where(hidden > 0, direction, 0) @ self.weight[:, :active]
        if active < self.grid.width:
            towards = F.pad(towards, (0, self.grid.width - active))
        return 0.5 * hash_slopes(_unit_cube(points), self.table, towards, config=self.grid)


def _unit_cube(points: Tensor) -> Tensor:
    """Where points of [-1, 1]³ are in [0, 1]³."""
    return torch.add(0.5, points, alpha=0.5)
