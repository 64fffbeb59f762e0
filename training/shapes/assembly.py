# SPDX-License-Identifier: Apache-2.0
"""Coloured solids joined by booleans into one training shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from manifold3d import Manifold, Mesh, OpType

from recon_node.training.shapes.shape import FACE_LIMIT, Shape


class Assembly:
    """Collects coloured solids, cuts cavities into them and joins them into one `Shape`.

    Every solid keeps its identity through the booleans (Manifold's original ids), so each face of
    the result knows which part it came from, cut faces included.
    """

    def __init__(self) -> None:
        self._solids: list[Manifold] = []
        self._colors: list[np.ndarray] = []
        self._part_of: dict[int, int] = {}
        self._rotation = np.eye(3)

    def add(self, solid: Manifold, color: np.ndarray) -> None:
        """Joins a solid of one colour, u8 (3,), to the assembly."""
        self._solids.append(self._claim(solid, color))

    def add_painted(
        self,
        solid: Manifold,
        label: Callable[[np.ndarray], np.ndarray],
        colors: list[np.ndarray],
    ) -> None:
        """Joins a solid whose faces have several colours.

        Args:
            solid: the solid.
            label: from the centres of the faces' boxes (F, 3) to int or bool (F,), an index into
                `colors` each. The two triangles of a quad share that centre, mostly.
            colors: u8 (3,) each.
        """
        mesh = solid.to_mesh()
        corners = mesh.vert_properties[mesh.tri_verts]
        centres = (corners.min(axis=1) + corners.max(axis=1)) / 2
        labels = np.asarray(label(centres), dtype=int)
        order = np.argsort(labels, kind="stable")
        used, counts = np.unique(labels, return_counts=True)
        first_id = Manifold.reserve_ids(len(used))
        ids = first_id + np.arange(len(used))
        for original_id, label in zip(ids, used, strict=True):
            self._part_of[int(original_id)] = self._part(colors[label])
        run_index = np.concatenate([[0], np.cumsum(counts)]) * 3
        painted = Mesh(
            vert_properties=np.array(mesh.vert_properties),
            tri_verts=np.array(mesh.tri_verts[order], dtype=np.uint32),
            run_index=run_index.astype(np.uint32),
            run_original_id=ids.astype(np.uint32),
        )
        self._solids.append(Manifold(painted))

    def cut(self, cutter: Manifold, color: np.ndarray | None = None) -> None:
        """Removes `cutter` from all that was added so far; the cut faces take `color`.

        Without a colour they take that of the first part.
        """
        cutter = self._claim(cutter, self._colors[0] if color is None else color)
        self._solids = [self._joined() - cutter]

    def turn(self, rotation: np.ndarray) -> None:
        """Rotates the finished assembly; `rotation` is (3, 3) and follows earlier turns."""
        self._rotation = rotation @ self._rotation

    def shape(self, family: str, *, collineation: np.ndarray) -> Shape:
        """Returns the union of all parts, turned, normalised, deformed and normalised again.

        Only the largest connected piece stays: crumbs that cuts leave and closed voids go.

        Args:
            family: recorded in the shape.
            collineation: (4, 4), applied to homogeneous points of [-0.5, 0.5]^3. Since it keeps
                planes plane, coarse meshes stay closed and free of self-crossings.
        """
        solid = _within_face_limit(max(self._joined().decompose(), key=Manifold.volume))
        mesh = solid.to_mesh()
        faces = np.asarray(mesh.tri_verts, dtype=np.int64)
        runs = np.asarray(mesh.run_index, dtype=np.int64) // 3
        part_of_run = np.array([self._part_of[i] for i in mesh.run_original_id], dtype=np.int64)
        face_parts = np.repeat(part_of_run, np.diff(runs))
        part_count = len(self._colors)
        keys, corners = np.unique(faces * part_count + face_parts[:, None], return_inverse=True)
        vertices = np.asarray(mesh.vert_properties[:, :3], dtype=np.float64)[keys // part_count]
        vertices = _normalised(vertices @ self._rotation.T)
        mapped = vertices @ collineation[:, :3].T + collineation[:, 3]
        vertices = _normalised(mapped[:, :3] / mapped[:, 3:])
        parts = keys % part_count
        return Shape(
            vertices=vertices.astype(np.float32),
            faces=corners.reshape(-1, 3).astype(np.int32),
            colors=np.stack(self._colors)[parts].astype(np.uint8),
            parts=parts.astype(np.uint8),
            family=family,
        )

    def _part(self, color: np.ndarray) -> int:
        for index, known in enumerate(self._colors):
            if np.array_equal(known, color):
                return index
        self._colors.append(np.asarray(color, dtype=np.uint8))
        return len(self._colors) - 1

    def _claim(self, solid: Manifold, color: np.ndarray) -> Manifold:
        original = solid.as_original()
        self._part_of[original.original_id()] = self._part(color)
        return original

    def _joined(self) -> Manifold:
        if len(self._solids) > 1:
            self._solids = [Manifold.batch_boolean(self._solids, OpType.Add)]
        return self._solids[0]


def band(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the painting rule that labels 1 what lies between two heights, 0 the rest."""
    return lambda points: (points[:, 2] > low) & (points[:, 2] < high)


def _normalised(vertices: np.ndarray) -> np.ndarray:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return (vertices - (low + high) / 2) / (high - low).max()


def _within_face_limit(solid: Manifold) -> Manifold:
    low, high = np.reshape(solid.bounding_box(), (2, 3))
    tolerance = 2e-4 * float((high - low).max())
    while solid.num_tri() > FACE_LIMIT:
        solid = solid.simplify(tolerance)
        tolerance *= 1.6
    return solid
