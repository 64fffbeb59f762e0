# SPDX-License-Identifier: Apache-2.0
"""The objects that several pictures from known places show, one object over all of them."""

import logging
from collections.abc import Iterator
from pathlib import Path

from recon_node.engines.camera import View
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe
from recon_node.mask_files import MaskKind, load_labels
from recon_node.posed_frame import PosedFrame
from recon_node.posed_frames import PosedScene
from recon_node.scene_files import Scene, SceneObject, mask_beside, read_objects

_logger = logging.getLogger(__name__)


def read_posed_objects(
    scene: PosedScene, *, mask_kind: MaskKind = MaskKind.AUTO
) -> list[SceneObject]:
    """The objects of a posed scene, with all the views of each.

    The same value of the frames' label images is the same object; where no mask holds several
    values, all of them mark one object. Of each picture but an object's first only the part around
    the object is kept, shrunk to a keyframe.

    Raises:
        EmptyMaskError: No frame shows an object.
        InvalidInputError: A file is unreadable, or its size is not that of the picture.
    """
    kind = _shared_kind(scene, mask_kind)
    views: dict[int, View] = {}
    keyframes: dict[int, list[Keyframe]] = {}
    for frame in scene.frames:
        for label, view in _views(frame, kind):
            try:
                keyframe = make_keyframe(view)
            except InvalidInputError as error:
                _logger.warning("frame %s is left out: %s", frame.image.name, error)
                continue
            views.setdefault(label, view)
            keyframes.setdefault(label, []).append(keyframe)
    if not views:
        raise EmptyMaskError(
            f"none of the {len(scene.frames)} pictures of {scene.cameras} shows an object: all "
            "masks are empty or too small"
        )
    return [
        SceneObject(
            object_id=scene.name if len(views) == 1 else f"object_{label:03d}",
            folder="." if len(views) == 1 else f"object_{label:03d}",
            label=label,
            view=view,
            keyframes=tuple(keyframes[label]),
        )
        for label, view in sorted(views.items())
    ]


def _shared_kind(scene: PosedScene, kind: MaskKind) -> MaskKind:
    """Labels where any mask is a label image: one that shows a single object looks binary."""
    for frame in scene.frames if kind is MaskKind.AUTO else ():
        mask = _mask(frame)
        try:
            if mask is not None and not load_labels(mask).is_binary:
                return MaskKind.LABELS
        except EmptyMaskError:
            continue
    return kind if kind is MaskKind.LABELS else MaskKind.BINARY


def _views(frame: PosedFrame, kind: MaskKind) -> Iterator[tuple[int, View]]:
    mask = _mask(frame)
    files = Scene(
        name=frame.image.stem,
        image=frame.image,
        masks=() if mask is None else (mask,),
        depth=frame.depth,
        depth_unit=frame.depth_unit,
        camera=frame.camera,
    )
    try:
        for item in read_objects(files, mask_kind=kind):
            yield item.label, item.view
    except EmptyMaskError as error:
        _logger.warning("frame %s is left out: %s", frame.image.name, error)


def _mask(frame: PosedFrame) -> Path | None:
    return mask_beside(frame.image) if frame.mask is None else frame.mask
