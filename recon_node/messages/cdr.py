# SPDX-License-Identifier: Apache-2.0
"""The bytes of a message as DDS sends them: plain CDR, version 1, little-endian (OMG DDSI-RTPS 10).

`Publisher.publish` takes such bytes as they are. For messages that hold an object for each point
this is a hundred times faster than making the objects.
"""

import struct

import numpy as np

_LITTLE_ENDIAN_CDR = b"\x00\x01\x00\x00"


class CdrWriter:
    """Writes the fields of a message one after the other, each at a multiple of its own size."""

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview] = []
        self._size = 0  # without the header, from which CDR does not count

    def numbers(self, format: str, *values: int | float) -> None:
        """Appends numbers of one type, which is a letter of `struct`: "i", "I", "f", "d" or "B"."""
        self._align(struct.calcsize(format))
        self._append(struct.pack(f"<{len(values)}{format}", *values))

    def string(self, text: str) -> None:
        """Appends a string."""
        encoded = text.encode() + b"\0"
        self.numbers("I", len(encoded))
        self._append(encoded)

    def sequence(self, count: int, values: np.ndarray) -> None:
        """Appends a sequence of elements that are all made of numbers of one type.

        Args:
            count: Number of elements.
            values: Their numbers, in order.
        """
        self.numbers("I", count)
        if values.size:
            self._align(values.itemsize)
            ordered = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
            self._append(memoryview(ordered).cast("B"))

    def finished(self) -> bytes:
        """What was written."""
        return b"".join([_LITTLE_ENDIAN_CDR, *self._parts])

    def _align(self, size: int) -> None:
        self._append(b"\0" * (-self._size % size))

    def _append(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._size += len(part)
