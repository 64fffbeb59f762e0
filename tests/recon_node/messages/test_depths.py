# SPDX-License-Identifier: Apache-2.0
"""Depth of messages: units, byte orders, padding, and what is not known."""

import dataclasses

import numpy as np
import pytest

from recon_node.engines.errors import InvalidInputError
from recon_node.messages.depths import depth_image


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 3])
def test_whole_numbers_are_millimetres(make, encoding, big, padding):
    stored = np.array([[500, 0, 1], [65535, 750, 1000]], np.uint16)
    message = make.image(stored, encoding, padding=padding, big=big)
    for given in (message, make.as_rclpy(message)):
        depth = depth_image(given)
        assert depth.dtype == np.float32
        np.testing.assert_allclose(depth, [[0.5, np.nan, 0.001], [65.535, 0.75, 1]], rtol=1e-6)


@pytest.mark.parametrize("big", [False, True])
def test_floats_are_metres_and_the_impossible_is_unknown(make, big):
    stored = np.array([[0.5, 0.0, -1.0], [np.nan, np.inf, -np.inf]], np.float32)
    depth = depth_image(make.image(stored, "32FC1", padding=2, big=big))
    np.testing.assert_array_equal(depth, [[0.5, np.nan, np.nan], [np.nan] * 3])
    assert depth.dtype == np.float32 and depth.dtype.isnative


def test_the_message_is_not_changed(make):
    message = make.image(np.array([[0.0, 1.0]], np.float32), "32FC1")
    before = message.data.copy()
    depth_image(message)[:] = 7
    np.testing.assert_array_equal(message.data, before)


def test_other_encodings_are_refused(make):
    with pytest.raises(InvalidInputError, match=r"'mono8', but must be 16UC1 \[mm\] or"):
        depth_image(make.image(np.ones((2, 2), np.uint8), "mono8"))


def test_depth_that_was_cut_off_is_refused(make):
    message = make.image(np.ones((4, 4), np.float32), "32FC1")
    with pytest.raises(
        InvalidInputError, match="the depth says .* is 64 bytes with step 16, but holds 60"
    ):
        depth_image(dataclasses.replace(message, data=message.data[:-4]))
