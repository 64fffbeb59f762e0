# SPDX-License-Identifier: Apache-2.0
"""Plain torch: the reference that the other backends are compared with."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import BackendUnavailableError, InvalidInputError, require_package

torch = require_package("torch", extra="torch")
require_package("safetensors.torch", extra="torch")

CudaReplay = importlib.import_module("recon_node.engines.backends.cuda_replay").CudaReplay

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_WITH_WEIGHTS_IN_HALF = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)


class TorchBackend:
    """Runs one network as its module is written.

    In half precision the weights are stored in it. Where the module says which steps work in the
    type of its weights, that is all; else the weights of linear layers and convolutions are stored
    so, autocast computes with them, and pointwise networks stay in float32, because their inputs
    are coordinates. On a GPU a typed network of fixed sizes is recorded as a CUDA graph.

    Args:
        network: Which network.
        weights: Folder of the weights.
        options: Precision and provider.

    Raises:
        InvalidInputError: The provider is not one of torch.
        BackendUnavailableError: Torch sees no GPU, and it was asked for.
        WeightsError: The weights are missing, corrupt, or those of another model.
    """

    name = "torch"

    def __init__(self, network: Network, weights: Path, options: BackendOptions):
        self._device = torch.device(_device(options.provider))
        precision = _precision(network, options.precision, self._device)
        self._type = _TYPES[precision]
        self.status = f"torch ({self._device}, {precision})"
        module, function = network.torch_loader
        load = getattr(importlib.import_module(module), function)
        self._module = getattr(load(weights, device=str(self._device)), network.name)
        self._with_autocast = False
        if self._type is not torch.float32:
            self._with_autocast = not network.is_typed
            for part in self._module.modules():
                if network.is_typed or isinstance(part, _WITH_WEIGHTS_IN_HALF):
                    for parameter in part.parameters(recurse=False):
                        parameter.data = parameter.data.to(self._type)
        self._network, self._call = network, self._module
        self._usual_threads = torch.get_num_threads()
        is_split = network.pointwise and self._device.type == "cpu"
        self.concurrency = self._usual_threads if is_split else 1
        if self._device.type == "cuda" and network.is_typed and not network.pointwise:
            self._call = CudaReplay(self._module)

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        tensors = [
            torch.from_numpy(np.ascontiguousarray(inputs[port])).to(self._device)
            for port in self._network.inputs
        ]
        cast = torch.autocast(
            self._device.type,
            dtype=self._type if self._with_autocast else None,
            enabled=self._with_autocast,
        )
        with torch.inference_mode(), cast, self._own_threads():
            answer = self._call(*tensors)
        if isinstance(answer, torch.Tensor):
            answer = (answer,)
        by_port = dict(zip(self._network.outputs, answer, strict=True))
        return {
            port: by_port[port].float().cpu().numpy() for port in outputs or self._network.outputs
        }

    @contextmanager
    def _own_threads(self) -> Iterator[None]:
        """One thread of torch's for each caller, where several call at once.

        Threads that meet after every small product wait for each other: beside two other programs
        a surface took 53 to 60 s with two of torch's threads, and 11 s with two callers.
        """
        if self.concurrency == 1:
            yield
            return
        # A thread that never asked takes over what others have set when it first computes, and
        # would lose its 1 again.
        torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            # The number of old, not one read here: another caller may just have set its 1.
            torch.set_num_threads(self._usual_threads)


def _device(provider: str) -> str:
    """The torch device of a provider.

    Raises:
        InvalidInputError: Torch has no such provider.
        BackendUnavailableError: It sees no GPU.
    """
    has_gpu = torch.cuda.is_available()
    if provider == "tensorrt":
        raise InvalidInputError(
            "the provider 'tensorrt' is one of ONNX Runtime's, and torch has none of that name; "
            "use --provider cuda, or --backend tensorrt"
        )
    if provider == "cuda" and not has_gpu:
        raise BackendUnavailableError(
            f"the provider 'cuda' was asked for, and torch {torch.__version__} sees no GPU; use "
            "--provider cpu, or a build of torch for CUDA on a machine with an NVIDIA GPU"
        )
    return "cuda" if has_gpu and provider != "cpu" else "cpu"


def _precision(network: Network, precision: str, device: "torch.device") -> str:
    """The precision a network computes with; see `TorchBackend`."""
    if network.pointwise and not network.is_typed:
        return "fp32"
    if precision != "auto":
        return precision
    if not network.is_typed:  # small, and bfloat16 moved one of 36 surfaces by a voxel
        return "fp32"
    if device.type == "cpu":
        return "bf16" if _cpu_multiplies_bf16() else "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _cpu_multiplies_bf16() -> bool:
    """Whether the CPU has instructions for it; without them bfloat16 is slower than float32."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
