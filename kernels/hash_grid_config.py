# SPDX-License-Identifier: Apache-2.0
"""Sizes of a multi-resolution hash encoding; needs no torch."""

import math
from dataclasses import dataclass

_FEATURES = (1, 2, 4, 8)


@dataclass(frozen=True)
class HashGridConfig:
    """Sizes of a hash encoding; defaults are Müller 2022's but for the table, which suits a CPU.

    Attributes:
        levels: how many resolutions.
        features: numbers of a row: 1, 2, 4 or 8.
        table_size: rows of a level at most; a power of two.
        base: cells along an axis at the coarsest level.
        finest: cells along an axis at the finest level.
    """

    levels: int = 16
    features: int = 2
    table_size: int = 1 << 16
    base: int = 16
    finest: int = 1024

    def __post_init__(self) -> None:
        """Refuse sizes that the kernels cannot address.

        Raises:
            ValueError: with the value and what is allowed.
        """
        if not 1 <= self.levels <= 32:
            raise ValueError(f"levels = {self.levels} is out of range; choose 1 to 32")
        if self.features not in _FEATURES:
            raise ValueError(f"features = {self.features} is not one of {_FEATURES}")
        if not 8 <= self.table_size <= 1 << 24 or self.table_size & (self.table_size - 1):
            raise ValueError(
                f"table_size = {self.table_size} is no power of two from 8 to 2^24, which the "
                f"hash is cut to"
            )
        if not 1 <= self.base <= self.finest <= 1 << 20:
            raise ValueError(
                f"base = {self.base} and finest = {self.finest} are out of order; choose "
                f"1 <= base <= finest <= 2^20"
            )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Cells along an axis, of each level.

        >>> HashGridConfig(levels=4, base=16, finest=128).resolutions
        (16, 32, 64, 128)
        """
        growth = (self.finest / self.base) ** (1 / max(self.levels - 1, 1))
        # The finest level must not lose a cell to rounding.
        return tuple(math.floor(self.base * growth**i + 1e-6) for i in range(self.levels))

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of the table, of each level.

        >>> HashGridConfig(levels=4, base=16, finest=128).rows
        (4913, 35937, 65536, 65536)
        """
        return tuple(min((n + 1) ** 3, self.table_size) for n in self.resolutions)

    @property
    def dense(self) -> tuple[bool, ...]:
        """Whether each vertex has a row of its own, of each level."""
        return tuple((n + 1) ** 3 <= self.table_size for n in self.resolutions)

    @property
    def table_shape(self) -> tuple[int, int]:
        """Shape of the table of all levels, the coarsest first."""
        return sum(self.rows), self.features

    @property
    def width(self) -> int:
        """Numbers of an encoded point, those of the coarsest level first."""
        return self.levels * self.features
