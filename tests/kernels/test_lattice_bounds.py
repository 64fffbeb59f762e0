# SPDX-License-Identifier: Apache-2.0
"""The bounds kernel against NumPy and against fields of known slope."""

import numpy as np

from recon_node.kernels.lattice_bounds import lattice_bounds


def test_bounds_equal_those_of_numpy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=500).astype(np.float32)
    points = rng.integers(100, 400, size=70).astype(np.int32)
    offsets = np.array([-100, -3, 0, 7, 99], np.int32)
    changes = rng.uniform(size=5).astype(np.float32)
    lower, upper = lattice_bounds(values, points, offsets, changes)
    around = values[points[:, None] + offsets]
    np.testing.assert_array_equal(lower, (around - changes).max(axis=1))
    np.testing.assert_array_equal(upper, (around + changes).min(axis=1))


def test_a_field_of_the_assumed_slope_lies_between_its_bounds():
    x = np.arange(200) * 0.1
    values = np.sin(x).astype(np.float32)
    points = np.arange(5, 195, dtype=np.int32)
    offsets = np.array([-5, -1, 4], np.int32)
    lower, upper = lattice_bounds(values, points, offsets, np.abs(offsets).astype(np.float32) * 0.1)
    assert (lower <= values[points]).all() and (values[points] <= upper).all()
    assert (upper - lower).max() <= 0.2 + 1e-6


def test_no_points_give_no_bounds():
    lower, upper = lattice_bounds(
        np.zeros(3, np.float32),
        np.empty(0, np.int32),
        np.zeros(1, np.int32),
        np.zeros(1, np.float32),
    )
    assert lower.shape == upper.shape == (0,)
