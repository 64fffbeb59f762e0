# SPDX-License-Identifier: Apache-2.0
"""Which plan a network needs, and the build of it."""

import hashlib
from pathlib import Path

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.backends.plan_builder import RECIPE, known_capabilities
from recon_node.engines.backends.plan_cache import PlanCache, PlanKey
from recon_node.engines.backends.plan_process import PlanBuild
from recon_node.engines.backends.tensorrt_package import FLAVOUR, VERSION, trt
from recon_node.engines.errors import BackendUnavailableError, WeightsError
from recon_node.engines.lrm.weights_file import checked_weights

AUTO_PRECISION = "fp16"
"""What `auto` means here: the type every GPU from compute capability 8.0 on multiplies fastest."""


def plan_key(
    network: Network, graphs: Path, options: BackendOptions, *, compute_capability: str
) -> PlanKey:
    """What the plan of a network is made of.

    Args:
        network: Which network.
        graphs: Folder of the graphs and the weights.
        options: Precision.
        compute_capability: Of the GPU that will run it, such as "8.9".

    Raises:
        WeightsError: Graph or weights are missing, corrupt, or do not belong together.
        BackendUnavailableError: This TensorRT builds no plans for that GPU.
    """
    known = known_capabilities()
    if FLAVOUR == "tensorrt_rtx" and compute_capability not in known:
        raise BackendUnavailableError(
            f"tensorrt_rtx {trt.__version__} builds no plans for compute capability "
            f"{compute_capability} (it does for {', '.join(known)}); install `tensorrt` from "
            "NVIDIA's index on that machine, or use --backend onnxruntime"
        )
    digest = checked_weights(graphs / network.weights_file)
    graph = graphs / network.graph_file
    content = graph.read_bytes() if graph.is_file() else b""
    if digest.encode() not in content:
        raise WeightsError(
            f"{graph} {'was exported for other weights' if content else 'is missing'}; "
            "make graphs and weights together with `recon export`"
        )
    return PlanKey(
        network=network.name,
        graph_sha256=hashlib.sha256(content).hexdigest(),
        precision=AUTO_PRECISION if options.precision == "auto" else options.precision,
        tensorrt=VERSION,
        compute_capability=compute_capability,
        recipe=RECIPE,
    )


def start_build(
    network: Network, graphs: Path, cache: PlanCache, key: PlanKey, *, for_this_machine: bool
) -> PlanBuild:
    """The build of a plan, started.

    Args:
        network: Which network.
        graphs: Folder of the graphs and the weights.
        cache: Gets the plan.
        key: What it is made of.
        for_this_machine: Whether its GPU is here; `tensorrt` builds for no other.
    """
    return PlanBuild(
        cache,
        key,
        graphs / network.graph_file,
        is_pointwise=network.pointwise,
        for_this_machine=for_this_machine and FLAVOUR == "tensorrt",
    )
