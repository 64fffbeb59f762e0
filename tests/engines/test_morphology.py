# SPDX-License-Identifier: Apache-2.0
"""Masks grown and shrunk by a pixel are what scipy makes of them."""

import numpy as np
import pytest
from scipy import ndimage

from recon_node.engines.morphology import dilated, eroded

CROSS, SQUARE = (ndimage.generate_binary_structure(2, reach) for reach in (1, 2))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (30, 40)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 1.0])
def test_they_are_those_of_scipy(rng, shape, share):
    mask = rng.random(shape) < share
    np.testing.assert_array_equal(dilated(mask), ndimage.binary_dilation(mask, CROSS))
    np.testing.assert_array_equal(
        dilated(mask, corners=True), ndimage.binary_dilation(mask, SQUARE)
    )
    np.testing.assert_array_equal(eroded(mask), ndimage.binary_erosion(mask, CROSS))
