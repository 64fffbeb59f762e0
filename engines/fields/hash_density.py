# SPDX-License-Identifier: Apache-2.0
"""A density and a colour from a multi-resolution hash grid (Instant-NGP, Müller et al. 2022)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.fields.hash_layer import HashLayer
from recon_node.engines.fields.matter import thick_somewhere
from recon_node.engines.fields.random_weights import seeded_linear
from recon_node.engines.fields.spherical_harmonics import HARMONICS, spherical_harmonics
from recon_node.kernels.hash_grid_config import HashGridConfig

_LARGEST = 15.0  # logarithm up to which the exponential is followed backwards, instant-ngp's


@dataclass(frozen=True)
class HashDensityConfig:
    """Sizes of a field; the networks are those of Müller 2022, section 5.4.

    Attributes:
        grid: Of the encoding; its default suits one core of a CPU.
        hidden_width: Neurons of the layer between encoding and density.
        geometry_width: Numbers that the colour is computed from, besides the direction.
        colour_width: Neurons of each of the colour's two hidden layers.
    """

    grid: HashGridConfig = HashGridConfig(levels=8, features=4, base=16, finest=256)
    hidden_width: int = 64
    geometry_width: int = 15
    colour_width: int = 64


class _BoundedExp(torch.autograd.Function):
    """exp(x), whose gradient stops to grow at x = 15."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.exp(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, cotangents):
        (x,) = ctx.saved_tensors
        return cotangents * torch.exp(x.clamp(max=_LARGEST))


class HashDensityField(nn.Module):
    """density(p) = exp(w · max(W E(p) + b, 0) + c), with colours that depend on the direction.

    Args:
        config: Sizes.
        generator: Where the weights' start comes from, on the CPU.
    """

    def __init__(self, config: HashDensityConfig, generator: torch.Generator):
        super().__init__()
        self.config = config
        self.layer = HashLayer(config.grid, config.hidden_width, generator)
        self.geometry = seeded_linear(config.hidden_width, 1 + config.geometry_width, generator)
        width = config.colour_width
        self.rgb = nn.Sequential(
            seeded_linear(config.geometry_width + HARMONICS, width, generator),
            nn.ReLU(inplace=True),
            seeded_linear(width, width, generator),
            nn.ReLU(inplace=True),
            seeded_linear(width, 3, generator),
            nn.Sigmoid(),
        )

    @property
    def levels(self) -> int:
        """Levels of the encoding that count; see `HashLayer`."""
        return self.layer.levels

    @levels.setter
    def levels(self, levels: int) -> None:
        self.layer.levels = levels

    def log_density(self, points: Tensor) -> Tensor:
        """Logarithm of the density, f32 (M,)."""
        hidden = self.layer(points)
        return torch.addmv(self.geometry.bias[:1], hidden, self.geometry.weight[0])

    def log_density_colour(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the density f32 (M,), and sRGB colour in [0, 1] f32 (M, 3)."""
        geometry = self.geometry(self.layer(points))
        harmonics = spherical_harmonics(directions)
        return geometry[:, 0], self.rgb(torch.cat([geometry[:, 1:], harmonics], dim=1))

    def density(self, points: Tensor) -> Tensor:
        """Density [1 / box unit], f32 (M,)."""
        return _BoundedExp.apply(self.log_density(points))

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3), seen along unit directions f32 (M, 3)."""
        return self.log_density_colour(points, directions)[1]

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals f32 (M, 3): where the density falls fastest; differentiable."""
        slopes = self.layer.slopes(points, self.layer(points), self.geometry.weight[0])
        return F.normalize(-slopes, dim=1)

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays; it has no distance and no gradients of it.

        Args:
            points: Middles of the intervals, f32 (M, 3) [box].
            directions: Unit directions of their rays, f32 (M, 3) [box].
            lengths: Of the intervals; the density in their middles counts for all of it.
            with_gradients: Makes no difference.
        """
        log_density, rgbs = self.log_density_colour(points, directions)
        return FieldSamples(_BoundedExp.apply(log_density), rgbs)

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether one of eight places in a cube is thicker than 0.01 over its side, bool (M,)."""
        return thick_somewhere(self.density, points, half_side)
