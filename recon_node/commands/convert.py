# SPDX-License-Identifier: Apache-2.0
"""`recon convert`: a public checkpoint of TripoSR or Real3D to a safetensors file."""

import argparse
from pathlib import Path

_EXAMPLES = """\
examples:
  the public weights of TripoSR (MIT, 1.7 GB):
    hf download stabilityai/TripoSR model.ckpt --local-dir weights
    recon convert weights/model.ckpt -o weights/triposr.safetensors
  those of Real3D:
    hf download hwjiang/Real3D model_both_trained_v1.ckpt --local-dir weights
    recon convert weights/model_both_trained_v1.ckpt -o weights/real3d.safetensors
  then:
    recon reconstruct cup.png --mask cup_mask.png --engine triposr --backend torch \\
      --weights weights/triposr.safetensors

The file's header notes preset, licence, source, and the SHA-256 of the checkpoint.
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon convert`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "convert",
        parents=parents,
        help="TripoSR or Real3D checkpoint to safetensors (extra: torch)",
        description="Checks a checkpoint of the TripoSR family and writes it as safetensors.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="file, folder that holds one, or Hugging Face repository",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="ends in .safetensors"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="how the weights want to be used: triposr or real3d (default: as the file shows)",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when the file is written."""
    import dataclasses

    from recon_node.engines.errors import InvalidInputError, require_package
    from recon_node.engines.lrm.triposr.presets import preset_named
    from recon_node.engines.lrm.triposr.source import identify, weights_file
    from recon_node.output_files import require_writable

    if args.output.suffix != ".safetensors":
        raise InvalidInputError(
            f"the file to write is called {args.output.name}; give it a name in .safetensors, "
            "by which it is found"
        )
    preset = None if args.preset is None else preset_named(args.preset)
    for package in ("torch", "safetensors.torch"):
        require_package(package, extra="torch")
    require_writable(args.output.parent)
    from recon_node.engines.lrm.triposr.checkpoint import read_state, write_state

    source = identify(weights_file(args.checkpoint))
    if preset is not None:
        source = dataclasses.replace(source, preset=preset)
    write_state(read_state(source.path), args.output, source.notes)
    print(f"{args.output}: {source}")
    return 0
