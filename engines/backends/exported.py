# SPDX-License-Identifier: Apache-2.0
"""The folder of graphs that a backend runs: as it was given, or exported once into the cache."""

import hashlib
import importlib
import logging
from pathlib import Path

from recon_node.engines.backends.cache_directory import cache_directory
from recon_node.engines.backends.network import Network
from recon_node.engines.errors import MissingPackageError, require_package

_NEEDED = ("torch", "onnx", "onnxscript", "safetensors.torch")
_BLOCK_BYTES = 1 << 24

_logger = logging.getLogger(__name__)


def exported_folder(network: Network, weights: Path) -> Path:
    """The folder with the network's graph.

    Args:
        network: Which network.
        weights: That folder, or what the network's exporter takes: then it is exported, once, into
            a folder of the cache that is named after the digest of the weights.

    Raises:
        MissingPackageError: It has to be exported, and torch is not installed.
        WeightsError: The weights are missing, corrupt, or those of another model.
        OutputError: The cache cannot be written.
    """
    if network.exporter is None or (weights / network.graph_file).is_file():
        return weights
    locator, exporter = network.exporter
    path = _function(locator)(weights)
    directory = cache_directory() / "exported" / _digest(path)[:16]
    if (directory / network.graph_file).is_file():
        return directory
    try:
        for package in _NEEDED:
            require_package(package, extra="torch")
    except MissingPackageError as error:
        raise MissingPackageError(
            f"{path} has no ONNX graphs, and to make them needs what is not installed ({error}); "
            "or run `recon export` on a machine with torch, and pass the folder it writes"
        ) from error
    _logger.warning("exporting %s to %s (once; takes a minute)", path, directory)
    _function(exporter)(path, directory)
    return directory


def _function(place: tuple[str, str]) -> object:
    module, name = place
    return getattr(importlib.import_module(module), name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
