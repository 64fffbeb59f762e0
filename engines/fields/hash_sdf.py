# SPDX-License-Identifier: Apache-2.0
"""A signed distance and a colour from a multi-resolution hash grid."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.fields.random_weights import linear, uniform
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.kernels.hash_grid import hash_encode, hash_slopes
from recon_node.kernels.hash_grid_config import HashGridConfig

_STEEPEST = 1.25  # slope that a fitted signed distance may have


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
    """A surface as sdf(p) = |p| - radius + w · max(W E(p) + b, 0), with colours on it.

    E is the hash encoding. The gradient in space is exact and needs no second pass backwards:
    p / |p| + ½ hash_slopes with (w ∘ [hidden > 0]) W as the gradient in the features. Colours do
    not depend on where they are seen from, as those of a mesh do not.

    Args:
        config: Sizes.
        conversion: From signed distance to density.
        generator: Where the weights' start comes from, on the CPU.

    Attributes:
        levels: Levels of the encoding that count; the features of finer ones are zero, and so are
            their gradients. All at the start.
    """

    def __init__(
        self,
        config: HashSdfConfig,
        conversion: LaplaceDensity | LogisticDensity,
        generator: torch.Generator,
    ):
        super().__init__()
        self.config, self.conversion = config, conversion
        self.levels = config.grid.levels
        hidden, geometry, colour = config.hidden_width, config.geometry_width, config.colour_width
        self.table = uniform(config.grid.table_shape, 1e-4, generator)  # Müller 2022, section 4
        self.hidden_in = linear(hidden, config.grid.width, generator)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.geometry_in = linear(1 + geometry, hidden, generator)
        self.geometry_bias = nn.Parameter(torch.zeros(1 + geometry))
        self.colour_in = linear(colour, geometry, generator)
        self.colour_bias = nn.Parameter(torch.zeros(colour))
        self.rgb_in = linear(3, colour, generator)
        self.rgb_bias = nn.Parameter(torch.zeros(3))

    def sdf(self, points: Tensor) -> Tensor:
        """Signed distance [box unit], negative inside, f32 (M,)."""
        hidden = self._hidden(_unit_cube(points))
        return self._base(points) + hidden @ self.geometry_in[0] + self.geometry_bias[0]

    def sdf_gradients(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance f32 (M,) and its gradient in space f32 (M, 3), both differentiable."""
        positions = _unit_cube(points)
        hidden = self._hidden(positions)
        sdf = self._base(points) + hidden @ self.geometry_in[0] + self.geometry_bias[0]
        return sdf, self._gradients(points, positions, hidden)

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals f32 (M, 3), pointing out of the surface; differentiable."""
        return F.normalize(self.sdf_gradients(points)[1], dim=1)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3); the directions do not matter."""
        return self._colour(self._geometry(self._hidden(_unit_cube(points))))

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays; see `Field.sample`.

        The density's dependence on the gradient is not followed backwards unless gradients are
        asked for.
        """
        positions = _unit_cube(points)
        hidden = self._hidden(positions)
        geometry = self._geometry(hidden)
        sdf = self._base(points) + geometry[:, 0]
        gradients, cosines = None, None
        if with_gradients or self.conversion.needs_cosines:
            with torch.set_grad_enabled(with_gradients and torch.is_grad_enabled()):
                gradients = self._gradients(points, positions, hidden)
                cosines = (gradients * directions).sum(1)
        sigmas = self.conversion(sdf, cosines, lengths)
        return FieldSamples(
            sigmas, self._colour(geometry), sdf, gradients if with_gradients else None
        )

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether the surface, or what is visible around it, may come into a cube, bool (M,)."""
        farthest = _STEEPEST * 3**0.5 * half_side + self.conversion.reach
        return self.sdf(points).abs() <= farthest

    def _base(self, points: Tensor) -> Tensor:
        return torch.linalg.vector_norm(points, dim=1) - self.config.radius

    def _hidden(self, positions: Tensor) -> Tensor:
        """The hidden layer f32 (M, H) at positions in the unit cube."""
        features = hash_encode(positions, self.table, config=self.config.grid)
        width = self.levels * self.config.grid.features
        weights = self.hidden_in
        if width < features.shape[1]:
            features, weights = features[:, :width], weights[:, :width]
        return F.relu(F.linear(features, weights, self.hidden_bias), inplace=True)

    def _geometry(self, hidden: Tensor) -> Tensor:
        """What the network adds to the sphere's distance, and what has the colour: (M, 1 + G)."""
        return F.linear(hidden, self.geometry_in, self.geometry_bias)

    def _colour(self, geometry: Tensor) -> Tensor:
        hidden = F.relu(F.linear(geometry[:, 1:], self.colour_in, self.colour_bias), inplace=True)
        return torch.sigmoid(F.linear(hidden, self.rgb_in, self.rgb_bias))

    def _gradients(self, points: Tensor, positions: Tensor, hidden: Tensor) -> Tensor:
        """Gradient of the signed distance in space, f32 (M, 3)."""
        grid = self.config.grid
        width = self.levels * grid.features
        towards = torch.where(hidden > 0, self.geometry_in[0], 0) @ self.hidden_in[:, :width]
        towards = F.pad(towards, (0, grid.width - width))
        slopes = hash_slopes(positions, self.table, towards, config=grid)
        return torch.add(F.normalize(points, dim=1), slopes, alpha=0.5)


def _unit_cube(points: Tensor) -> Tensor:
    """Where points of [-1, 1]³ are in [0, 1]³."""
    return torch.add(0.5, points, alpha=0.5)
