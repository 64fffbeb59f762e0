# SPDX-License-Identifier: Apache-2.0
"""Triangles split until none is large, without cracks and without moving the surface."""

import numpy as np

_MAX_ROUNDS = 32  # each one halves the longest edges

# Of a triangle abc whose edges ab, bc, ca have the midpoints d, e, f (corners 0 to 5), by which
# edges are split: bit 0 for ab, bit 1 for bc, bit 2 for ca.
_PIECES = {
    0b001: ((0, 3, 2), (3, 1, 2)),
    0b010: ((0, 1, 4), (0, 4, 2)),
    0b100: ((0, 1, 5), (5, 1, 2)),
    0b011: ((0, 3, 2), (3, 4, 2), (3, 1, 4)),
    0b110: ((0, 1, 4), (0, 4, 5), (5, 4, 2)),
    0b101: ((0, 3, 5), (3, 1, 5), (5, 1, 2)),
    0b111: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}


def split_long_edges(
    vertices: np.ndarray, faces: np.ndarray, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices f64 (V', 3) and faces i32 (F', 3) in which no edge is longer than `length`.

    Every edge that is too long gets a vertex in its middle, which both of its faces use, so a
    closed mesh stays closed. The first V vertices are those given.

    Args:
        vertices: (V, 3), any unit.
        faces: (F, 3).
        length: Longest edge, same unit, > 0.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    for _ in range(_MAX_ROUNDS):
        ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)  # (F, 3, 2)
        keys, edge_of = np.unique(ends[..., 0] * len(vertices) + ends[..., 1], return_inverse=True)
        edges = np.stack([keys // len(vertices), keys % len(vertices)], axis=1)
        is_long = np.linalg.norm(np.subtract(*vertices[edges.T]), axis=1) > length
        if not is_long.any():
            break
        midpoint = np.full(len(edges), -1)
        midpoint[is_long] = len(vertices) + np.arange(is_long.sum())
        vertices = np.concatenate([vertices, vertices[edges[is_long]].mean(axis=1)])
        corners = np.concatenate([faces, midpoint[edge_of.reshape(-1, 3)]], axis=1)  # (F, 6)
        split = (corners[:, 3:] >= 0) @ (1, 2, 4)
        faces = np.concatenate(
            [faces[split == 0]]
            + [corners[split == case][:, piece] for case, ps in _PIECES.items() for piece in ps]
        )
    return vertices, faces.astype(np.int32)
