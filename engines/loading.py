# SPDX-License-Identifier: Apache-2.0
"""From an engine's name to the engine."""

import importlib
from pathlib import Path

from recon_node.engines.errors import UnknownNameError
from recon_node.engines.reconstruction import Engine

ENGINES = {  # name -> (module, class, whether it has weights and a backend)
    "compact": ("recon_node.engines.lrm.engine", "CompactEngine", True),
    "hull": ("recon_node.engines.hull", "HullEngine", False),
}


def load_engine(
    name: str, *, backend: str = "onnxruntime", weights: str | Path | None = None
) -> Engine:
    """The engine of that name, its weights loaded.

    Args:
        name: "compact" or "hull".
        backend: "onnxruntime" or "torch"; the hull engine needs none.
        weights: Folder of weights; those shipped by default.

    Raises:
        UnknownNameError: There is no such engine or backend.
        MissingPackageError: The backend's package is not installed.
        WeightsError: The weights are missing or corrupt.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    module, cls, has_weights = ENGINES[name]
    engine = getattr(importlib.import_module(module), cls)
    if not has_weights:
        return engine()
    return engine(backend=backend, weights=None if weights is None else Path(weights))
