# SPDX-License-Identifier: Apache-2.0
"""Pictures whose cameras are known: one file says where each was taken from."""

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recon_node.cameras_file import frames_of_cameras
from recon_node.engines.errors import InvalidInputError
from recon_node.json_fields import read_json
from recon_node.posed_frame import PosedFrame
from recon_node.transforms_file import frames_of_transforms, is_transforms


@dataclass(frozen=True)
class PosedScene:
    """Pictures of the same objects, which stand still, from known places.

    Attributes:
        name: Of the scene, used for its only object.
        cameras: The file that says where the pictures were taken from.
        frames: The pictures, at least one, in the order they are looked at.
    """

    name: str
    cameras: Path
    frames: tuple[PosedFrame, ...]


def load_posed_scene(cameras: Path) -> PosedScene:
    """The pictures of a cameras.json of ours, or of a transforms.json.

    Raises:
        InvalidInputError: Unreadable, incomplete, or not one of the two; a place that is not rigid.
    """
    fields = read_json(cameras, "cameras")
    read = frames_of_transforms if is_transforms(fields) else frames_of_cameras
    frames = read(fields, cameras.parent)
    return PosedScene(cameras.resolve().parent.name or "object", cameras, tuple(frames))


def with_images(scene: PosedScene, images: Sequence[Path]) -> PosedScene:
    """The scene with these of its pictures only, in this order.

    A picture is known by its path, or by its name where only one frame has that name.

    Raises:
        InvalidInputError: The cameras have no such picture, or several of that name.
    """
    by_path = {frame.image.resolve(): frame for frame in scene.frames}
    chosen = []
    for image in images:
        frame = by_path.get(image.resolve())
        if frame is None:
            frame = _named(scene, image)
        if frame.image in [other.image for other in chosen]:
            raise InvalidInputError(f"image {image} is given twice; give each picture once")
        chosen.append(dataclasses.replace(frame, image=image))
    return dataclasses.replace(scene, frames=tuple(chosen))


def within_folder(scene: PosedScene, folder: Path) -> PosedScene:
    """The scene with those of its pictures only that lie in a folder, or in one below.

    Raises:
        InvalidInputError: None does.
    """
    inside = folder.resolve()
    frames = tuple(f for f in scene.frames if f.image.resolve().is_relative_to(inside))
    if not frames:
        raise InvalidInputError(
            f"none of the {len(scene.frames)} pictures of {scene.cameras} lies in folder {folder}; "
            f"the first is {scene.frames[0].image}"
        )
    return dataclasses.replace(scene, frames=frames)


def _named(scene: PosedScene, image: Path) -> PosedFrame:
    same = [frame for frame in scene.frames if frame.image.name == image.name]
    if len(same) == 1:
        return same[0]
    if same:
        raise InvalidInputError(
            f"{scene.cameras} has {len(same)} pictures called {image.name}, none of them "
            f"{image}; give the path that it has there, e.g. {same[0].image}"
        )
    names = [frame.image.name for frame in scene.frames]
    nearest = difflib.get_close_matches(image.name, names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise InvalidInputError(
        f"{scene.cameras} has no camera for image {image}; it has {len(names)} pictures, from "
        f"{names[0]} to {names[-1]}{hint}"
    )
