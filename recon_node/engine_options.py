# SPDX-License-Identifier: Apache-2.0
"""The options that choose an engine, shared by the commands that run one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recon_node.engines.reconstruction import Engine


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds --engine, --backend and --weights."""
    parser.add_argument(
        "-e", "--engine", default="compact", help="compact or hull (default: %(default)s)"
    )
    parser.add_argument(
        "-b",
        "--backend",
        default="onnxruntime",
        help="what runs the network: onnxruntime or torch (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of weights other than those of the package",
    )


def engine_of(args: argparse.Namespace) -> "Engine":
    """The engine that the options name, loaded.

    Raises:
        ReconstructionError: The name is unknown, or the weights are missing or corrupt.
    """
    from recon_node.engines import load_engine
    from recon_node.kernels.warp_start import start_warp

    start_warp()
    return load_engine(args.engine, backend=args.backend, weights=args.weights)
