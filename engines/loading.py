# SPDX-License-Identifier: Apache-2.0
"""From an engine's name to the engine."""

import dataclasses
import importlib
import logging
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.backends.backend import BACKENDS
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import UnknownNameError
from recon_node.engines.option import check_options, option
from recon_node.engines.reconstruction import Engine

ENGINES = {  # name -> (module, class, whether it has weights and a backend)
    "compact": ("recon_node.engines.lrm.engine", "CompactEngine", True),
    "hull": ("recon_node.engines.hull", "HullEngine", False),
    "triposr": ("recon_node.engines.lrm.triposr.engine", "TripoSREngine", True),
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineConfig:
    """Which engine, on what, with which weights; the sentences are in the fields."""

    engine: str = option(
        "compact", "What makes the meshes; the hull needs no weights.", choices=tuple(ENGINES)
    )
    backend: str = option("onnxruntime", "What runs the engine's network.", choices=tuple(BACKENDS))
    weights: str = option(
        "",
        "Folder of the engine's weights, for triposr also a checkpoint or a Hugging Face "
        "repository; empty: those that recon ships (none for triposr).",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def load_anywhere(self) -> Engine:
        """The engine on the backend that any machine has, ONNX Runtime on the CPU."""
        options = BackendOptions(provider="cpu")
        return dataclasses.replace(self, backend="onnxruntime").load(options)

    def load(self, options: BackendOptions) -> Engine:
        """The engine, loaded; see `load_engine`."""
        return load_engine(
            self.engine, backend=self.backend, weights=self.weights or None, options=options
        )


def load_engine(
    name: str,
    *,
    backend: str = "onnxruntime",
    weights: str | Path | None = None,
    options: BackendOptions | None = None,
) -> Engine:
    """The engine of that name, its weights loaded.

    Args:
        name: "compact", "hull" or "triposr".
        backend: "onnxruntime" or "torch"; the hull engine needs none.
        weights: Folder of weights, those shipped by default. The triposr engine comes without: name
            a checkpoint, a folder that holds one, or a Hugging Face repository.
        options: How the backend runs: precision, provider, plans.

    Raises:
        UnknownNameError: There is no such engine or backend.
        InvalidInputError: An option asks for what the backend does not have.
        BackendUnavailableError: An option asks for what this machine does not have.
        MissingPackageError: The backend's package is not installed.
        WeightsError: The weights are missing or corrupt.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    module, cls, has_weights = ENGINES[name]
    engine = getattr(importlib.import_module(module), cls)
    if not has_weights:
        return engine()
    loaded = engine(
        backend=backend, weights=None if weights is None else Path(weights), options=options
    )
    _logger.info("the engine %s runs %s", name, loaded.weights_note)
    return loaded
