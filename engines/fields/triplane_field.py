# SPDX-License-Identifier: Apache-2.0
"""What a large reconstruction model saw as a field: to render, and to compare others with.

The planes may be parameters: gradients reach them, the decoder and the points. Normals are
detached, for torch cannot differentiate its bilinear sampling twice.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.fields.matter import near_surface, thick_somewhere
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.engines.lrm.model import Decoder as CompactDecoder
from recon_node.engines.lrm.triposr.model import Decoder as TriposrDecoder
from recon_node.engines.transforms import Similarity

_DENSITY_BIAS = -1.0  # density = exp(raw + bias), TripoSR's
_AXES = ((0, 1), (0, 2), (1, 2))  # of the planes, the first along the last array axis


class _Placed(nn.Module):
    """Where the box lies in a model's own cube."""

    def __init__(self, S_model_box: Similarity, device: torch.device):
        super().__init__()
        self.scale = S_model_box.scale
        matrix = torch.tensor(S_model_box.matrix(), dtype=torch.float32, device=device)
        self.register_buffer("linear", matrix[:3, :3].T.contiguous(), persistent=False)
        self.register_buffer("offset", matrix[:3, 3].contiguous(), persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """Points of the box in the model's cube, f32 (M, 3)."""
        return torch.addmm(self.offset, points, self.linear)


class TriplaneDensityField(nn.Module):
    """The field of the TripoSR family (`engines/triplane.py` is its twin without gradients).

    Args:
        decoder: The model's.
        planes: Through the decoder's first layer, as the model's encoder answers for one object,
            f32 (3, H, S, S).
        half_extent: Half the side of the cube that the planes span [model unit]; nothing is beyond.
        S_model_box: Box to model.
    """

    def __init__(
        self,
        decoder: TriposrDecoder,
        planes: Tensor,
        *,
        half_extent: float,
        S_model_box: Similarity,
    ):
        super().__init__()
        self.decoder, self.planes, self.half_extent = decoder, planes, half_extent
        self._to_model = _Placed(S_model_box, planes.device)

    def density(self, points: Tensor) -> Tensor:
        """Density [1 / box unit], f32 (M,)."""
        return self._ask(points)[0]

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3); the directions do not matter."""
        return self._ask(points)[1]

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals f32 (M, 3), where the density falls fastest; without gradients."""
        return -_unit_slopes(lambda p: self._raw(p)[0], points)

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays; see `Field.sample`. It has no distance."""
        return FieldSamples(*self._ask(points))

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether a cube is thick enough to be seen, bool (M,)."""
        return thick_somewhere(self.density, points, half_side)

    def _raw(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's raw density (M,) and colour (M, 3), and the scaled places (M, 3)."""
        places = self._to_model(points) / self.half_extent
        grids = torch.stack([places[:, axes] for axes in _AXES])[:, None]  # (3, 1, M, 2)
        hidden = F.grid_sample(self.planes, grids, align_corners=False)[:, :, 0].sum(dim=0)
        return *self.decoder(hidden.T), places

    def _ask(self, points: Tensor) -> tuple[Tensor, Tensor]:
        raw, rgbs, places = self._raw(points)
        density = torch.exp(raw + _DENSITY_BIAS) * self._to_model.scale
        return density * (places.abs() <= 1).all(dim=1), rgbs


class CompactSdfField(nn.Module):
    """The signed distance that the compact model saw in a crop.

    Args:
        decoder: The model's.
        front: Plane that faces the camera, as the model's encoder answers, f32 (1, C, S, S).
        sides: The two others, f32 (1, 2, C, S, S).
        crop: The encoder's input, f32 (1, 6, S, S).
        tan_half_fov: Of the crop, f32 (1,).
        conversion: From signed distance [box unit] to density.
        S_canonical_box: Box to the canonical cube.
    """

    def __init__(
        self,
        decoder: CompactDecoder,
        front: Tensor,
        sides: Tensor,
        crop: Tensor,
        tan_half_fov: Tensor,
        *,
        conversion: LaplaceDensity | LogisticDensity,
        S_canonical_box: Similarity,
    ):
        super().__init__()
        self.decoder, self.conversion = decoder, conversion
        self.planes = front, sides, crop, tan_half_fov
        self._to_canonical = _Placed(S_canonical_box, front.device)

    def sdf(self, points: Tensor) -> Tensor:
        """Signed distance [box unit], negative inside, f32 (M,)."""
        return self._ask(points)[0]

    def sdf_gradients(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance f32 (M,) and its gradient in space f32 (M, 3); the latter detached."""
        return self.sdf(points), _slopes(self.sdf, points)

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3); the directions do not matter."""
        return self._ask(points)[1]

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals f32 (M, 3), pointing out of the surface; without gradients."""
        return _unit_slopes(self.sdf, points)

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays; see `Field.sample`."""
        sdf, rgbs = self._ask(points)
        gradients, cosines = None, None
        if with_gradients or self.conversion.needs_cosines:
            gradients = _slopes(self.sdf, points)
            cosines = (gradients * directions).sum(1)
        sigmas = self.conversion(sdf, cosines, lengths)
        return FieldSamples(sigmas, rgbs, sdf, gradients if with_gradients else None)

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether the surface, or what is visible around it, may come into a cube, bool (M,)."""
        return near_surface(self.sdf(points), half_side, self.conversion.reach)

    def _ask(self, points: Tensor) -> tuple[Tensor, Tensor]:
        sdf, rgbs = self.decoder(*self.planes, self._to_canonical(points)[None])
        return sdf[0] / self._to_canonical.scale, rgbs[0]


def _slopes(question: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Gradients in space of a field's answers f32 (M,), f32 (M, 3), without gradients."""
    with torch.enable_grad():
        places = points.detach().requires_grad_()
        return torch.autograd.grad(question(places).sum(), places)[0]


def _unit_slopes(question: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    return F.normalize(_slopes(question, points), dim=1)
