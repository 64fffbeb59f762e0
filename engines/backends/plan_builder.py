# SPDX-License-Identifier: Apache-2.0
"""From a network's graph to a TensorRT plan for one kind of GPU; the GPU need not be there."""

import importlib
from collections.abc import Callable
from pathlib import Path

from recon_node.engines.backends.tensorrt_package import FLAVOUR, Log, trt
from recon_node.engines.errors import InvalidInputError, WeightsError, require_package

require_package("onnx", extra="gpu")
typed_graph = importlib.import_module("recon_node.engines.backends.typed_graph").typed_graph

RECIPE = 1  # goes into the key of a plan: count it up with every change of what is built

MOST_POINTS = 1 << 18  # of a pointwise network at once; more are asked in turns
USUAL_POINTS = 1 << 16
MOST_IMAGES = 4


def build_plan(
    graph: Path,
    *,
    is_pointwise: bool,
    precision: str,
    compute_capability: str | None,
    progress: Callable[[float], bool],
) -> memoryview:
    """The plan of a graph.

    Args:
        graph: The ONNX file; its weights lie beside it.
        is_pointwise: Whether what is free in it is a number of points, not of images.
        precision: "fp32", "bf16" or "fp16": the type of products and of what is between them.
        compute_capability: Of the GPU that will run it, such as "8.9"; None: that of this machine.
        progress: Called with the share that is done, from 0 to 1; answers whether to go on.

    Raises:
        InvalidInputError: This TensorRT builds no plans for that compute capability.
        WeightsError: TensorRT does not understand the graph, or cannot build it.
    """
    log = Log()
    builder = trt.Builder(log)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(definition, log)
    if not parser.parse(typed_graph(graph, precision).SerializeToString(), str(graph)):
        told = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise WeightsError(
            f"TensorRT cannot read {graph} ({told or log.last_error}); make it again with "
            "`recon export`, or use --backend onnxruntime"
        )
    config = builder.create_builder_config()
    config.progress_monitor = _Progress(progress)
    if precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)
    if compute_capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(compute_capability), 0)
    _add_sizes(builder, config, definition, is_pointwise=is_pointwise)
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise WeightsError(
            f"TensorRT cannot build {graph} in {precision} for compute capability "
            f"{compute_capability or 'of this GPU'} ({log.last_error}); try another --precision, "
            "or use --backend onnxruntime"
        )
    return memoryview(plan)


def known_capabilities() -> list[str]:
    """The compute capabilities this TensorRT builds for without having the GPU."""
    if not hasattr(trt, "ComputeCapability"):
        return []
    numbers = [int(name[2:]) for name in trt.ComputeCapability.__members__ if name[2:].isdigit()]
    return [f"{number // 10}.{number % 10}" for number in sorted(numbers)]


def _capability(asked: str) -> "trt.ComputeCapability":
    known = known_capabilities()
    if asked not in known:
        about = f"those are {', '.join(known)}" if known else "it builds for the GPU of the machine"
        raise InvalidInputError(
            f"{FLAVOUR} {trt.__version__} builds no plans for compute capability {asked!r} without "
            f"that GPU; {about}; `nvidia-smi --query-gpu=compute_cap --format=csv` tells yours"
        )
    return getattr(trt.ComputeCapability, f"SM{asked.replace('.', '')}")


def _add_sizes(
    builder: "trt.Builder",
    config: "trt.IBuilderConfig",
    definition: "trt.INetworkDefinition",
    *,
    is_pointwise: bool,
) -> None:
    """Let what is free in the graph run from one to its limit."""
    usual, most = (USUAL_POINTS, MOST_POINTS) if is_pointwise else (1, MOST_IMAGES)
    profile, is_needed = builder.create_optimization_profile(), False
    for i in range(definition.num_inputs):
        port = definition.get_input(i)
        if -1 in tuple(port.shape):
            sizes = [
                tuple(count if size == -1 else size for size in port.shape)
                for count in (1, usual, most)
            ]
            profile.set_shape(port.name, *sizes)
            is_needed = True
    if is_needed:
        config.add_optimization_profile(profile)


class _Progress(trt.IProgressMonitor):
    """One number out of TensorRT's phases, which lie in each other and have their own steps."""

    def __init__(self, progress: Callable[[float], bool]):
        super().__init__()
        self._progress = progress
        self._phases: dict[str, tuple[float, float]] = {}  # share where it starts, share of a step
        self._done = 0.0

    def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
        """Called by TensorRT."""
        start, width = self._phases.get(parent, (0.0, 1.0))
        self._phases[phase] = (max(start, self._done), width / max(steps, 1))

    def step_complete(self, phase: str, step: int) -> bool:
        """Called by TensorRT; whether to go on."""
        start, width = self._phases[phase]
        share = min(start + (step + 1) * width, 1.0)
        if share <= self._done:
            return True
        self._done = share
        return self._progress(share)

    def phase_finish(self, phase: str) -> None:
        """Called by TensorRT."""
        self._phases.pop(phase, None)
