# SPDX-License-Identifier: Apache-2.0
"""TensorRT on an NVIDIA GPU: a network as a plan, which is built once for each kind of GPU."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from recon_node.engines.backends.backend import Backend, load_backend
from recon_node.engines.backends.exported import exported_folder
from recon_node.engines.backends.handover import HandoverBackend
from recon_node.engines.backends.network import Network
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.backends.plan_builder import MOST_IMAGES, MOST_POINTS
from recon_node.engines.backends.plan_cache import PlanCache, PlanKey
from recon_node.engines.backends.plans import plan_key, start_build
from recon_node.engines.backends.tensorrt_package import VERSION, Log, trt
from recon_node.engines.errors import BackendUnavailableError, WeightsError
from recon_node.kernels.device_arrays import DeviceArrays, compute_capability
from recon_node.kernels.warp_start import start_warp

_DEVICE = "cuda:0"

_logger = logging.getLogger(__name__)


def load_tensorrt(network: Network, weights: Path, options: BackendOptions) -> Backend:
    """TensorRT where its plan is in the cache; else ONNX Runtime until the plan is built.

    The build runs in the background; what serves is told by the backend's `status`.

    Args:
        network: Which network.
        weights: Folder of the weights and graphs, or what they can be exported from.
        options: Precision and folder of the plans.

    Raises:
        BackendUnavailableError: There is no NVIDIA GPU, or none that TensorRT builds for.
        WeightsError: The weights are missing or corrupt, or there are no graphs.
    """
    start_warp()
    capability = compute_capability()
    if capability is None:
        raise BackendUnavailableError(
            f"the backend 'tensorrt' ({VERSION}) was asked for, and there is no NVIDIA GPU on this "
            "machine (or no driver for it); use --backend onnxruntime. Plans for another machine "
            "are built with `recon build --compute-capability`"
        )
    graphs = exported_folder(network, weights)
    cache = PlanCache(options.plans)
    key = plan_key(network, graphs, options, compute_capability=capability)
    plan = cache.load(key)
    if plan is not None:
        try:
            return TensorRTBackend(network, plan, key)
        except WeightsError:  # whole, but not for this driver: another build may be
            cache.path(key).unlink()
    _logger.warning(
        "there is no plan of the %s for compute capability %s yet: it is built in the background, "
        "as long as this process runs, and onnxruntime serves meanwhile; `recon build` makes plans "
        "ahead of time",
        network.name,
        capability,
    )
    build = start_build(network, graphs, cache, key, for_this_machine=True)
    return HandoverBackend(
        load_backend("onnxruntime", network, graphs),
        build,
        lambda: TensorRTBackend(network, _built(cache, key), key),
        wanted="tensorrt",
    )


class TensorRTBackend:
    """Runs one plan on the first GPU.

    Args:
        network: Which network.
        plan: The serialised plan.
        key: What it was made of.

    Raises:
        WeightsError: TensorRT refuses the plan, or it is another network's.
    """

    name = "tensorrt"
    concurrency = 1  # one context, one stream

    def __init__(self, network: Network, plan: memoryview, key: PlanKey):
        self._network, self._log = network, Log()
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        self._context = self._engine and self._engine.create_execution_context()
        if self._context is None:
            raise WeightsError(
                f"TensorRT refuses the plan {key.file_name} ({self._log.last_error}); remove it, "
                "and it is built again"
            )
        engine = self._engine
        ports = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        if ports != {*network.inputs, *network.outputs}:
            raise WeightsError(
                f"the plan {key.file_name} is not the {network.name}: it has the ports "
                f"{', '.join(sorted(ports))}; remove it, and it is built again"
            )
        self._free = {port: _free_axis(engine.get_tensor_shape(port)) for port in ports}
        self._arrays = DeviceArrays(_DEVICE)
        self.status = f"tensorrt ({key.tensorrt}, {key.precision}, sm {key.compute_capability})"

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The network's outputs by port name; see `Backend.run`."""
        wanted = outputs or self._network.outputs
        parts = [self._run_part(part, wanted) for part in self._parts(inputs)]
        return {
            port: parts[0][port]
            if len(parts) == 1
            else np.concatenate([part[port] for part in parts], axis=self._free[port])
            for port in wanted
        }

    def _parts(self, inputs: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """The inputs in pieces no larger than the plan takes."""
        free = {port: self._free[port] for port in self._network.inputs}
        counts = {inputs[port].shape[axis] for port, axis in free.items() if axis is not None}
        most = MOST_POINTS if self._network.pointwise else MOST_IMAGES
        for first in range(0, max(counts, default=1), most):
            yield {
                port: values
                if free[port] is None
                else values[(slice(None),) * free[port] + (slice(first, first + most),)]
                for port, values in inputs.items()
            }

    def _run_part(
        self, inputs: Mapping[str, np.ndarray], wanted: Sequence[str]
    ) -> dict[str, np.ndarray]:
        context, arrays = self._context, self._arrays
        for port in self._network.inputs:
            context.set_input_shape(port, inputs[port].shape)
            context.set_tensor_address(port, arrays.put(port, inputs[port]))
        for port in self._network.outputs:
            shape = tuple(context.get_tensor_shape(port))
            context.set_tensor_address(port, arrays.reserve(port, shape))
        if not context.execute_async_v3(arrays.stream):
            raise WeightsError(
                f"TensorRT cannot run the {self._network.name} ({self._log.last_error}); "
                "use --backend onnxruntime, and report it"
            )
        return {port: arrays.get(port) for port in wanted}


def _free_axis(shape: "trt.Dims") -> int | None:
    """Which axis of a port is as long as its caller wants."""
    return next((axis for axis, size in enumerate(shape) if size == -1), None)


def _built(cache: PlanCache, key: PlanKey) -> memoryview:
    """The plan that was just stored."""
    plan = cache.load(key)
    if plan is None:
        raise WeightsError(f"the plan {cache.path(key)} is not there any more; start again")
    return plan
