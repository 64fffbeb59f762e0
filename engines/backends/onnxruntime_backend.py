# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the default backend."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.errors import WeightsError, require_package
from recon_node.engines.lrm.weights_file import checked_weights

onnxruntime = require_package("onnxruntime", extra="gpu")

DIGEST_KEY = "weights_sha256"
_ONLY_FATAL = 4  # ONNX Runtime's level; what it raises is ours to tell


class OnnxRuntimeBackend:
    """Runs one exported graph, whose weights lie in the safetensors file beside it.

    Args:
        network: Which network.
        weights: Folder of the graphs and the weights.
        options: Precision and provider.

    Raises:
        WeightsError: A file is missing, corrupt, or graph and weights do not belong together.
    """

    name = "onnxruntime"

    def __init__(self, network: Network, weights: Path, options: BackendOptions):
        digest = checked_weights(weights / network.weights_file)
        graph = weights / network.graph_file
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
        cores = len(os.sched_getaffinity(0))
        self.concurrency = cores if network.pointwise else 1
        threads = 1 if network.pointwise else cores
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), _session_options(threads=threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a class of its own for every status code
            raise WeightsError(
                f"ONNX Runtime cannot load {graph} ({_first_line(error)}); "
                "make it again with `recon export`"
            ) from error
        ports = {port.name for port in (*self._session.get_inputs(), *self._session.get_outputs())}
        if ports != {*network.inputs, *network.outputs}:
            raise WeightsError(
                f"{graph} is not the {network.name}: it has the ports {', '.join(sorted(ports))}; "
                "make it again with `recon export`"
            )
        self._outputs = network.outputs
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        wanted = outputs or self._outputs
        return dict(
            zip(wanted, self._session.run(wanted, dict(inputs), self._run_options), strict=True)
        )


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
