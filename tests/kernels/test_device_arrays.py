# SPDX-License-Identifier: Apache-2.0
"""Arrays by name on a device keep their values and, while their shape stays, their place."""

import numpy as np
import warp as wp

from recon_node.kernels.device_arrays import DeviceArrays, compute_capability


def test_values_come_back(device, rng):
    arrays = DeviceArrays(device)
    first, second = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    address = arrays.put("image", first)
    arrays.put("other", second.transpose(2, 1, 0))  # in another order in memory
    np.testing.assert_array_equal(arrays.get("image"), first)
    np.testing.assert_array_equal(arrays.get("other"), second.transpose(2, 1, 0))
    assert arrays.put("image", second) == address
    np.testing.assert_array_equal(arrays.get("image"), second)


def test_a_new_shape_is_a_new_array(device):
    arrays = DeviceArrays(device)
    arrays.put("x", np.ones((2, 2), np.float32))
    address = arrays.reserve("x", (3, 2))
    assert arrays.get("x").shape == (3, 2)
    assert arrays.reserve("x", (3, 2)) == address


def test_what_was_read_does_not_change(device):
    arrays = DeviceArrays(device)
    arrays.put("x", np.ones(4, np.float32))
    read = arrays.get("x")
    arrays.put("x", np.zeros(4, np.float32))
    assert read.tolist() == [1, 1, 1, 1]


def test_the_stream_is_that_of_the_device(device):
    assert (DeviceArrays(device).stream == 0) == (not wp.get_device(device).is_cuda)


def test_a_compute_capability_is_two_numbers_or_nothing():
    told = compute_capability()
    assert (told is None) == (not wp.is_cuda_available())
    assert told is None or all(part.isdigit() for part in told.split("."))
