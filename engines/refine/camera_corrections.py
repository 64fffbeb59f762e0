# SPDX-License-Identifier: Apache-2.0
"""Small motions of the keyframes' cameras and gains of their exposures, learned with the field."""

import torch
from torch import Tensor, nn

from recon_node.engines.fields.renderer import Rays
from recon_node.engines.refine.pixels import Pixels


class CameraCorrections(nn.Module):
    """A turn exp(ω) about the box's centre, a move v and three gains for each keyframe.

    p ↦ exp([ω]×) p + v moves a camera in the box frame. The first keyframe's are zero for ever:
    it holds the object where it is.

    Args:
        count: Of keyframes.

    Attributes:
        turns: ω, f32 (K, 3) [rad].
        moves: v, f32 (K, 3) [box unit].
        log_gains: Of sRGB, f32 (K, 3).
    """

    def __init__(self, count: int):
        super().__init__()
        self.turns = nn.Parameter(torch.zeros(count, 3))
        self.moves = nn.Parameter(torch.zeros(count, 3))
        self.log_gains = nn.Parameter(torch.zeros(count, 3))
        free = torch.ones(count, 1)
        free[0] = 0
        self.register_buffer("free", free, persistent=False)

    def rays(self, pixels: Pixels) -> Rays:
        """The pixels' rays from where the cameras are now thought to stand [box]."""
        rotations, moves = self.transforms()
        origins = torch.einsum("kij,kj->ki", rotations, pixels.origins) + moves
        owners = pixels.measured.keyframes
        directions = torch.einsum("rij,rj->ri", rotations[owners], pixels.directions)
        return Rays(origins[owners], directions)

    def exposures(self, pixels: Pixels) -> Tensor:
        """Gains of the pixels' keyframes, f32 (R, 3)."""
        return (self.free * self.log_gains).exp()[pixels.measured.keyframes]

    def transforms(self) -> tuple[Tensor, Tensor]:
        """Rotations f32 (K, 3, 3) and moves f32 (K, 3) [box unit]."""
        x, y, z = (self.free * self.turns).unbind(1)
        o = torch.zeros_like(x)
        skew = torch.stack([o, -z, y, z, o, -x, -y, x, o], dim=1).reshape(-1, 3, 3)
        return torch.linalg.matrix_exp(skew), self.free * self.moves
