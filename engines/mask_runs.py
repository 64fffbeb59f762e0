# SPDX-License-Identifier: Apache-2.0
"""A mask as horizontal runs of pixels: its pieces, its box and its outline without touching all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.components import component_labels


@dataclass(frozen=True, eq=False)
class MaskRuns:
    """Runs of mask pixels, in the order of reading. Run i is row[i], columns start[i] to end[i].

    Attributes:
        row: i64 (N,).
        start: i64 (N,), first column.
        end: i64 (N,), the column after the last.
    """

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray) -> MaskRuns:
        """The runs of a bool (H, W) mask."""
        rows = np.flatnonzero(mask.any(axis=1))
        if len(rows) == 0:
            return cls(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        top = rows[0]
        inside = mask[top : rows[-1] + 1]
        padded = np.zeros((inside.shape[0], inside.shape[1] + 2), dtype=bool)
        padded[:, 1:-1] = inside
        width = inside.shape[1] + 1
        changes = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
        row, column = np.divmod(changes, width)
        return cls(row[0::2] + top, column[0::2], column[1::2])

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int((self.end - self.start).sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom edges [px]; right and bottom are one past the last pixel."""
        return (
            int(self.start.min()),
            int(self.row.min()),
            int(self.end.max()),
            int(self.row.max()) + 1,
        )

    def select(self, chosen: np.ndarray) -> MaskRuns:
        """The runs where the bool (N,) is true."""
        return MaskRuns(self.row[chosen], self.start[chosen], self.end[chosen])

    def piece_labels(self) -> np.ndarray:
        """The connected piece of every run: i64 (N,); pixels that touch at a corner are one."""
        stride = int(self.end.max()) + 2
        below = (self.row + 1) * stride
        # Both keys ascend, so the neighbours of a run in the next row are one interval of runs.
        first = np.searchsorted(self.row * stride + self.end, below + self.start, side="left")
        last = np.searchsorted(self.row * stride + self.start, below + self.end, side="right")
        counts = np.maximum(last - first, 0)
        upper = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts)
        edges = np.column_stack([upper, first[upper] + within])
        return component_labels(len(counts), edges)

    def without_specks(self, smallest_ratio: float) -> MaskRuns:
        """The runs of pieces that have at least that share of the largest piece's area."""
        labels = self.piece_labels()
        areas = np.bincount(labels, self.end - self.start)
        return self.select(areas[labels] >= smallest_ratio * areas.max())

    def to_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """The runs as a bool mask of that (H, W)."""
        changes = np.zeros((shape[0], shape[1] + 1), dtype=np.int8)
        changes[self.row, self.start] = 1
        changes[self.row, self.end] = -1
        return np.cumsum(changes, axis=1, dtype=np.int8)[:, :-1].astype(bool)

    def corners(self) -> np.ndarray:
        """Corners of the outermost pixels of each row: f64 (M, 2) [px].

        Their convex hull is that of all the mask's pixel squares, so a homography maps their
        bounds to the mask's bounds.
        """
        rows, first = np.unique(self.row, return_index=True)
        last = np.append(first[1:], len(self.row)) - 1
        left, right = self.start[first], self.end[last]
        x = np.concatenate([left, left, right, right])
        y = np.concatenate([rows, rows + 1, rows, rows + 1])
        return np.column_stack([x, y]).astype(np.float64)
