# SPDX-License-Identifier: Apache-2.0
"""`recon evaluate`: the evaluation protocol over a folder of objects."""

import argparse
import io
import json
from pathlib import Path

from recon_node.engine_options import add_engine_options, engine_of
from recon_node.terminal import print_table, terminal_progress

_EXAMPLES = """\
examples:
  recon evaluate eval_val --json out.json
  recon evaluate eval_val --engine hull --pictures plain --limit 5
  recon evaluate eval_val --worst worst.png

DIR holds one folder an object: rgb_000.png (and bg_000.png over clutter), mask_000.png,
depth_000.png, cameras.json, gt.npz, mesh.ply, meta.json.
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon evaluate`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "evaluate",
        parents=parents,
        help="scores of an engine on objects of known shape",
        description="Scores an engine with depth (unaligned) and without (scale, place aligned).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder of object folders")
    add_engine_options(parser)
    parser.add_argument(
        "--pictures",
        choices=("plain", "clutter", "both"),
        default="both",
        help="backgrounds of the pictures (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N objects")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and rows")
    parser.add_argument("--worst", type=Path, metavar="FILE", help="draw the ten worst as PNG")
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code 0; an engine's failures are rows of the report."""
    from recon_node.evaluation.protocol import PICTURE_CHOICES, evaluate
    from recon_node.output_files import require_writable, write_files

    for path in (args.json, args.worst):
        if path is not None:
            require_writable(path.parent)
    engine = engine_of(args)
    with terminal_progress() as progress:
        task = progress.add_task(f"evaluating {engine.name}", total=None)
        report = evaluate(
            args.directory,
            engine,
            pictures=PICTURE_CHOICES[args.pictures],
            limit=args.limit,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if args.json is not None:
        content = json.dumps(report.to_json(), indent=1) + "\n"
        write_files(args.json.parent, {args.json.name: content.encode()})
    if args.worst is not None:
        from recon_node.evaluation.worst import draw_worst

        encoded = io.BytesIO()
        draw_worst(report, engine).save(encoded, format="PNG")
        write_files(args.worst.parent, {args.worst.name: encoded.getvalue()})
    print_table(report.table())
    return 0
