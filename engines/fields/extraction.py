# SPDX-License-Identifier: Apache-2.0
"""Meshes of fields, in the box frame and with colours."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recon_node.engines.density_surface import DENSITY_BIAS, extract_density_surface
from recon_node.engines.fields.field import DensityField, Field, SignedDistanceField
from recon_node.engines.isosurface import Isosurface, extract_isosurface
from recon_node.engines.mesh import Mesh

_PIECE = 1 << 15  # points asked at once
_STEEPEST = 1.5  # slope that a learned signed distance may have without costing more samples
_NOTHING = 1e-30  # density whose logarithm stands for that of none


def sdf_mesh(field: SignedDistanceField, *, resolution: int = 128) -> Mesh:
    """The closed zero level of a field in the box, coloured as it is seen head-on [box].

    Args:
        field: Of a signed distance.
        resolution: Cells along an axis, 16 times 2, 4, 8, …; see `extract_isosurface`.

    Raises:
        EmptySurfaceError: There is none.
    """
    surface = extract_isosurface(
        lambda points: _ask(field, field.sdf, points), resolution=resolution, lipschitz=_STEEPEST
    )
    return _coloured(field, surface)


def density_mesh(field: DensityField, *, iso: float, resolution: int = 128) -> Mesh:
    """The closed surface in the box where a field's density is iso, coloured as `sdf_mesh` [box].

    Args:
        field: Of a density.
        iso: Density at the surface [1 / box unit]; of a field that `fit_density` has fitted
            1 / (2 beta).
        resolution: Samples along an axis; see `extract_density_surface`.

    Raises:
        EmptySurfaceError: There is none.
    """
    surface = extract_density_surface(_Samples(field), resolution=resolution, iso=iso)
    return _coloured(field, surface)


@dataclass(frozen=True, eq=False)
class _Samples:
    """A field as the extraction wants it."""

    field: DensityField
    half_extent = 1.0

    def on_lattice(self, axis: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        def raw(indices: np.ndarray) -> np.ndarray:
            densities = _ask(self.field, self.field.density, axis[indices])
            return np.log(np.maximum(densities, np.float32(_NOTHING))) - np.float32(DENSITY_BIAS)

        return raw


def _coloured(field: Field, surface: Isosurface) -> Mesh:
    """A mesh with the field's colours, seen against the normals of its own vertices."""
    mesh = Mesh(surface.vertices, surface.faces)
    rgbs = _ask(field, field.colour, mesh.vertices, -mesh.vertex_normals())
    return replace(mesh, colors=np.round(255 * rgbs).astype(np.uint8))


@torch.no_grad()
def _ask(field: Field, question: Callable[..., Tensor], *arrays: np.ndarray) -> np.ndarray:
    """Answers for arrays f32 (N, 3), a piece at a time."""
    device = next((p.device for p in field.parameters()), torch.device("cpu"))
    pieces = zip(*(torch.tensor(array).split(_PIECE) for array in arrays), strict=True)
    answers = [question(*(t.to(device) for t in piece)).cpu() for piece in pieces]
    return torch.cat(answers).numpy()
