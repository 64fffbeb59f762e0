# SPDX-License-Identifier: Apache-2.0
"""Points on a mesh, and what is known there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.mesh import Mesh


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points on the faces of a mesh.

    Attributes:
        mesh: The surface.
        faces: i (N,), the face each point lies on.
        barycentric: f (N, 3), weights of the face's corners, which sum to 1.
    """

    mesh: Mesh
    faces: np.ndarray
    barycentric: np.ndarray

    @property
    def positions(self) -> np.ndarray:
        """f64 (N, 3) [m, object frame]."""
        return self._mean_of(self.mesh.vertices)

    @property
    def normals(self) -> np.ndarray:
        """Unit outward normals of the faces, f32 (N, 3)."""
        return self.mesh.face_normals()[self.faces]

    @property
    def colors(self) -> np.ndarray | None:
        """Means of the corners' colours, u8 (N, 3) sRGB; None where the mesh has none."""
        if self.mesh.colors is None:
            return None
        return np.round(self._mean_of(self.mesh.colors)).astype(np.uint8)

    @property
    def provenance(self) -> np.ndarray:
        """The least seen of the face's corners, u8 (N,), values of `reconstruction.Provenance`.

        So a point counts as seen only where all of its face was. HALLUCINATED where the mesh does
        not say.
        """
        if self.mesh.provenance is None:
            return np.zeros(len(self.faces), np.uint8)
        return self.mesh.provenance[self.mesh.faces[self.faces]].min(axis=1)

    @property
    def sigma(self) -> np.ndarray:
        """Means of the corners' standard deviations, f32 (N,) [m]; inf where the mesh has none."""
        if self.mesh.sigma is None:
            return np.full(len(self.faces), np.inf, np.float32)
        return self._mean_of(self.mesh.sigma[:, None])[:, 0].astype(np.float32)

    def _mean_of(self, values: np.ndarray) -> np.ndarray:
        """The values (V, C) of the vertices interpolated to the points, f64 (N, C)."""
        corners = values[self.mesh.faces[self.faces]].astype(np.float64)  # (N, 3, C)
        return np.einsum("nk,nkc->nc", self.barycentric, corners)


def sample_surface(mesh: Mesh, count: int, *, rng: np.random.Generator) -> SurfacePoints:
    """Independent points, uniform over the surface by area.

    A face is drawn with probability proportional to its area, and a point in it as
    (1 - sqrt(a)) v0 + sqrt(a) (1 - b) v1 + sqrt(a) b v2 with a, b uniform (Osada 2002, sec. 3.3).

    Args:
        mesh: The surface.
        count: Number of points.
        rng: Source of randomness; the same state gives the same points.

    Raises:
        EmptySurfaceError: The mesh has no face of positive area.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.faces]  # (F, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    cumulative = np.cumsum(np.linalg.norm(crosses, axis=1))
    if not cumulative[-1] > 0:
        raise EmptySurfaceError(
            f"the mesh has no surface to sample ({len(corners)} faces, total area 0); "
            "check that the engine gave a mesh"
        )
    faces = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    return SurfacePoints(mesh, faces, np.stack([1 - a, a * (1 - b), a * b], axis=1))
