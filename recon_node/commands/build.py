# SPDX-License-Identifier: Apache-2.0
"""`recon build`: TensorRT plans ahead of time, also for GPUs that are elsewhere."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recon_node.terminal import print_table, terminal_progress

if TYPE_CHECKING:
    from recon_node.engines.backends.network import Network
    from recon_node.engines.backends.plan_cache import PlanCache, PlanKey, StoredPlan

_EXAMPLES = """\
examples:
  recon build                                           the compact engine's, for the GPU here
  recon build triposr --compute-capability 8.6 8.9      for others, without a GPU
  recon build --list

compute capabilities: 8.6 RTX 30, 8.7 Orin, 8.9 RTX 40, 12.0 RTX 50;
  nvidia-smi --query-gpu=compute_cap --format=csv
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon build`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "build",
        parents=parents,
        help="ONNX graphs to TensorRT plans (extra: gpu)",
        description="Builds the TensorRT plans of an engine's networks into the cache of plans.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        nargs="?",
        type=Path,
        help="folder of `recon export`, or a TripoSR or Real3D checkpoint (default: the compact "
        "engine's weights)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="what the network computes with (default: auto, which is fp16)",
    )
    parser.add_argument(
        "--compute-capability",
        nargs="+",
        metavar="X.Y",
        help="of the GPUs that will run the plans (default: that of the GPU here)",
    )
    parser.add_argument(
        "--plan-directory",
        default="",
        metavar="DIRECTORY",
        help="folder that keeps the plans (default: recon/plans in the user's cache)",
    )
    parser.add_argument("--list", action="store_true", help="show the plans of the cache instead")
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code; 2 where a plan of the list cannot be used."""
    from recon_node.engines.backends.options import BackendOptions
    from recon_node.engines.backends.plan_cache import PlanCache

    options = BackendOptions(precision=args.precision, plan_directory=args.plan_directory)
    cache = PlanCache(options.plans)
    if args.list:
        return _list(cache)
    from recon_node.engines.backends.exported import exported_folder
    from recon_node.engines.backends.plans import plan_key

    capabilities = args.compute_capability or [_capability_here()]
    networks, weights = _networks(args.weights)
    with terminal_progress() as progress:
        for network in networks:
            graphs = exported_folder(network, weights)
            for capability in capabilities:
                key = plan_key(network, graphs, options, compute_capability=capability)
                task = progress.add_task(f"{network.name} for {capability}", total=1.0)
                for share in _build(network, graphs, cache, key):
                    progress.update(task, completed=share)
    return _list(cache)


def _build(network: "Network", graphs: Path, cache: "PlanCache", key: "PlanKey") -> Iterator[float]:
    """The share that is done of one plan, until it is in the cache."""
    from recon_node.engines.backends.plans import start_build
    from recon_node.engines.errors import WeightsError

    if cache.load(key) is None:
        here = key.compute_capability == _present_capability()
        build = start_build(network, graphs, cache, key, for_this_machine=here)
        try:
            while not build.wait(0.2):
                yield build.progress
        finally:
            build.close()
        if build.fault:
            raise WeightsError(build.fault)
    yield 1.0


def _networks(weights: Path | None) -> tuple[list["Network"], Path]:
    """The networks whose weights these are, and the weights."""
    from recon_node.engines.lrm import networks as compact
    from recon_node.engines.lrm.triposr import networks as triposr

    weights = weights or compact.WEIGHTS_DIRECTORY
    family = compact if (weights / compact.WEIGHTS_FILE).is_file() else triposr
    return [family.ENCODER, family.DECODER], weights


def _present_capability() -> str | None:
    """The compute capability of the GPU here, if there is one."""
    from recon_node.kernels.device_arrays import compute_capability
    from recon_node.kernels.warp_start import start_warp

    start_warp()
    return compute_capability()


def _capability_here() -> str:
    from recon_node.engines.errors import BackendUnavailableError

    present = _present_capability()
    if present is None:
        raise BackendUnavailableError(
            "there is no NVIDIA GPU on this machine to build plans for; say for which one with "
            "--compute-capability, such as 8.6 (RTX 30), 8.9 (RTX 40) or 12.0 (RTX 50)"
        )
    return present


def _list(cache: "PlanCache") -> int:
    """Prints the plans of the cache; 2 where one of them cannot be used."""
    from rich.table import Table

    plans = cache.plans()
    if not plans:
        print(f"no plans in {cache.directory}")
        return 0
    table = Table(box=None, header_style="bold", title=str(cache.directory), title_justify="left")
    for heading in ("network", "precision", "sm", "built by", "graph", "size", "state"):
        table.add_column(heading, no_wrap=True)
    for plan in plans:
        table.add_row(*_described(plan), f"{plan.size / 1e6:.1f} MB", plan.fault or "whole")
    print_table(table)
    return 2 if any(plan.fault for plan in plans) else 0


def _described(plan: "StoredPlan") -> tuple[str, str, str, str, str]:
    key = plan.key
    if key is None:
        return (plan.path.name, "", "", "", "")
    graph = key.graph_sha256[:12]
    return (key.network, key.precision, key.compute_capability, key.tensorrt, graph)
