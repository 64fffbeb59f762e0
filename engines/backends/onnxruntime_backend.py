# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, on the CPU or on an NVIDIA GPU: the default backend."""

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recon_node.engines.backends.exported import exported_folder
from recon_node.engines.backends.network import Network
from recon_node.engines.backends.onnxruntime_providers import (
    EXECUTION_PROVIDERS,
    chosen_precision,
    chosen_provider,
    onnxruntime,
    provider_list,
)
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import BackendUnavailableError, WeightsError, require_package
from recon_node.engines.lrm.weights_file import checked_weights

DIGEST_KEY = "weights_sha256"
_ONLY_FATAL = 4  # ONNX Runtime's level; what it raises is ours to tell
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"


class OnnxRuntimeBackend:
    """Runs one exported graph, whose weights lie in the safetensors file beside it.

    Args:
        network: Which network.
        weights: Folder of the graphs and the weights, or what they can be exported from.
        options: Precision and provider.

    Raises:
        InvalidInputError: The provider does not compute in that precision.
        BackendUnavailableError: The provider is not installed, or finds no GPU.
        WeightsError: A file is missing, corrupt, or graph and weights do not belong together.
    """

    name = "onnxruntime"

    def __init__(self, network: Network, weights: Path, options: BackendOptions):
        provider = chosen_provider(options)
        precision = chosen_precision(options, provider)
        folder = exported_folder(network, weights)
        graph = _checked_graph(network, folder)
        cores = len(os.sched_getaffinity(0))
        on_cpu = provider == "cpu"
        self.concurrency = cores if network.pointwise and on_cpu else 1
        settings = _session_options(threads=1 if network.pointwise else cores)
        # ONNX Runtime's arena doubles what it grows by: attention over 3072 tokens took 4.3 GB with
        # it and 2.2 GB without, in the same time.
        settings.enable_cpu_mem_arena = not network.is_typed
        model = str(graph)
        if provider == "cuda" and precision == "fp16":
            model = _typed(graph, precision)
            settings.add_session_config_entry(_WEIGHTS_FOLDER, str(folder))
        try:
            self._session = onnxruntime.InferenceSession(
                model, settings, providers=provider_list(provider, precision, options)
            )
        except Exception as error:  # ONNX Runtime has a class of its own for every status code
            raise WeightsError(
                f"ONNX Runtime cannot load {graph} ({_first_line(error)}); "
                "make it again with `recon export`"
            ) from error
        provider = self._serving(provider, options)
        ports = {port.name for port in (*self._session.get_inputs(), *self._session.get_outputs())}
        if ports != {*network.inputs, *network.outputs}:
            raise WeightsError(
                f"{graph} is not the {network.name}: it has the ports {', '.join(sorted(ports))}; "
                "make it again with `recon export`"
            )
        self._outputs = network.outputs
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True
        self.status = f"onnxruntime ({provider}, {precision})"

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        wanted = outputs or self._outputs
        return dict(
            zip(wanted, self._session.run(wanted, dict(inputs), self._run_options), strict=True)
        )

    def _serving(self, provider: str, options: BackendOptions) -> str:
        """The provider of the session: ONNX Runtime takes the CPU where another one fails."""
        serving = self._session.get_providers()
        if EXECUTION_PROVIDERS[provider] in serving:
            return provider
        if options.provider == "auto":
            return "cpu"
        raise BackendUnavailableError(
            f"the provider {provider!r} was asked for, and ONNX Runtime cannot start it here (it "
            f"took {', '.join(serving)}): there is no NVIDIA GPU, or its CUDA, cuDNN or TensorRT "
            "libraries are missing; use --provider cpu"
        )


def _checked_graph(network: Network, folder: Path) -> Path:
    """The network's graph, which was exported for the weights beside it.

    Raises:
        WeightsError: A file is missing or corrupt, or they do not belong together.
    """
    digest = checked_weights(folder / network.weights_file)
    graph = folder / network.graph_file
    if not graph.is_file():
        raise WeightsError(
            f"{graph} is missing, so ONNX Runtime has no network to run; "
            "make it with `recon export`, or use --backend torch"
        )
    # Before the session: ONNX Runtime reads tensors from where the graph says they lie.
    if digest.encode() not in graph.read_bytes():
        raise WeightsError(
            f"{graph} was exported for other weights than those beside it, or is corrupt; "
            "export both together with `recon export`"
        )
    return graph


def _typed(graph: Path, precision: str) -> bytes:
    """The graph in another precision."""
    require_package("onnx", extra="gpu")
    module = importlib.import_module("recon_node.engines.backends.typed_graph")
    return module.typed_graph(graph, precision).SerializeToString()


def _session_options(*, threads: int) -> "onnxruntime.SessionOptions":
    """Options that leave the other processes of a robot their share of the machine.

    By default ONNX Runtime starts a thread on every core, also on those that this process may not
    use, and lets idle ones spin. That gains nothing on two free cores (27 ms for the encoder either
    way), and on a shared one the encoder took 1.1 s.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
