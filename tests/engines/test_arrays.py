# SPDX-License-Identifier: Apache-2.0
"""Checks of arrays at construction."""

import numpy as np
import pytest

from recon_node.engines.arrays import as_points, checked_array
from recon_node.engines.errors import InvalidInputError


def test_the_result_is_read_only_and_the_callers_array_is_not():
    given = np.zeros((2, 3), np.float32)
    held = checked_array("x", given, np.float32, (None, 3))
    assert held.base is given and given.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        held[0, 0] = 1


def test_a_copy_does_not_follow_the_callers_array():
    given = np.zeros((2, 3), np.float32)
    held = checked_array("x", given, np.float32, (2, 3), copy=True)
    given[:] = 1
    assert held.sum() == 0 and held.flags.c_contiguous


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0]], "x must be a numpy array of float32, got list"),
        (np.zeros((1, 3)), "x has dtype float64, but must be float32"),
        (np.zeros((1, 4), np.float32), r"x has shape \(1, 4\), but must be \(any, 3\)"),
        (np.zeros(3, np.float32), r"x has shape \(3,\), but must be \(any, 3\)"),
    ],
)
def test_another_type_dtype_or_shape_is_refused(value, message):
    with pytest.raises(InvalidInputError, match=message):
        checked_array("x", value, np.float32, (None, 3))


def test_points_are_doubles_and_of_one_width():
    assert as_points("p", [[1, 2]], 2).dtype == np.float64
    with pytest.raises(InvalidInputError, match=r"p has shape \(2,\), but must be \(N, 2\)"):
        as_points("p", [1, 2], 2)
