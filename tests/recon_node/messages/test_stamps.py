# SPDX-License-Identifier: Apache-2.0
"""Stamps in nanoseconds, there and back."""

from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from recon_node.messages.stamps import set_stamp, stamp_ns

TYPES = get_typestore(Stores.ROS2_JAZZY).types


@given(st.integers(0, (2**31 - 1) * 10**9 + 999_999_999))
def test_there_and_back(ns):
    time = TYPES["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    set_stamp(time, ns)
    assert 0 <= time.nanosec < 10**9 and time.sec < 2**31
    assert stamp_ns(time) == ns
    assert stamp_ns(TYPES["std_msgs/msg/Header"](stamp=time, frame_id="")) == ns


def test_parts_are_seconds_and_the_rest():
    time = TYPES["builtin_interfaces/msg/Time"](sec=3, nanosec=7)
    assert stamp_ns(time) == 3_000_000_007
