# SPDX-License-Identifier: Apache-2.0
"""Plain torch: the reference that the other backends are compared with."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon_node.engines.errors import require_package
from recon_node.engines.lrm.networks import Network

torch = require_package("torch", extra="torch")
require_package("safetensors.torch", extra="torch")
stored_model = importlib.import_module("recon_node.engines.lrm.stored_model").stored_model


class TorchBackend:
    """Runs one network of the compact model as written in `engines/lrm/model.py`.

    Args:
        network: Which network.
        weights: Folder of the weights.
        device: Torch device.

    Raises:
        WeightsError: The weights are missing, corrupt, or those of another model.
    """

    name = "torch"
    concurrency = 1  # torch has threads of its own

    def __init__(self, network: Network, weights: Path, *, device: str = "cpu"):
        self._device = torch.device(device)
        self._module = getattr(stored_model(weights, device=device), network.name)
        self._network = network

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        tensors = [
            torch.from_numpy(np.ascontiguousarray(inputs[port])).to(self._device)
            for port in self._network.inputs
        ]
        with torch.inference_mode():
            outputs = self._module(*tensors)
        return {
            port: tensor.cpu().numpy()
            for port, tensor in zip(self._network.outputs, outputs, strict=True)
        }
