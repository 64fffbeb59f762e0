# SPDX-License-Identifier: Apache-2.0
"""transforms.json, as nerfstudio, instant-ngp and the NeRF-synthetic scenes have it.

Its camera axes are OpenGL's (x right, y up, z backwards), its transforms map the camera to the
world, and its pixels have their centres at +0.5, as ours. COLMAP's results come through it
(`ns-process-data`, `colmap2nerf.py`).
"""

import math
from pathlib import Path

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.image_files import IMAGE_SUFFIXES, open_picture
from recon_node.json_fields import JsonFields
from recon_node.posed_frame import PosedFrame

_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenGL's camera axes in OpenCV's, and the other way
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_DISTORTIONS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_UNDISTORT = (
    "undistort the pictures (`colmap image_undistorter`, or cv2.undistort) and give the cameras of "
    "the undistorted ones"
)


def is_transforms(fields: JsonFields) -> bool:
    """Whether a file is a transforms.json, by what only that has."""
    frames = fields.value("frames")
    first = frames[0] if isinstance(frames, list) and frames else None
    return isinstance(first, dict) and bool({"transform_matrix", "file_path"} & first.keys())


def frames_of_transforms(fields: JsonFields, folder: Path) -> list[PosedFrame]:
    """The frames of a transforms.json.

    Args:
        fields: What the file holds.
        folder: Where paths in it start.

    Raises:
        InvalidInputError: A field is missing or has a value that cannot be, the lens is distorted
            or no pinhole, or a transform is not rigid.
    """
    return [_frame(frame, folder) for frame in fields.frames()]


def with_other_camera_axes(T_world_camera: np.ndarray) -> np.ndarray:
    """`T_world_camera` of OpenCV's camera axes from that of OpenGL's, or the other way.

    Turns half around the camera's x axis: `T diag(1, -1, -1, 1)`, its own inverse.

    >>> T_world_gl = np.eye(4)  # OpenGL's camera looks along -z of the world, its y is up
    >>> with_other_camera_axes(T_world_gl)[:3, 2].tolist()  # OpenCV's z, the line of sight
    [0.0, 0.0, -1.0]

    Args:
        T_world_camera: (4, 4).

    Returns:
        f64 (4, 4).
    """
    return T_world_camera @ _FLIP + 0.0  # no -0.0


def _frame(fields: JsonFields, folder: Path) -> PosedFrame:
    name = fields.text("file_path")
    if name is None:
        raise InvalidInputError(f"{fields.place} has no file_path; it names the picture")
    image = _existing(folder, name)
    mask = fields.text("mask_path")
    depth = fields.text("depth_file_path") or fields.text("depth_path")
    unit = fields.number("depth_unit_scale_factor")
    return PosedFrame(
        image=image,
        camera=_camera(fields, image),
        mask=None if mask is None else _existing(folder, mask),
        depth=None if depth is None else _existing(folder, depth),
        depth_unit=fields.number("integer_depth_scale") if unit is None else unit,
    )


def _existing(folder: Path, name: str) -> Path:
    """The file of that name, which may lack its ending; as it stands where there is none."""
    path = folder / name.replace("\\", "/")
    if path.is_file():
        return path
    named = (path.with_name(path.name + suffix) for suffix in IMAGE_SUFFIXES)
    return next((candidate for candidate in named if candidate.is_file()), path)


def _camera(fields: JsonFields, image: Path) -> Camera:
    _require_pinhole(fields)
    T_world_gl = fields.matrix("transform_matrix", 4)
    if T_world_gl is None:
        raise InvalidInputError(f"{fields.place} has no transform_matrix: 4 rows of 4 numbers")
    width, height = fields.pixels("w"), fields.pixels("h")
    if width is None or height is None:
        width, height = open_picture(image, "image").size
    focal_x, focal_y = _focal_lengths(fields, width, height)
    centre = [fields.number(name) for name in ("cx", "cy")]
    cx, cy = (side / 2 if c is None else c for c, side in zip(centre, (width, height), strict=True))
    T_world_camera = with_other_camera_axes(T_world_gl)
    scale = fields.number("applied_scale")
    if scale is not None:
        if not scale > 0:
            raise InvalidInputError(f"{fields.place}: applied_scale is {scale:g}; must be above 0")
        T_world_camera[:3, 3] /= scale
    K = np.array([[focal_x, 0.0, cx], [0.0, focal_y, cy], [0.0, 0.0, 1.0]])
    try:
        return Camera(K, width, height, T_world_camera)
    except InvalidInputError as error:
        raise InvalidInputError(f"{fields.place}: {error}") from error


def _focal_lengths(fields: JsonFields, width: int, height: int) -> tuple[float, float]:
    """fx and fy [px], of fl_x and fl_y or of the angles [rad] that the picture spans."""
    focals = []
    for axis, side in (("x", width), ("y", height)):
        focal, angle = fields.number(f"fl_{axis}"), fields.number(f"camera_angle_{axis}")
        if focal is None and angle is not None:
            if not 0 < angle < math.pi:
                raise InvalidInputError(
                    f"{fields.place}: camera_angle_{axis} is {angle:g}; expected radians, below pi"
                )
            focal = 0.5 * side / math.tan(0.5 * angle)
        focals.append(focal)
    focal_x, focal_y = focals
    if focal_x is None and focal_y is None:
        raise InvalidInputError(
            f"{fields.place} has neither fl_x nor camera_angle_x to tell the focal length"
        )
    return (focal_y if focal_x is None else focal_x), (focal_x if focal_y is None else focal_y)


def _require_pinhole(fields: JsonFields) -> None:
    model = fields.text("camera_model")
    found = None
    if model is not None and model.upper() not in _PINHOLES:
        found = f"camera_model is {model!r}"
    elif fields.value("is_fisheye") is True:
        found = "is_fisheye is true"
    if found is not None:
        raise InvalidInputError(
            f"{fields.place}: {found}, but recon needs pinhole cameras "
            f"({', '.join(_PINHOLES)}, without distortion); {_UNDISTORT}"
        )
    for name in _DISTORTIONS:
        value = fields.number(name)
        if value:
            raise InvalidInputError(
                f"{fields.place} has lens distortion ({name} = {value:g}), which recon does not "
                f"undo; {_UNDISTORT}"
            )
