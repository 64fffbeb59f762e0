# SPDX-License-Identifier: Apache-2.0
"""Values spread from known pixels to their neighbours."""

import numpy as np

from recon_node.engines.spread import spread


def test_a_hole_in_a_constant_is_filled_with_it():
    known = np.ones((9, 9), bool)
    known[3:6, 3:6] = False
    values = np.where(known, 0.7, np.nan)[..., None]
    filled, now_known = spread(values, known, steps=2)
    assert now_known.all()
    np.testing.assert_allclose(filled, 0.7, rtol=1e-6)


def test_values_travel_one_pixel_a_step_and_known_ones_stay(rng):
    values = rng.uniform(1, 2, (7, 11, 3)).astype(np.float32)
    known = np.zeros((7, 11), bool)
    known[3, 5] = True
    filled, now_known = spread(values, known, steps=2)
    rows, columns = np.mgrid[:7, :11]
    np.testing.assert_array_equal(now_known, np.abs(rows - 3) + np.abs(columns - 5) <= 2)
    np.testing.assert_allclose(filled[now_known], np.tile(values[3, 5], (13, 1)), rtol=1e-6)
    assert not filled[~now_known].any()


def test_no_steps_change_nothing(rng):
    values, known = rng.uniform(size=(4, 5, 2)), rng.uniform(size=(4, 5)) > 0.5
    filled, now_known = spread(values, known, steps=0)
    np.testing.assert_array_equal(now_known, known)
    np.testing.assert_allclose(filled[known], values[known], rtol=1e-6)
