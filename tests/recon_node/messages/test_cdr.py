# SPDX-License-Identifier: Apache-2.0
"""Bytes of CDR as rosbags, which knows nothing of our writer, reads them."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from recon_node.messages.cdr import CdrWriter

NAME = "test_msgs/msg/Mixed"
TEXT = """
uint8 a
string b
float64 c
uint8[] d
float64[] e
int32 f
string g
float32[] h
uint8 i
"""


@pytest.mark.parametrize("text", ["", "x", "xy", "xyz", "häuser"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 8])
def test_mixed_fields_are_read_back(text, count):
    """Whatever the lengths before it, a number stands where the reader looks for it."""
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(TEXT, NAME))
    values = np.arange(count)
    writer = CdrWriter()
    writer.numbers("B", 7)
    writer.string(text)
    writer.numbers("d", -1.5)
    writer.sequence(count, values.astype(np.uint8))
    writer.sequence(count, values.astype(">f8") / 3)
    writer.numbers("i", -(2**31))
    writer.string(text)
    writer.sequence(count, values.astype(np.float32)[::-1])
    writer.numbers("B", 9)
    data = writer.finished()
    read = store.deserialize_cdr(data, NAME)
    assert (read.a, read.b, read.c, read.f, read.g, read.i) == (7, text, -1.5, -(2**31), text, 9)
    np.testing.assert_array_equal(read.d, values)
    np.testing.assert_array_equal(read.e, values / 3)
    np.testing.assert_array_equal(read.h, values[::-1])
    again = bytes(store.serialize_cdr(read, NAME))
    assert again[: len(data)] == data  # what follows may only be padding
