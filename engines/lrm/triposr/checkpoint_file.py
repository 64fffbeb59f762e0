# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint's file says of itself, read without torch and without unpickling anything."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.weights_file import read_header

_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch before 1.6
_ZIP_MAGIC = b"PK\x03\x04"
_LENGTH_BYTES = 8
_PIECE = 1 << 20  # bytes
_LEGACY_PICKLE = 1 << 22  # the keys of a legacy file lie before its tensors
_STORAGES = {b"FloatStorage": "float32", b"HalfStorage": "float16", b"BFloat16Storage": "bfloat16"}
_SAFETENSORS_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Format(Enum):
    """How a checkpoint is stored."""

    SAFETENSORS = "safetensors"
    ZIP = "torch"
    LEGACY = "torch before 1.6"


@dataclass(frozen=True)
class CheckpointFile:
    """A file of weights.

    Attributes:
        path: Where it lies.
        format: How it is stored.
        dtype: Of its tensors, as text.
        is_nested: Whether the tensors lie under `state_dict`, as training files have them.
        is_wrapped: Whether its keys start with `module.`, as distributed training writes them.
        notes: Of a safetensors header.
    """

    path: Path
    format: Format
    dtype: str
    is_nested: bool = False
    is_wrapped: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


def inspect_checkpoint(path: Path) -> CheckpointFile:
    """What the file says of itself.

    Raises:
        WeightsError: It cannot be read, is cut short, or is none of the formats.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_LEGACY_MAGIC))
        if start.startswith(_ZIP_MAGIC):
            return _inspect_zip(path)
        if start == _LEGACY_MAGIC:
            with path.open("rb") as file:
                return _inspect_pickle(path, Format.LEGACY, file.read(_LEGACY_PICKLE))
        if start[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{":
            return _inspect_safetensors(path)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
    told = "is empty" if not start else "is neither a safetensors file nor one that torch saved"
    raise WeightsError(f"{path} {told}; fetch it again, or name another file with --weights")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, of which only a piece at a time is in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _inspect_zip(path: Path) -> CheckpointFile:
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
            if not pickles:
                raise WeightsError(
                    f"{path} is a zip archive that torch did not save: it has no data.pkl; "
                    "name the checkpoint inside it, unpacked"
                )
            return _inspect_pickle(path, Format.ZIP, archive.read(pickles[0]))
    except zipfile.BadZipFile as error:
        raise WeightsError(
            f"{path} is truncated or corrupt ({error}); fetch it again"
        ) from error


def _inspect_pickle(path: Path, kind: Format, content: bytes) -> CheckpointFile:
    """Of the names in a pickle, which is not run."""
    types = [name for storage, name in _STORAGES.items() if b"\n" + storage in content]
    return CheckpointFile(
        path,
        kind,
        dtype=" and ".join(types) or "of unknown type",
        is_nested=b"state_dict" in content,
        is_wrapped=b"module.image_tokenizer." in content,
    )


def _inspect_safetensors(path: Path) -> CheckpointFile:
    layout, size = read_header(path), path.stat().st_size
    if size != layout.end:
        raise WeightsError(
            f"{path} has {size} bytes where its header promises {layout.end}: it is truncated or "
            "corrupt; fetch it again"
        )
    types = sorted(set(layout.types.values()))
    return CheckpointFile(
        path,
        Format.SAFETENSORS,
        dtype=" and ".join(_SAFETENSORS_TYPES.get(name, name) for name in types),
        is_wrapped=all(name.startswith("module.") for name in layout.spans),
        notes=layout.notes,
    )
