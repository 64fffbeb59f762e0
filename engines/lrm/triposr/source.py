# SPDX-License-Identifier: Apache-2.0
"""From what a user calls the weights (file, folder, repository) to the file, and whose it is."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.errors import WeightsError, require_package
from recon_node.engines.lrm.triposr.checkpoint_file import (
    CheckpointFile,
    inspect_checkpoint,
    sha256_of,
)
from recon_node.engines.lrm.triposr.presets import (
    PRESETS,
    PUBLIC_TRIPOSR_SHA256,
    REAL3D,
    TRIPOSR,
    UNKNOWN_LICENCE,
    Preset,
    preset_named,
)

HOW_TO_GET = (
    "where there is a network: `pip install huggingface_hub` and `hf download stabilityai/TripoSR "
    "model.ckpt --local-dir weights`; bring weights/model.ckpt to this machine and pass --weights "
    "weights/model.ckpt (of the node, the parameter weights)"
)
"""The two commands that fetch the public weights, and where to put them."""

_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".tar")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_OTHER_FILES = ("model.safetensors", "model.ckpt")  # of a repository that is in no preset

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightsSource:
    """A file of weights and whose they are.

    Attributes:
        file: What the file says of itself.
        preset: How the weights want to be used.
        licence: Theirs, as far as it is known.
        source: Where they come from, as far as it is known.
        sha256: Of the file.
    """

    file: CheckpointFile
    preset: Preset
    licence: str
    source: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.file.path

    @property
    def notes(self) -> dict[str, str]:
        """What a safetensors file made of these weights has to say in its header."""
        return {
            "preset": self.preset.name,
            "licence": self.licence,
            "source": self.source,
            "original_sha256": self.file.notes.get("original_sha256", self.sha256),
        }

    def __str__(self) -> str:
        """One line for logs and diagnostics."""
        return (
            f"{self.source}; {self.licence}; preset {self.preset.name}; {self.file.dtype}; "
            f"{self.path}; sha256 {self.sha256[:12]}"
        )


def is_repository(weights: str | Path) -> bool:
    """Whether this names a Hugging Face repository (`owner/name`) and nothing on disk.

    >>> is_repository("stabilityai/TripoSR"), is_repository("weights/model.ckpt")
    (True, False)
    """
    name = str(weights)
    return (
        _REPOSITORY.fullmatch(name) is not None
        and not name.endswith(_SUFFIXES)
        and not Path(name).exists()
        and not Path(name).parent.exists()
    )


def weights_file(weights: str | Path | None) -> Path:
    """The file that the weights are in.

    Args:
        weights: A file, a folder that holds one, or a Hugging Face repository.

    Raises:
        WeightsError: There is none, or a folder holds several.
        MissingPackageError: huggingface_hub is not installed, and a repository is named.
    """
    if not weights:
        raise WeightsError(
            f"the triposr engine comes without weights; fetch the public ones (MIT) {HOW_TO_GET}"
        )
    path = Path(weights).expanduser()
    if path.is_dir():
        return _file_in(path)
    if path.exists():
        return path
    if is_repository(weights):
        return _file_of_repository(str(weights))
    raise WeightsError(
        f"there is nothing at {path}; name a file, a folder that holds one, or a Hugging Face "
        f"repository such as stabilityai/TripoSR; to get the public weights {HOW_TO_GET}"
    )


def identify(path: Path) -> WeightsSource:
    """Whose weights are in a file: by what `recon convert` noted, its digest, its name, its keys.

    Raises:
        WeightsError: The file is not a checkpoint, is cut short, or notes a preset we do not know.
    """
    file = inspect_checkpoint(path)
    sha256 = sha256_of(path)
    if "preset" in file.notes:
        return _as_noted(file, file.notes, sha256)
    if sha256 == PUBLIC_TRIPOSR_SHA256:
        return _of_the_public(file, TRIPOSR, sha256)
    for preset in PRESETS.values():
        if f"models--{preset.repository.replace('/', '--')}" in path.parts:
            return _of_the_public(file, preset, sha256)
    if path.name.startswith("model_both"):
        return _of_the_public(file, REAL3D, sha256)
    preset = REAL3D if file.is_nested or file.is_wrapped else TRIPOSR
    return WeightsSource(file, preset, UNKNOWN_LICENCE, "weights of unknown source", sha256)


def _of_the_public(file: CheckpointFile, preset: Preset, sha256: str) -> WeightsSource:
    return WeightsSource(file, preset, preset.licence, preset.source, sha256)


def _as_noted(file: CheckpointFile, notes: Mapping[str, str], sha256: str) -> WeightsSource:
    return WeightsSource(
        file,
        preset_named(notes["preset"]),
        notes.get("licence", UNKNOWN_LICENCE),
        notes.get("source", "weights of unknown source"),
        sha256,
    )


def _file_in(folder: Path) -> Path:
    """The one checkpoint of a folder; safetensors before what it may have been made from."""
    for suffixes in (_SUFFIXES[:1], _SUFFIXES[1:]):
        found = sorted(path for path in folder.iterdir() if path.name.endswith(suffixes))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise WeightsError(f"{folder} holds several checkpoints ({names}); name one of them")
    raise WeightsError(
        f"{folder} holds no checkpoint (a file that ends in {', '.join(_SUFFIXES)}); "
        f"to get the public weights {HOW_TO_GET}"
    )


def _file_of_repository(repository: str) -> Path:
    """The checkpoint of a repository: from the local cache, else from the network."""
    hub = require_package("huggingface_hub", extra="hub")
    errors = require_package("huggingface_hub.errors", extra="hub")
    known = [preset.file for preset in PRESETS.values() if preset.repository == repository]
    files = known or _OTHER_FILES
    for name in files:
        try:
            return Path(hub.hf_hub_download(repository, name, local_files_only=True))
        except errors.LocalEntryNotFoundError:
            continue
    _logger.info("fetching %s from Hugging Face", repository)
    for name in files:
        try:
            return Path(hub.hf_hub_download(repository, name))
        except errors.LocalEntryNotFoundError as error:
            raise WeightsError(
                f"{repository} is not in the local cache of Hugging Face, and cannot be fetched "
                f"without a network; get it {HOW_TO_GET}"
            ) from error
        except errors.EntryNotFoundError:
            continue  # the repository is there, this file is not
        except OSError as error:
            raise WeightsError(
                f"{repository} cannot be fetched from Hugging Face ({error}); get it {HOW_TO_GET}"
            ) from error
    raise WeightsError(
        f"the repository {repository} has none of the files {', '.join(files)}; download the one "
        "you mean and name it with --weights"
    )
