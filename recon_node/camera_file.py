# SPDX-License-Identifier: Apache-2.0
"""Camera intrinsics on disk: ROS camera_info YAML in both of its styles, or JSON."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError

ASSUMED_FOV_DEG = 60.0

_EXPECTED = (
    "expected ROS camera_info YAML (image_width, image_height, camera_matrix, or width, height, k) "
    "or JSON {width, height, K}"
)

_logger = logging.getLogger(__name__)


def load_camera(path: Path) -> Camera:
    """Camera of a calibration file, a dumped `sensor_msgs/CameraInfo`, or JSON {width, height, K}.

    Distortion is not undone here: images must be rectified, and a warning says so where the file
    holds coefficients.

    Raises:
        InvalidInputError: Unreadable, incomplete, or no valid intrinsics.
    """
    fields = _read_mapping(path)
    width = _integer(fields, ("image_width", "width"), path)
    height = _integer(fields, ("image_height", "height"), path)
    K = _numbers(fields, ("camera_matrix", "k", "K"), path)
    if K is None:
        raise InvalidInputError(f"camera {path} has no camera_matrix, k or K; {_EXPECTED}")
    if K.size != 9:
        raise InvalidInputError(f"camera {path}: K has {K.size} numbers; expected 9, row by row")
    if not K.any():
        raise InvalidInputError(
            f"camera {path}: K is all zeros, so the camera was never calibrated; calibrate it, or "
            f"leave --camera out to assume a field of view of {ASSUMED_FOV_DEG:.0f} degrees"
        )
    distortion = _numbers(fields, ("distortion_coefficients", "d", "D"), path)
    if distortion is not None and np.any(distortion != 0):
        _logger.warning(
            "camera %s has lens distortion, which is not undone here: rectify upstream "
            "(image_proc) and give the rectified image with its camera_info",
            path,
        )
    try:
        return Camera(K=K.reshape(3, 3), width=width, height=height)
    except InvalidInputError as error:
        raise InvalidInputError(f"camera {path}: {error}") from error


def assumed_camera(width: int, height: int) -> Camera:
    """Camera of an image of unknown origin: 60 degrees wide, principal point in the middle."""
    focal = 0.5 * width / np.tan(np.radians(0.5 * ASSUMED_FOV_DEG))
    K = np.array([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])
    return Camera(K=K, width=width, height=height)


def _read_mapping(path: Path) -> Mapping:
    if not path.is_file():
        raise InvalidInputError(f"cannot read camera {path}: there is no such file; check the path")
    try:
        text = path.read_text(encoding="utf-8")
        # JSON is YAML too; `ros2 topic echo` ends each message with a document mark.
        fields = next(yaml.safe_load_all(text), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(f"cannot read camera {path}: {reason}; {_EXPECTED}") from error
    if not isinstance(fields, Mapping):
        raise InvalidInputError(f"camera {path} holds no named fields; {_EXPECTED}")
    return fields


def _integer(fields: Mapping, names: tuple[str, ...], path: Path) -> int:
    for name in names:
        if name in fields:
            value = fields[name]
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
            raise InvalidInputError(f"camera {path}: {name} is {value!r}; expected pixels, above 0")
    raise InvalidInputError(f"camera {path} has no {' or '.join(names)}; {_EXPECTED}")


def _numbers(fields: Mapping, names: tuple[str, ...], path: Path) -> np.ndarray | None:
    """Flat f64 array of the first of the names that is there, or None."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, Mapping):
            value = value.get("data")
        if value is None:
            continue
        try:
            return np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"camera {path}: {name} is not a list of numbers") from error
    return None
