# SPDX-License-Identifier: Apache-2.0
"""The triangle mesh that recon returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.arrays import checked_array
from recon_node.engines.components import component_labels
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import Similarity


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh with what is known of each vertex. Its arrays are read-only copies.

    Attributes:
        vertices: f32 (V, 3) [m, object frame].
        faces: i32 (F, 3), counter-clockwise seen from outside.
        colors: u8 (V, 3) sRGB, or None.
        provenance: u8 (V,), values of `reconstruction.Provenance`, or None.
        sigma: f32 (V,) [m], one standard deviation along the normal, or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None
    provenance: np.ndarray | None = None
    sigma: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices) if isinstance(self.vertices, np.ndarray) else None
        layout = {
            "vertices": (np.float32, (None, 3)),
            "faces": (np.int32, (None, 3)),
            "colors": (np.uint8, (count, 3)),
            "provenance": (np.uint8, (count,)),
            "sigma": (np.float32, (count,)),
        }
        for name, (dtype, shape) in layout.items():
            array = getattr(self, name)
            if array is None and name not in ("vertices", "faces"):
                continue
            array = checked_array(f"Mesh.{name}", array, dtype, shape, copy=True)
            object.__setattr__(self, name, array)
        self._check_values()

    def _check_values(self) -> None:
        if len(self.faces) == 0:
            raise InvalidInputError("Mesh has no faces; a field without a surface makes no mesh")
        if not np.isfinite(self.vertices).all():
            raise InvalidInputError("Mesh.vertices has a NaN or infinite coordinate")
        lowest, highest = self.faces.min(), self.faces.max()
        if lowest < 0 or highest >= len(self.vertices):
            raise InvalidInputError(
                f"Mesh.faces has indices {lowest} to {highest}, but there are "
                f"{len(self.vertices)} vertices; indices count from 0"
            )
        if self.provenance is not None and self.provenance.max() > 2:
            raise InvalidInputError(
                f"Mesh.provenance has the value {self.provenance.max()}; known: 0, 1, 2"
            )
        if self.sigma is not None and not (self.sigma >= 0).all():
            raise InvalidInputError("Mesh.sigma has a negative or NaN value")

    @property
    def is_watertight(self) -> bool:
        """Whether every edge is in exactly two faces, which run along it in opposite directions."""
        start, end = self.faces.astype(np.int64), np.roll(self.faces, -1, axis=1).astype(np.int64)
        if (start == end).any():
            return False
        count = len(self.vertices)
        there = np.sort((start * count + end).ravel())
        back = np.sort((end * count + start).ravel())
        return bool((there[1:] != there[:-1]).all() and np.array_equal(there, back))

    @property
    def volume(self) -> float:
        """Enclosed volume [m^3], negative where the faces point inwards; see `face_volumes`."""
        return float(self.face_volumes().sum())

    @property
    def area(self) -> float:
        """Surface area [m^2]."""
        return float(np.linalg.norm(self._face_crosses(), axis=1).sum() / 2)

    @property
    def extents(self) -> np.ndarray:
        """Sides of the axis-aligned box around the vertices in use: f64 (3,) [m]."""
        used = np.zeros(len(self.vertices), dtype=bool)
        used[self.faces] = True
        return np.ptp(self.vertices[used].astype(np.float64), axis=0)

    def face_volumes(self) -> np.ndarray:
        """Signed volumes of the tetrahedra from the mean vertex to each face: f64 (F,) [m^3].

        They sum to the volume inside a closed surface (divergence theorem); their sum has no
        meaning for an open one.
        """
        corners = self.vertices.astype(np.float64)
        corners = (corners - corners.mean(axis=0))[self.faces]
        normals = np.cross(corners[:, 1], corners[:, 2])
        return np.einsum("fi,fi->f", corners[:, 0], normals) / 6

    def _face_crosses(self) -> np.ndarray:
        """(F, 3) outward normals with the length of twice the area [m^2]."""
        a, b, c = self.vertices.astype(np.float64)[self.faces.T]
        return np.cross(b - a, c - a)

    def face_normals(self) -> np.ndarray:
        """Unit outward normals of the faces: f32 (F, 3); zero where a face has no area."""
        return _unit(self._face_crosses())

    def vertex_normals(self) -> np.ndarray:
        """Unit outward normals of the vertices, the mean of their faces weighted by area.

        Returns:
            f32 (V, 3); zero where no face with an area meets the vertex.
        """
        crosses = self._face_crosses()
        corners = self.faces.ravel()
        sums = [
            np.bincount(corners, np.repeat(crosses[:, i], 3), len(self.vertices)) for i in range(3)
        ]
        return _unit(np.stack(sums, axis=1))

    def transformed(self, S_a_object: Similarity | np.ndarray) -> Mesh:
        """The mesh in frame a; sigma is scaled along.

        Args:
            S_a_object: a Similarity, or a rigid (4, 4).

        Returns:
            A new Mesh [m, frame a].
        """
        if not isinstance(S_a_object, Similarity):
            S_a_object = Similarity.from_transform(S_a_object)
        sigma = self.sigma
        if sigma is not None:
            sigma = (sigma * S_a_object.scale).astype(np.float32)
        vertices = S_a_object.apply(self.vertices).astype(np.float32)
        return Mesh(vertices, self.faces, self.colors, self.provenance, sigma)

    def face_components(self) -> np.ndarray:
        """The connected piece each face belongs to: i64 (F,), labels from 0.

        Faces that share a vertex are in one piece.
        """
        edges = self.faces[:, [0, 1, 0, 2]].reshape(-1, 2)
        labels = component_labels(len(self.vertices), edges)[self.faces[:, 0]]
        return np.unique(labels, return_inverse=True)[1].reshape(-1)

    def keep_large_components(self, min_volume_ratio: float = 0.05) -> Mesh:
        """The mesh without specks and inner cavities.

        The piece with the largest absolute volume stays, and so does every other one that has at
        least `min_volume_ratio` of it with the same sign: real separate parts (a lid beside its
        pot). A cavity is a closed surface seen from inside, of the opposite sign; it goes.

        Args:
            min_volume_ratio: smallest volume kept, relative to the largest.

        Returns:
            A new Mesh with only the vertices still in use, or this one if nothing went.
        """
        labels = self.face_components()
        volumes = np.bincount(labels, self.face_volumes())
        largest = volumes[np.abs(volumes).argmax()]
        kept = volumes * np.sign(largest) >= min_volume_ratio * abs(largest)
        if kept.all():
            return self
        faces = self.faces[kept[labels]]
        used = np.zeros(len(self.vertices), dtype=bool)
        used[faces] = True
        renumbered = (np.cumsum(used) - 1).astype(np.int32)
        rest = (self.colors, self.provenance, self.sigma)
        return Mesh(
            self.vertices[used],
            renumbered[faces],
            *(None if array is None else array[used] for array in rest),
        )


def _unit(vectors: np.ndarray) -> np.ndarray:
    """The (N, 3) vectors at length 1 as f32; those without a length stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
