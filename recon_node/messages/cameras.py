# SPDX-License-Identifier: Apache-2.0
"""Cameras of `sensor_msgs/CameraInfo`."""

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError


def camera_of(message: object, T_world_camera: np.ndarray | None = None) -> Camera:
    """The camera of the pictures that go with a `sensor_msgs/CameraInfo`.

    Pictures have to be rectified, and P describes those, so its left 3x3 is K where P is set. A
    camera without P and without distortion is rectified as it is: its k counts. The calibration
    is that of the full sensor; the region of interest is cut out of it first and the binning
    applied then (REP 104): `f' = f / binning`, `c' = (c - offset) / binning`.

    The fourth column of P (the base line of a stereo pair) is not used: T_world_camera is that of
    the camera that took the pictures. K is taken as it stands, as for camera files: calibrations
    that count pixel centres from 0 are half a pixel off, less than they are sure of.

    Args:
        message: The camera info.
        T_world_camera: (4, 4) rigid [m]; identity where the world is the camera.

    Raises:
        InvalidInputError: Not calibrated, distorted but without P, or numbers that make no camera.
    """
    K = _rectified_intrinsics(message)
    binning = np.array([max(int(message.binning_x), 1), max(int(message.binning_y), 1)])
    region = message.roi
    offset = np.array([region.x_offset, region.y_offset], np.float64)
    size = np.array(
        [int(region.width) or int(message.width), int(region.height) or int(message.height)]
    )
    K[:2] /= binning[:, None]
    K[:2, 2] -= offset / binning
    width, height = (size // binning).tolist()
    if width < 1 or height < 1:
        raise InvalidInputError(
            f"camera_info says {message.width}x{message.height} px with a region of "
            f"{region.width}x{region.height} and binning {binning[0]}x{binning[1]}, which leaves "
            "no pixel; check what publishes it"
        )
    world = {} if T_world_camera is None else {"T_world_camera": T_world_camera}
    return Camera(K, width, height, **world)


def _rectified_intrinsics(message: object) -> np.ndarray:
    """K f64 (3, 3) [px] of the full sensor's rectified picture."""
    P = np.array(message.p, np.float64).reshape(3, 4)
    if P.any():
        return P[:, :3].copy()
    K = np.array(message.k, np.float64).reshape(3, 3)
    if not K.any():
        raise InvalidInputError(
            "camera_info has zeros for p and k: the camera is uncalibrated; calibrate it "
            "(camera_calibration), or give its driver the calibration file"
        )
    if np.any(np.asarray(message.d, np.float64) != 0):
        raise InvalidInputError(
            f"camera_info has {message.distortion_model or 'lens'} distortion but zeros for p, so "
            "there is no camera of the rectified picture; calibrate it (camera_calibration fills "
            "p), rectify with image_proc, and give the rectified image with its camera_info"
        )
    return K
