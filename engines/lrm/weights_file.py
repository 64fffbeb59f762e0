# SPDX-License-Identifier: Apache-2.0
"""The compact model's weights on disk: a safetensors file, checked before anyone trusts it."""

import hashlib
import json
from pathlib import Path

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.networks import WEIGHTS_FILE

_LENGTH_BYTES = 8


def checked_weights(directory: Path) -> str:
    """SHA-256 of the weights in the folder, after their layout was found whole.

    Raises:
        WeightsError: The file is missing, truncated or not safetensors.
    """
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        raise WeightsError(
            f"{path} is missing, so the compact engine has no weights; reinstall recon, pass "
            "--weights with their folder, or use --engine hull"
        )
    content = path.read_bytes()
    _, end = read_layout(content, path)
    if len(content) != end:
        raise WeightsError(
            f"{path} has {len(content)} bytes where its header promises {end}: it is truncated or "
            "corrupt; fetch it again"
        )
    return hashlib.sha256(content).hexdigest()


def read_layout(content: bytes, path: Path) -> tuple[dict[str, tuple[int, int]], int]:
    """Where each tensor lies in the file (first byte, last byte + 1), and where the file ends.

    Raises:
        WeightsError: The content is not safetensors.
    """
    try:
        start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
        header = json.loads(content[_LENGTH_BYTES:start])
        spans = {
            name: (start + entry["data_offsets"][0], start + entry["data_offsets"][1])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file ({error}); fetch it again"
        ) from error
    return spans, max((last for _, last in spans.values()), default=start)
