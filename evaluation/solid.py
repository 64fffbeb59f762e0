# SPDX-License-Identifier: Apache-2.0
"""A mesh with what is asked of it in evaluation: rays, closest points, inside or not."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.kernels.ray_cast import RayCaster


@dataclass(frozen=True, eq=False)
class Solid:
    """A mesh and, made when first asked for, its acceleration structure.

    Attributes:
        mesh: The surface [m]; open or self-overlapping ones have an inside by winding number.
    """

    mesh: Mesh

    @cached_property
    def caster(self) -> RayCaster:
        """Ray, closest-point and signed-distance queries."""
        return RayCaster(self.mesh.vertices, self.mesh.faces)

    @cached_property
    def box(self) -> np.ndarray:
        """Lower and upper corner, f64 (2, 3) [m]."""
        used = self.mesh.vertices[self.mesh.faces].reshape(-1, 3)
        return np.stack([used.min(axis=0), used.max(axis=0)]).astype(np.float64)

    @cached_property
    def face_normals(self) -> np.ndarray:
        """Unit normals, f32 (F, 3)."""
        return self.mesh.face_normals()

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether the generalised winding number at points (N, 3) [m] is that of the inside."""
        return self.caster.signed_distance(points) < 0
