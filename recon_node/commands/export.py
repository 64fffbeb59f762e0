# SPDX-License-Identifier: Apache-2.0
"""`recon export`: a training checkpoint to weights and graphs that the engines load."""

import argparse
from pathlib import Path

_EXAMPLES = """\
examples:
  recon export run/checkpoint.pt -o weights
  recon reconstruct cup.png --mask cup_mask.png --weights weights -o out

files: compact.safetensors (float16), encoder.onnx and decoder.onnx, which point into it
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon export`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "export",
        parents=parents,
        help="checkpoint to weights and ONNX graphs (extra: torch)",
        description="Exports the averaged weights of a training checkpoint.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="of `recon train lrm`")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="where the files go"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when weights and graphs are written and checked."""
    from recon_node.engines.errors import require_package
    from recon_node.output_files import require_writable

    for package in ("torch", "onnx", "onnxscript", "safetensors.torch"):
        require_package(package, extra="torch")
    require_writable(args.output)
    from recon_node.engines.backends.export import export_compact
    from recon_node.training.checkpoint import averaged_model

    model, notes = averaged_model(args.checkpoint)
    export_compact(model, args.output, notes=notes)
    return 0
