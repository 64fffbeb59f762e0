# SPDX-License-Identifier: Apache-2.0
"""`recon reconstruct`: an image and its masks, or a folder of them, to meshes."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recon_node.engine_options import add_engine_options, engine_of
from recon_node.output_option import add_output_option
from recon_node.terminal import print_table, terminal_progress

if TYPE_CHECKING:
    from recon_node.offline import WrittenObject
    from recon_node.scene_files import Scene

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

files, per object:
  mesh.ply     vertices, normals, colours, provenance, sigma; object frame
  mesh.glb     the same surface for viewers; glTF axes (y up)
  preview.png  the input beside four rendered views
  result.json  placement, size, scale, timing, warnings
"""


def add_parser(subparsers, parents: list[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """The parser of `recon reconstruct`, added to those of the other commands."""
    parser = subparsers.add_parser(
        "reconstruct",
        parents=parents,
        help="image + mask [+ depth] to a mesh",
        description="Reconstructs the masked objects of an image, or of every image of a folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, help="picture, or a folder of them")
    _add_input_options(parser)
    add_engine_options(parser)
    add_output_option(parser)
    parser.add_argument("--no-preview", action="store_true", help="do not draw preview.png")
    return parser


def _add_input_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--mask",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="MASK",
        help="mask of one object (> 127), or a label image; several make several objects "
        "(default: the transparency of IMAGE)",
    )
    parser.add_argument(
        "--mask-kind",
        choices=("auto", "binary", "labels"),
        default="auto",
        help="how mask values are read: auto takes palette and 16-bit files, and gray ones with "
        "few values, as labels",
    )
    parser.add_argument(
        "-d",
        "--depth",
        type=Path,
        help="depth along z in the size of IMAGE: 16-bit PNG, or float .npy or .tiff; 0, NaN and "
        "inf are unknown",
    )
    parser.add_argument(
        "--depth-unit",
        type=float,
        metavar="METRES",
        help="metres per stored depth unit (default: 0.001 for integers, 1 for floats)",
    )
    parser.add_argument(
        "-c",
        "--camera",
        type=Path,
        help="ROS camera_info YAML, or JSON {width, height, K} (default: 60 degrees wide)",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code; where a scene of a folder fails the others still run, and the code is 2."""
    from recon_node.engines.errors import ReconstructionError
    from recon_node.mask_files import MaskKind
    from recon_node.offline import reconstruct_scene
    from recon_node.output_files import require_writable

    scenes = _scenes(args)
    is_folder = args.image.is_dir()
    require_writable(args.output)
    written, failures = [], []
    with terminal_progress() as progress:
        task = progress.add_task(f"loading {args.engine}", total=len(scenes))
        engine = engine_of(args)
        for scene in scenes:
            progress.update(task, description=scene.name)
            try:
                for item in reconstruct_scene(
                    scene,
                    engine,
                    args.output / scene.name if is_folder else args.output,
                    mask_kind=MaskKind(args.mask_kind),
                    with_preview=not args.no_preview,
                ):
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


def _scenes(args: argparse.Namespace) -> list["Scene"]:
    """The scenes that the arguments name."""
    from recon_node.engines.errors import InvalidInputError
    from recon_node.scene_files import Scene, find_scenes

    if args.depth_unit is not None and args.depth is None and not args.image.is_dir():
        raise InvalidInputError("--depth-unit is given without --depth; give the depth map too")
    if not args.image.is_dir():
        return [
            Scene(
                name=args.image.stem,
                image=args.image,
                masks=tuple(args.mask),
                depth=args.depth,
                depth_unit=args.depth_unit,
                camera=args.camera,
            )
        ]
    if args.mask or args.depth:
        raise InvalidInputError(
            f"{args.image} is a folder, where masks and depth maps are found by name "
            "(NAME_mask.png, NAME_depth.png); leave --mask and --depth out, or name one picture"
        )
    scenes = find_scenes(args.image)
    if args.camera is not None:
        scenes = [dataclasses.replace(scene, camera=args.camera) for scene in scenes]
    if args.depth_unit is not None:
        scenes = [dataclasses.replace(scene, depth_unit=args.depth_unit) for scene in scenes]
    return scenes


def _print_summary(written: list["WrittenObject"]) -> None:
    from rich.table import Table

    from recon_node.result_description import describe_maker, describe_size

    table = Table(box=None, header_style="bold")
    for heading in ("object", "made by", "width x depth x height", "time", "files in"):
        table.add_column(heading, no_wrap=True)
    for item in written:
        seconds = item.result.metrics.get("total_s")
        table.add_row(
            item.result.object_id,
            describe_maker(item.result),
            describe_size(item.result),
            "" if seconds is None else f"{1000 * seconds:.0f} ms",
            str(item.directory),
        )
    print_table(table)
