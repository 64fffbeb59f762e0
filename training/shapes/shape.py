# SPDX-License-Identifier: Apache-2.0
"""The procedural training object: a closed, coloured, normalised triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FACE_LIMIT = 4000


@dataclass(frozen=True, eq=False)
class Shape:
    """A closed solid: z up, box centre at the origin, longest side of the box 1.

    Vertices are split where the colours of two parts meet, with equal positions on both sides; the
    faces taken together bound a volume and wind counter-clockwise seen from outside.

    Attributes:
        vertices: f32 (V, 3), in units of the longest side.
        faces: i32 (F, 3), at most FACE_LIMIT of them.
        colors: u8 (V, 3), sRGB.
        parts: u8 (V,), index of the coloured part a vertex belongs to.
        family: what the shape is meant to be, such as "mug".
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray
    parts: np.ndarray
    family: str

    def __post_init__(self) -> None:
        for array in (self.vertices, self.faces, self.colors, self.parts):
            array.setflags(write=False)
