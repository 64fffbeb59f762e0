# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera and the view it takes of one object.

Camera axes are those of OpenCV and of ROS optical frames: x right, y down, z forward. Pixel
coordinates are (x, y) from the upper left corner of the image; the centre of the first pixel is
(0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from recon_node.engines.arrays import as_points, checked_array
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import as_transform


@dataclass(frozen=True, eq=False)
class Camera:
    """A rectified pinhole camera with its place in the world.

    Attributes:
        K: f64 (3, 3) [px], `[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]`.
        width: image width [px].
        height: image height [px].
        T_world_camera: f64 (4, 4) rigid [m]; identity where the world is the camera.

    >>> camera = Camera(np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]]), 64, 48)
    >>> camera.project(np.array([[0.0, 0.0, 2.0]])).tolist()  # the optical axis
    [[32.0, 24.0]]
    """

    K: np.ndarray
    width: int
    height: int
    T_world_camera: np.ndarray = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if int(value) != value or value < 1:
                raise InvalidInputError(
                    f"Camera.{name} must be a whole number of pixels, got {value}"
                )
            object.__setattr__(self, name, int(value))
        object.__setattr__(self, "K", _checked_intrinsics(self.K))
        T = as_transform(self.T_world_camera, name="Camera.T_world_camera")
        object.__setattr__(self, "T_world_camera", T)

    @property
    def focal(self) -> np.ndarray:
        """Focal lengths f64 (2,) [px]: fx, fy."""
        return self.K[[0, 1], [0, 1]]

    @property
    def centre(self) -> np.ndarray:
        """Principal point f64 (2,) [px]: cx, cy."""
        return self.K[:2, 2]

    def project(self, points_camera: np.ndarray) -> np.ndarray:
        """Pixels of the points: `x = fx X/Z + cx`, `y = fy Y/Z + cy`.

        Args:
            points_camera: (N, 3) [m, camera frame].

        Returns:
            f64 (N, 2) [px]; NaN for points that are not in front of the camera (Z <= 0).
        """
        points = as_points("points", points_camera, 3)
        z = np.where(points[:, 2:] > 0, points[:, 2:], np.nan)
        return points[:, :2] / z * self.focal + self.centre

    def unproject(self, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points at the pixels with a depth along z, the inverse of `project`.

        Args:
            pixels: (N, 2) [px].
            depth: (N,) [m], along the optical axis, not along the ray.

        Returns:
            f64 (N, 3) [m, camera frame]; NaN where the depth is.

        Raises:
            InvalidInputError: not one depth a pixel.
        """
        pixels = as_points("pixels", pixels, 2)
        depth = np.asarray(depth, dtype=np.float64)
        if depth.shape != pixels.shape[:1]:
            raise InvalidInputError(
                f"depth has shape {depth.shape}, but must be ({len(pixels)},): one a pixel"
            )
        tangents = (pixels - self.centre) / self.focal
        return np.column_stack([tangents, np.ones(len(pixels))]) * depth[:, None]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Unit directions through the pixels (N, 2) [px]: f64 (N, 3), camera frame."""
        pixels = as_points("pixels", pixels, 2)
        directions = self.unproject(pixels, np.ones(len(pixels)))
        return directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def pixel_grid(self) -> np.ndarray:
        """Centres of all pixels: f64 (H, W, 2) [px], `grid[row, column] = (column, row) + 0.5`."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return np.stack([x, y], axis=-1)


def _checked_intrinsics(K: object) -> np.ndarray:
    """K as a read-only f64 (3, 3) [px], after it was seen to be a rectified pinhole."""
    try:
        K = np.array(K, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"Camera.K is not a matrix of numbers: {error}") from error
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise InvalidInputError(
            f"Camera.K must be a finite (3, 3) matrix, got shape {K.shape}; "
            "is the camera calibrated?"
        )
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise InvalidInputError(
            f"Camera.K has the focal lengths {K[0, 0]} and {K[1, 1]} px, but both must be > 0; "
            "an uncalibrated camera publishes zeros"
        )
    if K[0, 1] != 0 or K[1, 0] != 0 or not np.array_equal(K[2], (0.0, 0.0, 1.0)):
        raise InvalidInputError(
            f"Camera.K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got {K.tolist()}; "
            "use the rectified image and its K"
        )
    K.flags.writeable = False
    return K


@dataclass(frozen=True, eq=False)
class View:
    """One posed picture of one object. Its arrays are read-only views of the ones given.

    Attributes:
        image: u8 (H, W, 3) sRGB.
        mask: bool (H, W), true on the object.
        camera: the camera that took it, of the same size.
        depth: f32 (H, W) [m] along z, NaN unknown; or None.
        stamp_ns: when it was taken [ns].
    """

    image: np.ndarray
    mask: np.ndarray
    camera: Camera
    depth: np.ndarray | None = None
    stamp_ns: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.camera, Camera):
            raise InvalidInputError(
                f"View.camera must be a Camera, got {type(self.camera).__name__}"
            )
        image = checked_array("View.image", self.image, np.uint8, (None, None, 3))
        mask = checked_array("View.mask", self.mask, np.bool_, (None, None))
        depth = self.depth
        if depth is not None:
            depth = checked_array("View.depth", depth, np.float32, (None, None))
        for name, array in (("image", image), ("mask", mask), ("depth", depth)):
            if array is not None:
                self._check_size(name, array)
                object.__setattr__(self, name, array)
        if depth is not None and ((depth <= 0).any() or np.isinf(depth).any()):
            raise InvalidInputError(
                "View.depth has values that are infinite, zero or negative; unknown depth is NaN: "
                "use depth[~(np.isfinite(depth) & (depth > 0))] = np.nan"
            )

    def _check_size(self, name: str, array: np.ndarray) -> None:
        size = (self.camera.height, self.camera.width)
        if array.shape[:2] != size:
            raise InvalidInputError(
                f"View.{name} is {array.shape[1]}x{array.shape[0]} px, but the camera is "
                f"{size[1]}x{size[0]} px; image, mask, depth and camera must be of one size"
            )
