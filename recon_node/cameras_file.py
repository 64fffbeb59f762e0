# SPDX-License-Identifier: Apache-2.0
"""cameras.json, our own list of pictures with their cameras; docs/refinement.md describes it."""

from pathlib import Path

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.json_fields import JsonFields
from recon_node.posed_frame import PosedFrame

_SHARED = ("K", "width", "height", "depth_unit_m")
_OF_FRAME = ("image", "mask", "depth", "T_world_camera", *_SHARED)
_EXPECTED = (
    "expected {frames: [{image, mask, depth, K, width, height, T_world_camera}, …]}, "
    "see docs/refinement.md"
)


def frames_of_cameras(fields: JsonFields, folder: Path) -> list[PosedFrame]:
    """The frames of a cameras.json.

    Args:
        fields: What the file holds.
        folder: Where paths in it start.

    Raises:
        UnknownNameError: A field is not one of the format's.
        InvalidInputError: A field is missing, or has a value that cannot be.
    """
    if fields.value("views") is not None and fields.value("frames") is None:
        raise InvalidInputError(
            f"{fields.place} has views, as recon's evaluation data has (T_cam_obj: the object in "
            f"the camera), but no frames; {_EXPECTED}"
        )
    if fields.value("frames") is None:
        raise InvalidInputError(f"{fields.place} has no frames; {_EXPECTED}")
    fields.require_known(("frames", *_SHARED))
    return [_frame(frame, folder) for frame in fields.frames()]


def _frame(fields: JsonFields, folder: Path) -> PosedFrame:
    fields.require_known(_OF_FRAME)
    image = fields.text("image")
    T_world_camera = fields.matrix("T_world_camera", 4)
    K = fields.matrix("K", 3)
    size = [fields.pixels(name) for name in ("width", "height")]
    missing = [
        name
        for name, value in zip(
            ("image", "T_world_camera", "K", "width", "height"),
            (image, T_world_camera, K, *size),
            strict=True,
        )
        if value is None
    ]
    if missing:
        raise InvalidInputError(f"{fields.place} has no {missing[0]}; {_EXPECTED}")
    try:
        camera = Camera(K, *size, T_world_camera)
    except InvalidInputError as error:
        raise InvalidInputError(f"{fields.place}: {error}") from error
    mask, depth = (fields.text(name) for name in ("mask", "depth"))
    return PosedFrame(
        image=folder / image,
        camera=camera,
        mask=None if mask is None else folder / mask,
        depth=None if depth is None else folder / depth,
        depth_unit=fields.number("depth_unit_m"),
    )
