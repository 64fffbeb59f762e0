# SPDX-License-Identifier: Apache-2.0
"""Scenes on disk: which image, masks, depth and camera belong together, read into Views."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recon_node.camera_file import ASSUMED_FOV_DEG, assumed_camera, load_camera
from recon_node.depth_files import DEPTH_SUFFIXES, load_depth
from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.image_files import IMAGE_SUFFIXES, StoredImage, load_image
from recon_node.json_fields import read_json
from recon_node.mask_files import Labels, MaskKind, binary_labels, load_labels

_CAMERA_NAMES = ("camera.yaml", "camera.yml", "camera.json", "camera_info.yaml")
_SIDE_FILES = ("_mask", "_depth", "_camera")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scene:
    """The files of one picture.

    Attributes:
        name: Of the picture, used for the objects and their folders.
        image: Colour picture.
        masks: One file an object, or label images; empty where the picture's alpha is the mask.
        depth: Depth map in the size of the picture, or None.
        depth_unit: Metres per stored depth unit, or None for the default of the file's type.
        camera: File of the intrinsics, or the camera itself, or None.
    """

    name: str
    image: Path
    masks: tuple[Path, ...] = ()
    depth: Path | None = None
    depth_unit: float | None = None
    camera: Path | Camera | None = None


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One object of a scene.

    Attributes:
        object_id: Name of the object; that of the scene where it is the only one.
        folder: Where its results go, relative to those of the scene; "." where it is the only one.
        label: Value of the object in the mask, or number of its mask.
        view: The picture with this object's mask; the first one where there are several.
        keyframes: Of all pictures with known cameras that show the object, the first one's first;
            empty where a single picture is all there is.
    """

    object_id: str
    folder: str
    label: int
    view: View
    keyframes: tuple[Keyframe, ...] = ()


def find_scenes(folder: Path) -> list[Scene]:
    """The scenes of a folder, by name.

    Two layouts are known. In the plain one NAME.png (or another picture type) has a NAME_mask.png,
    or an alpha channel, and may have a NAME_depth.(png|npy|tiff) and a NAME_camera.yaml; one
    camera.yaml serves all that have none of their own. In the evaluation layout rgb_000.png has a
    mask_000.png, a depth_000.png, and cameras.json for all. A cameras.json or transforms.json that
    says where the pictures were taken from is for `posed_frames`; here it is only mentioned.

    Raises:
        InvalidInputError: No scene is there.
    """
    cameras = folder / "cameras.json"
    is_evaluation = cameras.is_file() and _is_evaluation(cameras)
    scenes = _evaluation_scenes(folder, cameras) if is_evaluation else _plain_scenes(folder)
    if not scenes:
        raise InvalidInputError(
            f"folder {folder} holds no scene; expected NAME.png with NAME_mask.png (and, if you "
            "have them, NAME_depth.png and camera.yaml)"
        )
    return scenes


def read_objects(scene: Scene, *, mask_kind: MaskKind = MaskKind.AUTO) -> Iterator[SceneObject]:
    """The objects of a scene, one at a time; every file is read and checked before the first.

    Raises:
        InvalidInputError: A file is unreadable, or its size is not that of the picture.
    """
    image, masks = _image_and_masks(scene, mask_kind)
    depth = None
    if scene.depth is not None:
        depth = load_depth(scene.depth, unit=scene.depth_unit)
        _require_size("depth", scene.depth, depth.shape[::-1], image)
    camera = _camera(scene, image)
    count = sum(len(labels.values) for labels in masks)
    number = 0
    for labels in masks:
        for value, mask in labels.masks():
            number = value if len(masks) == 1 else number + 1
            name = f"object_{number:03d}"
            yield SceneObject(
                object_id=scene.name if count == 1 else name,
                folder="." if count == 1 else name,
                label=number,
                view=View(image=image.pixels, mask=mask, camera=camera, depth=depth),
            )


