# SPDX-License-Identifier: Apache-2.0
"""TensorRT's plans on disk: found by what they were made of, and never trusted unseen."""

import dataclasses
import hashlib
import json
import logging
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.errors import OutputError

SUFFIX = ".plan"
_MAGIC = b"recon plan 1\n"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 1 << 16
_BLOCK_BYTES = 1 << 20

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanKey:
    """What a plan was made of; any other value of a field makes another plan.

    Attributes:
        network: Name of the network.
        graph_sha256: Of its ONNX graph, which holds the digest of the weights.
        precision: "fp32", "bf16" or "fp16".
        tensorrt: Package and version, such as "tensorrt_rtx-1.7.1.116".
        compute_capability: Of the GPU, such as "8.9".
        recipe: Number of the builder's settings.
    """

    network: str
    graph_sha256: str
    precision: str
    tensorrt: str
    compute_capability: str
    recipe: int

    @property
    def file_name(self) -> str:
        """Name of the plan's file."""
        arch = f"sm{self.compute_capability.replace('.', '')}"
        graph = self.graph_sha256[:16]
        parts = (self.network, graph, self.precision, arch, self.tensorrt, f"r{self.recipe}")
        return "-".join(parts) + SUFFIX


@dataclass(frozen=True)
class StoredPlan:
    """One file of the cache.

    Attributes:
        path: Of the file.
        size: Of the file [bytes].
        key: What it was made of; None: its header cannot be read.
        fault: Why it is no plan to load, or empty.
    """

    path: Path
    size: int
    key: PlanKey | None
    fault: str


class PlanCache:
    """A folder of plans, each with a header that says what it was made of and its digest.

    Args:
        directory: The folder; made when the first plan is stored.
    """

    def __init__(self, directory: Path):
        self.directory = directory

    def path(self, key: PlanKey) -> Path:
        """Where the plan of a key lies, or would."""
        return self.directory / key.file_name

    def load(self, key: PlanKey) -> memoryview | None:
        """The plan, or None where there is none that is whole and made for this key.

        The content stays in the file, mapped into memory. Every byte was seen.
        """
        path = self.path(key)
        if not path.is_file():
            return None
        found, payload = _read(path)
        if not found.fault and found.key != key:
            found = dataclasses.replace(found, fault="it was made of something else")
        if found.fault:
            _logger.warning("the plan %s is not used: %s; it is built again", path, found.fault)
            return None
        return payload

    def store(self, key: PlanKey, plan: bytes | memoryview) -> None:
        """Puts a plan into the cache, in one step: a reader finds the old one or the new.

        Raises:
            OutputError: It cannot be written.
        """
        header = json.dumps(
            dataclasses.asdict(key)
            | {"plan_bytes": len(plan), "plan_sha256": hashlib.sha256(plan).hexdigest()}
        ).encode()
        path = self.path(key)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(_MAGIC + len(header).to_bytes(_LENGTH_BYTES, "little") + header)
                file.write(plan)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            if unfinished.is_file():
                unfinished.unlink()
            raise OutputError(
                f"cannot write {path}: {error.strerror}; free the place, or choose another folder "
                "with --plan-directory"
            ) from error

    def plans(self) -> list[StoredPlan]:
        """Every plan of the folder, each read to its end, by name."""
        return [_read(path)[0] for path in sorted(self.directory.glob(f"*{SUFFIX}"))]


def _read(path: Path) -> tuple[StoredPlan, memoryview]:
    """What the file is, and its plan."""
    size = path.stat().st_size
    key, nothing = None, memoryview(b"")

    def broken(fault: str) -> tuple[StoredPlan, memoryview]:
        return StoredPlan(path, size, key, fault), nothing

    start = len(_MAGIC) + _LENGTH_BYTES
    if size <= start:
        return broken("it is cut short")
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if content[: len(_MAGIC)] != _MAGIC:
        return broken("it is not a plan that recon wrote")
    length = int.from_bytes(content[len(_MAGIC) : start], "little")
    try:
        header = json.loads(bytes(content[start : start + min(length, _LONGEST_HEADER)]))
        names = [field.name for field in dataclasses.fields(PlanKey)]
        key = PlanKey(**{name: header[name] for name in names})
        promised, digest = header["plan_bytes"], header["plan_sha256"]
    except (ValueError, KeyError, TypeError):
        return broken("its header is damaged")
    plan = content[start + length :]
    if len(plan) != promised:
        return broken("it is cut short, or longer than it was")
    seen = hashlib.sha256()
    for first in range(0, len(plan), _BLOCK_BYTES):
        seen.update(plan[first : first + _BLOCK_BYTES])
    if seen.hexdigest() != digest:
        return broken("its content is not what was written")
    return StoredPlan(path, size, key, ""), plan
