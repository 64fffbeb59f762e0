# SPDX-License-Identifier: Apache-2.0
"""The options that choose an engine, shared by the commands that run one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.option import options_of

if TYPE_CHECKING:
    from recon_node.engines.reconstruction import Engine


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds --engine, --backend, --weights, and one for each field of `BackendOptions`."""
    parser.add_argument(
        "-e",
        "--engine",
        default="compact",
        help="compact, hull or triposr (default: %(default)s)",
    )
    parser.add_argument(
        "-b",
        "--backend",
        default="onnxruntime",
        help="what runs the network: onnxruntime, tensorrt or torch (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="WEIGHTS",
        help="other weights than those of the package: a folder; for triposr also a checkpoint or "
        "a Hugging Face repository",
    )
    for name, told in options_of(BackendOptions).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=getattr(BackendOptions, name),
            metavar=None if told.choices else name.rpartition("_")[2].upper(),
            choices=told.choices or None,
            help=told.description[0].lower() + told.description[1:].rstrip("."),
        )


def engine_of(args: argparse.Namespace) -> "Engine":
    """The engine that the options name, loaded.

    Raises:
        ReconstructionError: The name is unknown, an option asks for what is not there, or the
            weights are missing or corrupt.
    """
    from recon_node.engines import load_engine
    from recon_node.kernels.warp_start import start_warp

    start_warp()
    options = BackendOptions(**{name: getattr(args, name) for name in options_of(BackendOptions)})
    return load_engine(args.engine, backend=args.backend, weights=args.weights, options=options)
