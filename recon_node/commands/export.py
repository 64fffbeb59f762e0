# SPDX-License-Identifier: Apache-2.0
"""`recon export`: a checkpoint to weights and graphs that every backend loads."""

import argparse
import zipfile
from pathlib import Path

_EXAMPLES = """\
examples:
  recon export run/checkpoint.pt -o weights
  recon reconstruct cup.png --mask cup_mask.png --weights weights -o out

  recon export model.ckpt -o triposr         of TripoSR or Real3D: file, folder, repository
  recon reconstruct cup.png --mask cup_mask.png --engine triposr --weights triposr -o out

files: compact.safetensors (float16) or triposr.safetensors (float32), and what points into it:
encoder.onnx and decoder.onnx
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon export`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "export",
        parents=parents,
        help="checkpoint to weights and ONNX graphs (extra: torch)",
        description="Exports the averaged weights of a training run, or the weights of a TripoSR "
        "or Real3D checkpoint.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        type=Path,
        help="of `recon train lrm`, or of TripoSR or Real3D: file, folder, Hugging Face repository",
    )
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
    if _is_training_run(args.checkpoint):
        from recon_node.engines.backends.export import export_compact
        from recon_node.training.checkpoint import averaged_model

        model, notes = averaged_model(args.checkpoint)
        export_compact(model, args.output, notes=notes)
    else:
        from recon_node.engines.backends.export_triposr import export_triposr

        export_triposr(args.checkpoint, args.output)
    return 0


def _is_training_run(path: Path) -> bool:
    """Whether `recon train lrm` wrote the file: it keeps the average of the weights."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
        return any(b"averaged" in archive.read(name) for name in pickles)
