# SPDX-License-Identifier: Apache-2.0
"""The options of `recon reconstruct` that name its input, and the scenes that they mean."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from recon_node.engines.errors import InvalidInputError

if TYPE_CHECKING:
    from recon_node.posed_frames import PosedScene
    from recon_node.scene_files import Scene


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Adds IMAGE…, --mask, --depth, --camera, --cameras and what goes with them."""
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        type=Path,
        help="picture, or a folder of them; with --cameras several pictures of the same objects",
    )
    parser.add_argument(
        "-m",
        "--mask",
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="MASK",
        help="mask of one object (> 127), or a label image; several make several objects, with "
        "--cameras one a picture (default: the transparency of IMAGE)",
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
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="DEPTH",
        help="depth along z in the size of IMAGE: 16-bit PNG, or float .npy or .tiff; 0, NaN and "
        "inf are unknown; with --cameras one a picture",
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
    parser.add_argument(
        "--cameras",
        type=Path,
        metavar="JSON",
        help="where the pictures were taken from: cameras.json (docs/refinement.md), or the "
        "transforms.json of nerfstudio or instant-ngp",
    )


def scenes_of(args: argparse.Namespace) -> "list[Scene | PosedScene]":
    """The scenes that the arguments name.

    Raises:
        InvalidInputError: The arguments do not go together, or a file that lists others is wrong.
    """
    if args.cameras is not None:
        return [_posed_scene(args)]
    if len(args.images) > 1:
        raise InvalidInputError(
            f"{len(args.images)} pictures are given without --cameras; give the places they were "
            "taken from (cameras.json, transforms.json), a folder, or one picture at a time"
        )
    if len(args.depth) > 1:
        raise InvalidInputError(f"{len(args.depth)} depth maps are given for one picture; give one")
    return _folder_scenes(args) if args.images[0].is_dir() else [_picture_scene(args)]


def _picture_scene(args: argparse.Namespace) -> "Scene":
    from recon_node.scene_files import Scene

    if args.depth_unit is not None and not args.depth:
        raise InvalidInputError("--depth-unit is given without --depth; give the depth map too")
    image = args.images[0]
    return Scene(
        name=image.stem,
        image=image,
        masks=tuple(args.mask),
        depth=args.depth[0] if args.depth else None,
        depth_unit=args.depth_unit,
        camera=args.camera,
    )


def _folder_scenes(args: argparse.Namespace) -> "list[Scene]":
    from recon_node.scene_files import find_scenes

    _refuse_files_beside(args, args.images[0])
    scenes = find_scenes(args.images[0])
    if args.camera is not None:
        scenes = [dataclasses.replace(scene, camera=args.camera) for scene in scenes]
    if args.depth_unit is not None:
        scenes = [dataclasses.replace(scene, depth_unit=args.depth_unit) for scene in scenes]
    return scenes


def _posed_scene(args: argparse.Namespace) -> "PosedScene":
    from recon_node.posed_frames import load_posed_scene, with_images, within_folder

    if args.camera is not None:
        raise InvalidInputError(
            "--camera and --cameras are both given; leave --camera out, as --cameras holds K too"
        )
    scene = load_posed_scene(args.cameras)
    if len(args.images) == 1 and args.images[0].is_dir():
        _refuse_files_beside(args, args.images[0])
        scene = within_folder(scene, args.images[0])
    else:
        scene = with_images(scene, args.images)
    frames = list(scene.frames)
    for name in ("mask", "depth"):
        files = getattr(args, name)
        if not files:
            continue
        if len(files) != len(frames):
            raise InvalidInputError(
                f"{len(files)} files are given with --{name} for {len(frames)} pictures; with "
                "--cameras give one a picture, in the same order, or leave it out where the "
                "cameras file names them"
            )
        frames = [
            dataclasses.replace(frame, **{name: file})
            for frame, file in zip(frames, files, strict=True)
        ]
    if args.depth_unit is not None:
        frames = [dataclasses.replace(frame, depth_unit=args.depth_unit) for frame in frames]
    return dataclasses.replace(scene, frames=tuple(frames))


def _refuse_files_beside(args: argparse.Namespace, folder: Path) -> None:
    if args.mask or args.depth:
        raise InvalidInputError(
            f"{folder} is a folder, where masks and depth maps are found by name "
            "(NAME_mask.png, NAME_depth.png); leave --mask and --depth out, or name one picture"
        )
