# SPDX-License-Identifier: Apache-2.0
"""A model's weights on disk: a safetensors file, checked before anyone trusts it."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recon_node.engines.errors import WeightsError

TENSORS_DIGEST_KEY = "tensors_sha256"
"""Under which the file's notes hold the SHA-256 of everything after its header."""

_LENGTH_BYTES = 8
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Layout:
    """Where things lie in a safetensors file.

    Attributes:
        spans: First byte and last byte + 1 of each tensor.
        types: The type each is stored in, in the words of safetensors: F32, F16, BF16.
        start: First byte after the header.
        notes: The header's metadata.
    """

    spans: Mapping[str, tuple[int, int]]
    types: Mapping[str, str]
    start: int
    notes: Mapping[str, str]

    @property
    def end(self) -> int:
        """Where the file ends."""
        return max((last for _, last in self.spans.values()), default=self.start)


def checked_weights(path: Path) -> str:
    """SHA-256 of a file of weights, after it was found whole.

    A file that has not changed since the last call is not read again: both networks of a model ask,
    and large ones take seconds.

    Raises:
        WeightsError: The file is missing, truncated, changed or not safetensors.
    """
    if not path.is_file():
        raise WeightsError(
            f"{path} is missing, so the engine has no weights; pass --weights with the folder "
            "that holds it (recon brings that of the compact engine), or use --engine hull"
        )
    found = path.stat()
    return _checked(path, found.st_size, found.st_mtime_ns, found.st_ino)


@functools.lru_cache(maxsize=8)
def _checked(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    """What `checked_weights` answers for a file of this size, time and place."""
    with path.open("rb") as file:
        header = _read_header(file, size)
        layout = read_layout(header, path)
        if size != layout.end:
            raise WeightsError(
                f"{path} has {size} bytes where its header promises {layout.end}: it is "
                "truncated or corrupt; fetch it again"
            )
        promised = layout.notes.get(TENSORS_DIGEST_KEY)
        tensors, whole = hashlib.sha256(), hashlib.sha256(header)
        while block := file.read(_BLOCK_BYTES):
            whole.update(block)
            if promised:
                tensors.update(block)
    if promised and promised != tensors.hexdigest():
        raise WeightsError(
            f"{path} is corrupt: its tensors are not those that its header was written for; "
            "fetch it again"
        )
    return whole.hexdigest()


def read_header(path: Path) -> Layout:
    """Where the tensors lie in a file, of which no more than the header is read.

    Raises:
        WeightsError: The file is not safetensors.
    """
    with path.open("rb") as file:
        return read_layout(_read_header(file, path.stat().st_size), path)


def _read_header(file: BinaryIO, size: int) -> bytes:
    length = file.read(_LENGTH_BYTES)
    return length + file.read(min(size, int.from_bytes(length, "little")))


def read_layout(content: bytes, path: Path) -> Layout:
    """Where the tensors lie in a file, from its content or no more than its header.

    Raises:
        WeightsError: The content is not safetensors.
    """
    try:
        start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
        header = json.loads(content[_LENGTH_BYTES:start])
        notes = dict(header.pop("__metadata__", {}))
        spans = {
            name: (start + entry["data_offsets"][0], start + entry["data_offsets"][1])
            for name, entry in header.items()
        }
        types = {name: str(entry["dtype"]) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}); fetch it again") from error
    return Layout(spans, types, start, notes)
