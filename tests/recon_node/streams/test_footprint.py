# SPDX-License-Identifier: Apache-2.0
"""Footprints against plain sums over the masks they stand for."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.messages.images import LabelImage
from recon_node.streams.footprint import footprints, label_counts

_PIXELS = arrays(np.uint8, (9, 13), elements=st.integers(0, 3))


def _labels(pixels):
    return LabelImage(pixels, tuple(int(value) for value in np.unique(pixels) if value))


@given(first=_PIXELS, second=_PIXELS)
def test_overlap_is_intersection_over_union(first, second):
    """Agree with the masks themselves, where each pixel is a cell."""
    assume(first.any() and second.any())
    one, other = _labels(first), _labels(second)
    for a, before in footprints(one, one.values).items():
        for b, now in footprints(other, other.values).items():
            both, either = (first == a) & (second == b), (first == a) | (second == b)
            assert math.isclose(before.overlap(now), both.sum() / either.sum())
            assert before.overlap(now) == now.overlap(before)
            assert before.area_ratio(now) == now.area_ratio(before) >= 1


@given(pixels=_PIXELS)
def test_areas_and_centres(pixels):
    """Count cells, and take their mean place."""
    labels = _labels(pixels)
    assume(labels.values)
    found = footprints(labels, labels.values)
    assert [footprint.area for footprint in found.values()] == label_counts(labels).tolist()
    for value, footprint in found.items():
        place = np.argwhere(pixels == value)
        assert footprint.centre == pytest.approx(place.mean(axis=0))
        assert footprint.diagonal == math.hypot(*(np.ptp(place, axis=0) + 1))
        assert footprint.distance(footprint) == 0


def test_two_sizes_have_nothing_in_common():
    """Keep footprints of images of two sizes apart."""
    (small,), (large,) = (
        footprints(_labels(np.ones(size, np.uint8)), (1,)).values() for size in ((4, 4), (8, 8))
    )
    assert (small.overlap(large), small.distance(large)) == (0, math.inf)


def test_coarse_grid():
    """Look at every eighth pixel of a wide image, and at all of them for a small object."""
    pixels = np.zeros((720, 1280), np.uint16)
    pixels[80:160, 80:160], pixels[401:404, 403:405] = 700, 9
    found = footprints(_labels(pixels), (9, 700))
    assert (found[700].area, found[700].corner) == (100, (10, 10))
    assert (found[9].area, found[9].corner) == (1, (50, 50))
