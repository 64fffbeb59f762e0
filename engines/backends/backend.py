# SPDX-License-Identifier: Apache-2.0
"""What runs a network: named arrays in, named arrays out."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from recon_node.engines.errors import UnknownNameError
from recon_node.engines.lrm.networks import Network

BACKENDS = {  # name -> (module, class)
    "onnxruntime": ("recon_node.engines.backends.onnxruntime_backend", "OnnxRuntimeBackend"),
    "torch": ("recon_node.engines.backends.torch_backend", "TorchBackend"),
}


class Backend(Protocol):
    """Runs one network on the arrays of its ports.

    Attributes:
        name: One of `BACKENDS`.
        concurrency: Threads from which `run` is best called at once.
    """

    name: str
    concurrency: int

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The network's outputs by port name.

        Args:
            inputs: One array for each input port, f32.
        """
        ...


def load_backend(name: str, network: Network, weights: Path) -> Backend:
    """The backend of that name with the network loaded.

    Args:
        name: One of `BACKENDS`.
        network: Which of the model's networks.
        weights: Folder of the weights and graphs.

    Raises:
        UnknownNameError: There is no such backend.
        MissingPackageError: Its package is not installed.
        WeightsError: The weights are missing or corrupt.
    """
    if name not in BACKENDS:
        raise UnknownNameError("backend", name, BACKENDS)
    module, cls = BACKENDS[name]
    return getattr(importlib.import_module(module), cls)(network, weights)
