# SPDX-License-Identifier: Apache-2.0
"""The bounds kernel against NumPy and against fields of known slope."""

import numpy as np

from recon_node.kernels.lattice_bounds import lattice_bounds


def test_bounds_equal_those_of_numpy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=500).astype(np.float32)
    groups = [rng.integers(100, 400, size=n).astype(np.int32) for n in (70, 0, 1, 9)]
    offsets = rng.integers(-100, 100, size=(4, 5)).astype(np.int32)
    changes = rng.uniform(size=5).astype(np.float32)
    lower, upper = lattice_bounds(values, groups, offsets, changes)
    around = np.concatenate(
        [values[g[:, None] + row] for g, row in zip(groups, offsets, strict=True)]
    )
    np.testing.assert_array_equal(lower, (around - changes).max(axis=1))
    np.testing.assert_array_equal(upper, (around + changes).min(axis=1))


def test_a_field_of_the_assumed_slope_lies_between_its_bounds():
    values = np.sin(np.arange(200) * 0.1).astype(np.float32)
    points = np.arange(5, 195, dtype=np.int32)
    offsets = np.array([[-5, -1, 4]], np.int32)
    changes = np.abs(offsets[0]).astype(np.float32) * 0.1
    lower, upper = lattice_bounds(values, [points], offsets, changes)
    assert (lower <= values[points]).all() and (values[points] <= upper).all()
    assert (upper - lower).max() <= 0.2 + 1e-6


def test_no_points_give_no_bounds():
    none = np.empty(0, np.int32)
    lower, upper = lattice_bounds(
        np.zeros(3, np.float32), [none], np.zeros((1, 1), np.int32), np.zeros(1, np.float32)
    )
    assert lower.shape == upper.shape == (0,)
