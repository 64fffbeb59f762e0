# SPDX-License-Identifier: Apache-2.0
"""Mask runs against the mask itself, pixel by pixel."""

import numpy as np
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from recon_node.engines.mask_runs import MaskRuns

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans())


@given(masks)
def test_runs_make_the_same_mask(mask):
    runs = MaskRuns.of(mask)
    assert runs.area == mask.sum()
    assert np.array_equal(runs.to_mask(mask.shape), mask)


@given(masks)
def test_pieces_are_those_connected_by_sides_or_corners(mask):
    assume(mask.any())
    runs = MaskRuns.of(mask)
    pieces, count = scipy.ndimage.label(mask, np.ones((3, 3)))
    labels = runs.piece_labels()
    assert labels.max() + 1 == count
    of_runs = pieces[runs.row, runs.start]
    assert len(set(zip(labels, of_runs, strict=True))) == count


@given(masks)
def test_box_and_corners_bound_the_pixels(mask):
    assume(mask.any())
    runs = MaskRuns.of(mask)
    rows, columns = np.nonzero(mask)
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert runs.box == expected
    corners = runs.corners()
    assert (*corners.min(axis=0), *corners.max(axis=0)) == expected
    # Bounds along a slanted direction too: of every pixel's four corners, none is farther out.
    squares = np.concatenate(
        [np.column_stack([columns + i, rows + j]) for i in (0, 1) for j in (0, 1)]
    )
    for direction in ((1, 0.3), (-0.5, 1), (1, -2)):
        assert (corners @ direction).max() == (squares @ direction).max()


def test_specks_go_and_parts_stay():
    mask = np.zeros((60, 200), bool)
    mask[10:50, 10:60] = True  # 2000 px
    mask[10:14, 100:105] = True  # 20 px, just 1 %
    mask[30:33, 150:156] = True  # 18 px
    kept = MaskRuns.of(mask).without_specks(0.01).to_mask(mask.shape)
    expected = mask.copy()
    expected[30:33, 150:156] = False
    assert np.array_equal(kept, expected)


def test_an_empty_mask_has_no_runs():
    runs = MaskRuns.of(np.zeros((3, 4), bool))
    assert runs.area == 0 and len(runs.row) == 0
    assert not runs.to_mask((3, 4)).any()
