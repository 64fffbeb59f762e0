# SPDX-License-Identifier: Apache-2.0
"""Where an object lies in its image, on a grid coarse enough to be compared fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.messages.images import LabelImage

_COLUMNS = 160  # of the grid, or fewer


@dataclass(frozen=True, eq=False)
class Footprint:
    """The cells that an object covers.

    Attributes:
        size: Of the image, height and width [px]; footprints of two sizes do not overlap.
        cells: bool (rows, columns) of the box around the object.
        corner: Row and column of the box on the grid.
        centre: Mean row and column of the cells.
        area: Number of cells.
    """

    size: tuple[int, int]
    cells: np.ndarray
    corner: tuple[int, int]
    centre: tuple[float, float]
    area: int

    @property
    def diagonal(self) -> float:
        """Diagonal of the box [cells]."""
        return math.hypot(*self.cells.shape)

    def overlap(self, other: Footprint) -> float:
        """Intersection over union of the cells."""
        bounds = [
            (max(a, b), min(a + a_length, b + b_length))
            for a, b, a_length, b_length in zip(
                self.corner, other.corner, self.cells.shape, other.cells.shape, strict=True
            )
        ]
        if self.size != other.size or any(low >= high for low, high in bounds):
            return 0.0
        both = int((self._window(bounds) & other._window(bounds)).sum())
        return both / (self.area + other.area - both)

    def distance(self, other: Footprint) -> float:
        """Between the centres [cells]; infinite for images of two sizes."""
        return math.dist(self.centre, other.centre) if self.size == other.size else math.inf

    def area_ratio(self, other: Footprint) -> float:
        """The larger area over the smaller."""
        return max(self.area, other.area) / min(self.area, other.area)

    def _window(self, bounds: list[tuple[int, int]]) -> np.ndarray:
        (top, bottom), (left, right) = bounds
        row, column = self.corner
        return self.cells[top - row : bottom - row, left - column : right - column]


def footprints(labels: LabelImage, values: Sequence[int]) -> dict[int, Footprint]:
    """The footprints of objects, by value, in the order given.

    An object that falls between the points of the grid is looked for in all pixels.

    Args:
        labels: Where the objects are.
        values: Which objects; each has a pixel.
    """
    step, grid = _grid(labels)
    found = {}
    for value in values:
        rows, columns = np.nonzero(grid == value)
        if not len(rows):
            rows, columns = (index // step for index in np.nonzero(labels.mask(value)))
        corner = int(rows.min()), int(columns.min())
        cells = np.zeros((np.ptp(rows) + 1, np.ptp(columns) + 1), dtype=bool)
        cells[rows - corner[0], columns - corner[1]] = True
        centre = float(rows.mean()), float(columns.mean())
        found[value] = Footprint(labels.pixels.shape, cells, corner, centre, int(cells.sum()))
    return found


def label_counts(labels: LabelImage) -> np.ndarray:
    """The areas of all objects on the grid, i64 (len(values),)."""
    _, grid = _grid(labels)
    return np.bincount(grid.ravel(), minlength=max(labels.values) + 1)[list(labels.values)]


def _grid(labels: LabelImage) -> tuple[int, np.ndarray]:
    """The step of the grid [px] and the labels at its points."""
    step = max(labels.pixels.shape[1] // _COLUMNS, 1)
    return step, labels.pixels[::step, ::step]
