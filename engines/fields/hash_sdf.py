# SPDX-License-Identifier: Apache-2.0
"""A signed distance and a colour from a multi-resolution hash grid."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.fields.hash_layer import HashLayer
from recon_node.engines.fields.matter import near_surface
from recon_node.engines.fields.random_weights import seeded_linear
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.kernels.hash_grid_config import HashGridConfig

_DEEPEST = -0.05  # of the sphere: a hollow object is not reached from far below zero [box unit]
_UNIT = 0.05  # of what the network says [box unit]: with steps of Adam of one size, how fine it is


@dataclass(frozen=True)
class HashSdfConfig:
    """Sizes of a field; defaults suit one core of a CPU.

    Attributes:
        grid: Of the encoding.
        hidden_width: Neurons of the layer between encoding and signed distance.
        geometry_width: Numbers that the colour is computed from (15: Müller 2022).
        colour_width: Neurons of the colour's hidden layer.
        radius: Of the sphere around the origin that the field starts as [box unit].
    """

    grid: HashGridConfig = HashGridConfig(levels=8, features=4, base=16, finest=256)
    hidden_width: int = 64
    geometry_width: int = 15
    colour_width: int = 32
    radius: float = 0.5


class HashSdfField(nn.Module):
    """A surface, and colours on it: max(|p| - radius, -1/20) + (w · max(W E(p) + b, 0) + c) / 20.

    E is the hash encoding. Gradients in space are exact and need no second pass backwards. Colours
    do not depend on where they are seen from, as those of a mesh do not.

    Args:
        config: Sizes.
        conversion: From signed distance to density.
        generator: Where the weights' start comes from, on the CPU.
    """

    def __init__(
        self,
        config: HashSdfConfig,
        conversion: LaplaceDensity | LogisticDensity,
        generator: torch.Generator,
    ):
        super().__init__()
        self.config, self.conversion = config, conversion
        self.layer = HashLayer(config.grid, config.hidden_width, generator)
        self.geometry = seeded_linear(config.hidden_width, 1 + config.geometry_width, generator)
        self.rgb = nn.Sequential(
            seeded_linear(config.geometry_width, config.colour_width, generator),
            nn.ReLU(inplace=True),
            seeded_linear(config.colour_width, 3, generator),
            nn.Sigmoid(),
        )

    @property
    def levels(self) -> int:
        """Levels of the encoding that count; see `HashLayer`."""
        return self.layer.levels

    @levels.setter
    def levels(self, levels: int) -> None:
        self.layer.levels = levels

    def sdf(self, points: Tensor) -> Tensor:
        """Signed distance [box unit], negative inside, f32 (M,)."""
        return self._sdf(points, self.layer(points))

    def sdf_gradients(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance f32 (M,) and its gradient in space f32 (M, 3), both differentiable."""
        hidden = self.layer(points)
        return self._sdf(points, hidden), self._gradients(points, hidden)

    def sdf_colour(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance f32 (M,) and sRGB colour in [0, 1] f32 (M, 3)."""
        geometry = self.geometry(self.layer(points))
        return self._from(points, geometry[:, 0]), self.rgb(geometry[:, 1:])

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3); the directions do not matter."""
        return self.sdf_colour(points)[1]

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals f32 (M, 3), pointing out of the surface; differentiable."""
        return F.normalize(self._gradients(points, self.layer(points)), dim=1)

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays; see `Field.sample`.

        How a density depends on gradients is followed backwards only if these are asked for.
        """
        hidden = self.layer(points)
        geometry = self.geometry(hidden)
        sdf = self._from(points, geometry[:, 0])
        gradients, cosines = None, None
        if with_gradients or self.conversion.needs_cosines:
            with torch.set_grad_enabled(with_gradients and torch.is_grad_enabled()):
                gradients = self._gradients(points, hidden)
                cosines = (gradients * directions).sum(1)
        sigmas = self.conversion(sdf, cosines, lengths)
        asked = gradients if with_gradients else None
        return FieldSamples(sigmas, self.rgb(geometry[:, 1:]), sdf, asked)

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether the surface, or what is visible around it, may come into a cube, bool (M,)."""
        return near_surface(self.sdf(points), half_side, self.conversion.reach)

    def _from(self, points: Tensor, said: Tensor) -> Tensor:
        """Signed distance at points, of what the network says there, f32 (M,) both."""
        sphere = torch.linalg.vector_norm(points, dim=1) - self.config.radius
        return torch.add(sphere.clamp(min=_DEEPEST), said, alpha=_UNIT)

    def _sdf(self, points: Tensor, hidden: Tensor) -> Tensor:
        said = torch.addmv(self.geometry.bias[:1], hidden, self.geometry.weight[0])
        return self._from(points, said)

    def _gradients(self, points: Tensor, hidden: Tensor) -> Tensor:
        slopes = self.layer.slopes(points, hidden, _UNIT * self.geometry.weight[0])
        lengths = torch.linalg.vector_norm(points, dim=1, keepdim=True)
        outside = lengths >= self.config.radius + _DEEPEST
        return torch.where(outside, F.normalize(points, dim=1), 0) + slopes