def _image_and_masks(scene: Scene, mask_kind: MaskKind) -> tuple[StoredImage, list[Labels]]:
    """The upright image and its masks, all of one size."""
    stored = load_image(scene.image)
    if not scene.masks:
        image = stored.upright()
        if image.alpha is None:
            raise InvalidInputError(
                f"no mask for image {scene.image}, and it has no transparency to take one from; "
                "give --mask MASK"
            )
        return image, [binary_labels(scene.image, image.alpha)]
    image = None
    masks = []
    for path in scene.masks:
        labels = load_labels(path, kind=mask_kind)
        image = stored.matching(labels.size, "mask", path)
        masks.append(labels)
    return image, masks


def _camera(scene: Scene, image: StoredImage) -> Camera:
    if scene.camera is None:
        consequence = "sizes are off" if scene.depth is not None else "the shape is stretched"
        _logger.warning(
            "no camera given: a horizontal field of view of %.0f degrees is assumed, and where it "
            "is another, %s; give --camera camera.yaml",
            ASSUMED_FOV_DEG,
            consequence,
        )
        return assumed_camera(*image.size)
    is_known = isinstance(scene.camera, Camera)
    camera = scene.camera if is_known else load_camera(scene.camera)
    place = "of its frame" if is_known else scene.camera
    _require_size("camera", place, (camera.width, camera.height), image)
    return camera


def _require_size(what: str, path: Path | str, size: tuple[int, int], image: StoredImage) -> None:
    if size != image.size:
        raise InvalidInputError(
            f"{what} {path} is {size[0]}x{size[1]}, but image {image.path} is "
            f"{image.size[0]}x{image.size[1]} (width x height); give the {what} that belongs to "
            "this image, in its size"
        )


def _plain_scenes(folder: Path) -> list[Scene]:
    posed = _first_file([folder / "cameras.json", folder / "transforms.json"])
    if posed is not None:
        _logger.warning(
            "each picture of %s is reconstructed for itself; with --cameras %s those of one object "
            "become one mesh",
            folder,
            posed,
        )
    shared_camera = _first_file([folder / name for name in _CAMERA_NAMES])
    scenes = []
    for image in sorted(folder.iterdir()):
        is_side_file = image.stem.endswith(_SIDE_FILES)
        if image.suffix.lower() not in IMAGE_SUFFIXES or is_side_file:
            continue
        mask = mask_beside(image)
        if mask is None and not _has_alpha(image):
            _logger.warning(
                "%s is left out: it has no %s_mask.png and no transparency", image, image.stem
            )
            continue
        own_camera = _first_file(_beside(image, "_camera", (".yaml", ".yml", ".json")))
        scenes.append(
            Scene(
                name=image.stem,
                image=image,
                masks=() if mask is None else (mask,),
                depth=_first_file(_beside(image, "_depth", DEPTH_SUFFIXES)),
                camera=own_camera or shared_camera,
            )
        )
    names = [scene.name for scene in scenes]
    for first, second in zip(names, names[1:], strict=False):
        if first == second:
            raise InvalidInputError(
                f"folder {folder} holds two pictures called {first!r}; rename one of them"
            )
    return scenes


def _is_evaluation(cameras: Path) -> bool:
    """Whether a cameras.json belongs to an evaluation scene, not to frames of known places."""
    return read_json(cameras, "cameras").value("frames") is None


def _evaluation_scenes(folder: Path, cameras: Path) -> list[Scene]:
    depth_unit = read_json(cameras, "cameras").number("depth_unit_m")
    scenes = []
    for image in sorted(folder.glob("rgb_*.png")):
        number = image.stem.removeprefix("rgb_")
        depth = folder / f"depth_{number}.png"
        scenes.append(
            Scene(
                name=f"{folder.name}_{number}",
                image=image,
                masks=(folder / f"mask_{number}.png",),
                depth=depth if depth.is_file() else None,
                depth_unit=depth_unit,
                camera=cameras,
            )
        )
    return scenes


def _has_alpha(image: Path) -> bool:
    try:
        return load_image(image).alpha is not None
    except InvalidInputError:
        return False


def mask_beside(image: Path) -> Path | None:
    """NAME_mask.png, or another picture type, of NAME.png; None where there is none."""
    return _first_file(_beside(image, "_mask", IMAGE_SUFFIXES))


def _beside(image: Path, ending: str, suffixes: tuple[str, ...]) -> list[Path]:
    return [image.with_name(image.stem + ending + suffix) for suffix in suffixes]


def _first_file(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
