# SPDX-License-Identifier: Apache-2.0
"""Stamps of messages as nanoseconds."""

SECOND = 1_000_000_000  # [ns]


def stamp_ns(message: object) -> int:
    """The time [ns] since the epoch of a `builtin_interfaces/Time`, or of a `std_msgs/Header`."""
    time = getattr(message, "stamp", message)
    return int(time.sec) * SECOND + int(time.nanosec)


def set_stamp(time: object, ns: int) -> None:
    """Nothing; fills a `builtin_interfaces/Time` with a time [ns] since the epoch."""
    time.sec, time.nanosec = divmod(int(ns), SECOND)
