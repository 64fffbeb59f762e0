# SPDX-License-Identifier: Apache-2.0
"""`recon reconstruct`: pictures and their masks to meshes, refined where time is given for it."""

import argparse
import sys
from typing import TYPE_CHECKING

from recon_node.engine_options import add_engine_options, engine_of
from recon_node.output_option import add_output_option
from recon_node.reconstruct_input import add_input_options, scenes_of
from recon_node.terminal import print_table, terminal_progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from recon_node.offline import Wishes, WrittenObject

_EXAMPLES = """\
examples:
  one object, colours only (shape without metric size):
    recon reconstruct cup.jpg --mask cup_mask.png -o out
  with depth in millimetres and the ROS camera_info of the image, in metres:
    recon reconstruct rgb.png --mask mask.png --depth depth.png --camera camera_info.yaml -o out
  several objects, from several masks or one label image, to out/object_001 …:
    recon reconstruct rgb.png --mask cup.png box.png -o out
    recon reconstruct rgb.png --mask labels.png -o out
  every picture of a folder with NAME.png, NAME_mask.png [, NAME_depth.png] [, camera.yaml]:
    recon reconstruct pictures -o out
  one object in several pictures, whose cameras are known, refined for a minute:
    recon reconstruct a.png b.png c.png --cameras cameras.json --refine 60 -o out
    recon reconstruct scene --cameras scene/transforms.json --refine 60 --turntable -o out

files, per object:
  mesh.ply     vertices, normals, colours, provenance, sigma; object frame
  mesh.glb     the same surface for viewers; glTF axes (y up)
  preview.png  the input beside four rendered views
  result.json  placement, size, scale, timing, warnings
  with --refine also
  refine.json  what happened: steps, losses, held-out PSNR, versions, and why where it fell back
  refine.png   losses and PSNR over time
  compare.png  input, instant and refined mesh from the same cameras
  with --turntable also turntable.gif, the mesh from all around
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon reconstruct`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "reconstruct",
        parents=parents,
        help="image + mask [+ depth] to a mesh, from several views with --cameras",
        description="Reconstructs the masked objects of an image, of every image of a folder, or "
        "of several images from known places.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_input_options(parser)
    add_engine_options(parser)
    add_output_option(parser)
    parser.add_argument(
        "--refine",
        type=float,
        metavar="SECONDS",
        help="refine each mesh for so long with all its views (needs the extra torch); Ctrl-C ends "
        "it earlier and keeps the best, and the same command goes on from there",
    )
    parser.add_argument("--turntable", action="store_true", help="draw turntable.gif too")
    parser.add_argument("--no-preview", action="store_true", help="do not draw preview.png")
    return parser


def run(args: argparse.Namespace) -> int:
    """Exit code; where a scene of a folder fails the others still run, and the code is 2."""
    from recon_node.engines.errors import ReconstructionError
    from recon_node.offline import reconstruct_scene
    from recon_node.output_files import require_writable
    from recon_node.posed_frames import PosedScene

    scenes = scenes_of(args)
    is_folder = args.images[0].is_dir() and not isinstance(scenes[0], PosedScene)
    require_writable(args.output)
    written, failures = [], []
    with terminal_progress() as progress:
        wishes = _wishes(args, progress)
        task = progress.add_task(f"loading {args.engine}", total=len(scenes))
        engine = engine_of(args)
        for scene in scenes:
            progress.update(task, description=scene.name)
            output = args.output / scene.name if is_folder else args.output
            try:
                for item in reconstruct_scene(scene, engine, output, wishes):
                    progress.update(task, description=f"{scene.name}: {item.result.object_id}")
                    written.append(item)
            except ReconstructionError as error:
                if not is_folder:
                    raise
                failures.append(f"{scene.name}: {error}")
            progress.advance(task)
    if written:
        _print_summary(written)
    for failure in failures:
        print("recon: error:", " ".join(failure.split()), file=sys.stderr)
    return 2 if failures else 0


def _wishes(args: argparse.Namespace, progress: "Progress") -> "Wishes":
    """What the arguments ask to be made; a refinement shows its progress."""
    from recon_node.engines.refine.config import RefineConfig
    from recon_node.mask_files import MaskKind
    from recon_node.offline import Wishes
    from recon_node.offline_refinement import require_refiner
    from recon_node.refine_progress import RefineProgress

    config = None
    if args.refine is not None:
        config = RefineConfig(budget=args.refine)
        require_refiner()
    return Wishes(
        mask_kind=MaskKind(args.mask_kind),
        with_preview=not args.no_preview,
        with_turntable=args.turntable,
        refine=config,
        on_moment=RefineProgress(progress, args.refine),
    )


def _print_summary(written: list["WrittenObject"]) -> None:
    from rich.table import Table

    from recon_node.result_description import describe_maker, describe_size

    table = Table(box=None, header_style="bold")
    for heading in ("object", "made by", "width x depth x height", "time", "files in"):
        table.add_column(heading, no_wrap=True)
    for item in written:
        table.add_row(
            item.result.object_id,
            describe_maker(item.result),
            describe_size(item.result),
            _time_of(item),
            str(item.directory),
        )
    print_table(table)
    for item in written:
        if item.refinement is not None:
            print(f"{item.result.object_id}: {item.refinement.message}")


def _time_of(item: "WrittenObject") -> str:
    """How long the mesh took, and its refinement."""
    times = []
    if (seconds := item.result.metrics.get("total_s")) is not None:
        times.append(f"{1000 * seconds:.0f} ms")
    if item.refinement is not None:
        times.append(f"{item.refinement.seconds:.0f} s")
    return " + ".join(times)
