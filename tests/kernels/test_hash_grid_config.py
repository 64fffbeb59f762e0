# SPDX-License-Identifier: Apache-2.0
"""Sizes of a hash encoding: the paper's formulas, and what is refused."""

import pytest

from recon_node.kernels.hash_grid_config import HashGridConfig


def test_levels_grow_geometrically_from_base_to_finest():
    """Repeat the paper's largest configuration: b = 1.3819 takes 16 to 2048 (rounded down)."""
    config = HashGridConfig(levels=16, table_size=1 << 19, base=16, finest=2048)
    growth = 128 ** (1 / 15)
    assert growth == pytest.approx(1.3819, abs=1e-4)
    assert config.resolutions[:3] == (16, int(16 * growth), int(16 * growth**2))
    assert config.resolutions[-1] == 2048


@pytest.mark.parametrize("finest", range(17, 400, 13))
def test_the_finest_level_is_the_one_asked_for(finest):
    assert HashGridConfig(levels=7, base=16, finest=finest).resolutions[-1] == finest


def test_a_level_is_dense_where_its_vertices_fit():
    config = HashGridConfig(levels=3, features=4, table_size=1 << 12, base=15, finest=60)
    assert config.resolutions == (15, 30, 60)
    assert config.dense == (True, False, False)  # 16³ vertices are 2^12
    assert config.rows == (4096, 4096, 4096)
    assert config.table_shape == (3 * 4096, 4)
    assert config.width == 12


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"levels": 0}, "levels = 0 .* 1 to 32"),
        ({"features": 3}, r"features = 3 is not one of \(1, 2, 4, 8\)"),
        ({"table_size": 1000}, "table_size = 1000 is no power of two"),
        ({"table_size": 4}, "table_size = 4 is no power of two from 8"),
        ({"base": 64, "finest": 32}, "base = 64 and finest = 32"),
    ],
)
def test_impossible_sizes_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        HashGridConfig(**values)
