# SPDX-License-Identifier: Apache-2.0
"""What runs a network: named arrays in, named arrays out."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import UnknownNameError

BACKENDS = {  # name -> (module, class or function)
    "onnxruntime": ("recon_node.engines.backends.onnxruntime_backend", "OnnxRuntimeBackend"),
    "tensorrt": ("recon_node.engines.backends.tensorrt_backend", "load_tensorrt"),
    "torch": ("recon_node.engines.backends.torch_backend", "TorchBackend"),
}


class Backend(Protocol):
    """Runs one network on the arrays of its ports.

    Attributes:
        name: One of `BACKENDS`.
        concurrency: Threads from which `run` is best called at once.
        status: What runs the network, and on what, for people.
    """

    name: str
    concurrency: int
    status: str

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name, f32.

        Args:
            inputs: One array for each input port, f32.
            outputs: Those wanted; all of them by default.
        """
        ...


def load_backend(
    name: str, network: Network, weights: Path, options: BackendOptions | None = None
) -> Backend:
    """The backend of that name with the network loaded.

    Args:
        name: One of `BACKENDS`.
        network: Which of the model's networks.
        weights: Folder of the weights and graphs.
        options: How it runs; the defaults where there are none.

    Raises:
        UnknownNameError: There is no such backend.
        InvalidInputError: An option asks for what the backend does not have.
        BackendUnavailableError: An option asks for what this machine does not have.
        MissingPackageError: Its package is not installed.
        WeightsError: The weights are missing or corrupt.
    """
    if name not in BACKENDS:
        raise UnknownNameError("backend", name, BACKENDS)
    module, cls = BACKENDS[name]
    return getattr(importlib.import_module(module), cls)(
        network, weights, options or BackendOptions()
    )
