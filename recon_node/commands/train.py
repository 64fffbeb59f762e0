# SPDX-License-Identifier: Apache-2.0
"""`recon train`: makes the weights of a model."""

import argparse
from dataclasses import fields
from pathlib import Path

_EXAMPLES = """\
examples:
  recon train lrm --data data --out run
  recon train lrm --data data --out run --steps 200000 --workers 8 --precision bf16-mixed
  recon export run/checkpoint.pt -o weights

A run that was stopped goes on where its last checkpoint left off when the same command is given
again. The folder of the run holds checkpoint.pt, log.csv and TensorBoard events.
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon train`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "train",
        parents=parents,
        help="train a model (extra: train)",
        description="Trains a model on rendered views of a mesh collection and procedural shapes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", choices=("lrm",), help="lrm: the compact reconstruction model")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the collection")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="exported weights that a new run starts from"
    )
    numbers = parser.add_argument_group("training (defaults in recon_node.training.options)")
    for name, kind, text in _NUMBERS:
        numbers.add_argument(f"--{name}", type=kind, metavar=kind.__name__.upper(), help=text)
    return parser


_NUMBERS = (
    ("steps", int, "optimiser steps in all, earlier ones of the run counted"),
    ("batch", int, "samples of a step on each device"),
    ("learning-rate", float, "peak learning rate"),
    ("cooldown", int, "last steps, over which the rate falls; 0: the run will be continued"),
    ("workers", int, "processes that render; 0: the trainer renders"),
    ("devices", int, "processes or GPUs that train together"),
    ("precision", str, "32-true, bf16-mixed, or auto: the faster on the device"),
    ("validate-every", int, "steps between validations and checkpoints"),
    ("validation", int, "held-out views that are judged then"),
    ("seed", int, "of weights and samples"),
)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when the last step is done."""
    from recon_node.engines.errors import require_package
    from recon_node.output_files import require_writable

    require_package("lightning_fabric", extra="train")
    require_package("tensorboard", extra="train")
    require_writable(args.out)
    from recon_node.kernels.warp_start import start_warp
    from recon_node.training.lrm import train
    from recon_node.training.options import TrainingOptions

    names = {field.name for field in fields(TrainingOptions)}
    given = {k: v for k, v in vars(args).items() if k in names and v is not None}
    start_warp()
    train(args.data, args.out, TrainingOptions(**given), weights=args.weights)
    return 0
