# SPDX-License-Identifier: Apache-2.0
"""Which cells of the box have to be looked into."""

import torch
from torch import Tensor, nn

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.fields.field import Field

_COARSEST = 16  # cells along an axis


class OccupancyGrid(nn.Module):
    """Cells of the box [-1, 1]³ that may hold matter; all of them until it is updated.

    Args:
        resolution: Cells along an axis; 16 times a power of two, or less than 32.

    Attributes:
        occupied: Indexed [x, y, z], bool (R, R, R).
    """

    occupied: Tensor

    def __init__(self, resolution: int = 64):
        super().__init__()
        self.sides = [resolution]
        while self.sides[0] >= 2 * _COARSEST:
            self.sides.insert(0, self.sides[0] // 2)
        if resolution != self.sides[0] << (len(self.sides) - 1) or resolution < 1:
            raise InvalidInputError(
                f"an occupancy grid cannot have {resolution} cells a side; choose 16, 32, 64, 128 "
                "or 256"
            )
        self.register_buffer("occupied", torch.ones((resolution,) * 3, dtype=torch.bool))

    @property
    def share(self) -> float:
        """Share of the cells that are occupied."""
        return self.occupied.float().mean().item()

    @torch.no_grad()
    def update(self, field: Field) -> None:
        """Ask the field which cells may hold matter: coarse ones, then the halves of those."""
        cells = torch.ones((self.sides[0],) * 3, dtype=torch.bool, device=self.occupied.device)
        for side in self.sides:
            if side > len(cells):
                for axis in range(3):
                    cells = cells.repeat_interleave(2, dim=axis)
            places = cells.nonzero()
            centres = (places.float() + 0.5) * (2 / side) - 1
            cells[cells.clone()] = field.may_hold_matter(centres, 1 / side)
        self.occupied.copy_(cells)
