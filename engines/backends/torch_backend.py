# SPDX-License-Identifier: Apache-2.0
"""Plain torch: the reference that the other backends are compared with."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon_node.engines.errors import WeightsError, require_package
from recon_node.engines.lrm.networks import WEIGHTS_FILE, Network
from recon_node.engines.lrm.weights_file import checked_weights

torch = require_package("torch", extra="torch")
safetensors = require_package("safetensors", extra="torch")
safetensors_torch = require_package("safetensors.torch", extra="torch")
model_module = importlib.import_module("recon_node.engines.lrm.model")


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

    def __init__(self, network: Network, weights: Path, *, device: str = "cpu"):
        checked_weights(weights)
        self._device = torch.device(device)
        with torch.device("meta"):
            model = model_module.CompactLRM()
        state = _load_state(weights / WEIGHTS_FILE, self._device)
        shapes = {name: tensor.shape for name, tensor in state.items()}
        expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
        wrong = sorted({name for name, _ in shapes.items() ^ expected.items()})
        if wrong:
            raise WeightsError(
                f"{weights / WEIGHTS_FILE} is not this compact model: missing, unexpected or of "
                f"another shape are {', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}; "
                "fetch the weights of this version, or make them with `recon export`"
            )
        model.load_state_dict(state, assign=True)
        self._module = getattr(model.eval(), network.name)
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


def _load_state(path: Path, device: "torch.device") -> dict[str, "torch.Tensor"]:
    """The weights by name, f32."""
    try:
        stored = safetensors_torch.load_file(path, device=str(device))
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} is corrupt ({error}); fetch it again") from error
    return {name: tensor.float() for name, tensor in stored.items()}
