# SPDX-License-Identifier: Apache-2.0
"""The weights on disk are found whole, or refused with what to do."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.networks import WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import TENSORS_DIGEST_KEY, checked_weights, read_layout


@pytest.fixture
def weights(random_weights: Path, tmp_path: Path) -> Path:
    """A file of weights that may be broken."""
    return Path(shutil.copy(random_weights / WEIGHTS_FILE, tmp_path))


def header_of(path: Path) -> dict:
    with path.open("rb") as file:
        return json.loads(file.read(int.from_bytes(file.read(8), "little")))


def test_whole_weights_have_a_digest(weights):
    assert checked_weights(weights) == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_the_layout_names_every_tensor_and_leaves_no_byte_over(weights):
    content = weights.read_bytes()
    layout = read_layout(content, weights)
    header = header_of(weights)
    notes = header.pop("__metadata__")
    assert layout.notes == notes and notes["step"] == "0"
    assert layout.spans.keys() == header.keys()
    assert layout.end == len(content)
    ends = [layout.start]
    for name, (first, last) in sorted(layout.spans.items(), key=lambda item: item[1]):
        assert first == ends[-1]
        assert last - first == 2 * np.prod(header[name]["shape"])
        ends.append(last)


def test_a_file_without_a_digest_of_its_tensors_is_taken(weights):
    content = weights.read_bytes()
    start = read_layout(content, weights).start
    header = header_of(weights)
    del header["__metadata__"][TENSORS_DIGEST_KEY]
    short = json.dumps(header).encode()
    weights.write_bytes(len(short).to_bytes(8, "little") + short + content[start:])
    checked_weights(weights)


def test_missing_weights_name_the_ways_out(tmp_path):
    with pytest.raises(WeightsError, match="is missing.*--weights with the folder.*--engine hull"):
        checked_weights(tmp_path / WEIGHTS_FILE)


@pytest.mark.parametrize("share", [0.999, 0.5, 0.002])
def test_truncated_weights_are_refused(share, weights):
    content = weights.read_bytes()
    weights.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match="truncated or corrupt; fetch it again"):
        checked_weights(weights)


def test_weights_with_something_behind_are_refused(weights):
    weights.write_bytes(weights.read_bytes() + b"!")
    with pytest.raises(WeightsError, match="bytes where its header promises"):
        checked_weights(weights)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 64,
        b"PK\x03\x04 a checkpoint that was not exported",
        (2).to_bytes(8, "little") + b"[]",
        (7).to_bytes(8, "little") + b'{"a":1}',
        (24).to_bytes(8, "little") + b'{"a":{"data_offsets":0}}',
        (20).to_bytes(8, "little") + b'{"__metadata__":[1]}',
    ],
)
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(WeightsError, match="not a safetensors file .*; fetch it again"):
        checked_weights(tmp_path / WEIGHTS_FILE)


def test_a_flipped_bit_of_a_tensor_is_seen(weights, rng):
    start = read_layout(weights.read_bytes(), weights).start
    with weights.open("r+b") as file:
        for position in rng.integers(start, weights.stat().st_size, 8):
            file.seek(position)
            (value,) = file.read(1)
            for content, is_broken in ((value ^ 1 << int(rng.integers(8)), True), (value, False)):
                file.seek(position)
                file.write(bytes([content]))
                file.flush()
                if is_broken:
                    with pytest.raises(WeightsError, match="is corrupt: its tensors.*fetch it"):
                        checked_weights(weights)
    checked_weights(weights)
