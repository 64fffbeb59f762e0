# SPDX-License-Identifier: Apache-2.0
"""A view cut to its object: the picture that an engine looks at, and the cube placed around it.

The crop camera is the real camera turned towards the object (a pure rotation, so a homography
warps the picture) with a focal length that lets the mask fill a fixed share of a square image.
The canonical cube stands on its optical axis, see `canonical`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines import canonical
from recon_node.engines.arrays import as_points, checked_array
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop_depth import seen_depth
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.mask_runs import MaskRuns
from recon_node.engines.reconstruction import ScaleSource
from recon_node.engines.resample import map_pixels, resample
from recon_node.engines.transforms import Similarity

CROP_SIZE = 128  # [px]
FILL = 0.7  # longer side of the mask's box / side of the crop
SMALLEST_AREA = 16  # of a mask [px]
SMALLEST_PIECE = 0.01  # area of a piece of the mask that is kept / area of the largest
LARGEST_ANGLE = 120.0  # an object may span [deg]
# Beyond q = 1 the near side of the cube would lie behind the camera.
LARGEST_TAN_HALF_FOV = 0.9
AIM_ROUNDS = 8  # each leaves a small part of the error of the one before


@dataclass(frozen=True, eq=False)
class Crop:
    """A view cut to its object. Frames: `canonical` is the cube's, `crop` the crop camera's.

    Attributes:
        image: u8 (S, S, 3) sRGB.
        mask: f32 (S, S), how much of each pixel the object covers, 0 to 1.
        depth: f32 (S, S), canonical x of the surface seen in each pixel, NaN where unknown and
            outside the mask; or None.
        camera: the crop camera.
        source_camera: the camera of the view.
        T_camera_crop: f64 (4, 4), crop camera to source camera: a pure rotation.
        tan_half_fov: q, tangent of half the crop's field of view.
        distance: D, of the cube's centre from the camera [m]; 1 where the scale is not known.
        scale_source: DEPTH or NONE.
        truncated: whether the object is cut off by the border of the picture.
        warnings: what was unusual, as sentences for the user.
    """

    image: np.ndarray
    mask: np.ndarray
    depth: np.ndarray | None
    camera: Camera
    source_camera: Camera
    T_camera_crop: np.ndarray
    tan_half_fov: float
    distance: float
    scale_source: ScaleSource
    truncated: bool
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        layout = {
            "image": (np.uint8, (*size, 3)),
            "mask": (np.float32, size),
            "depth": (np.float32, size),
            "T_camera_crop": (np.float64, (4, 4)),
        }
        for name, (dtype, shape) in layout.items():
            array = getattr(self, name)
            if array is not None:
                array = checked_array(f"Crop.{name}", array, dtype, shape)
                object.__setattr__(self, name, array)

    @property
    def inside(self) -> np.ndarray:
        """Pixels at least half covered by the object, or as much as any of a hairline; (S, S)."""
        return self.mask >= min(0.5, self.mask.max())

    @property
    def S_crop_canonical(self) -> Similarity:
        """The cube in the crop camera."""
        return canonical.placement(self.distance, self.tan_half_fov)

    @property
    def S_camera_canonical(self) -> Similarity:
        """The cube in the camera of the view."""
        return Similarity.from_transform(self.T_camera_crop) @ self.S_crop_canonical

    @property
    def S_world_canonical(self) -> Similarity:
        """The cube in the world."""
        T_world_camera = self.source_camera.T_world_camera
        return Similarity.from_transform(T_world_camera) @ self.S_camera_canonical

    @property
    def H_source_crop(self) -> np.ndarray:
        """Homography f64 (3, 3) from crop pixels to source pixels: `K R K_crop^-1`."""
        R_camera_crop = self.T_camera_crop[:3, :3]
        return homography(self.source_camera.K, R_camera_crop, self.camera.K)

    def to_source(self, pixels: np.ndarray) -> np.ndarray:
        """Source pixels of crop pixels, (N, 2) to f64 (N, 2) [px]."""
        return map_pixels(self.H_source_crop, *as_points("pixels", pixels, 2).T).T

    def from_source(self, pixels: np.ndarray) -> np.ndarray:
        """Crop pixels of source pixels, (N, 2) to f64 (N, 2) [px], undoing `to_source`."""
        H_crop_source = homography(
            self.camera.K, self.T_camera_crop[:3, :3].T, self.source_camera.K
        )
        return map_pixels(H_crop_source, *as_points("pixels", pixels, 2).T).T


def crop_view(view: View, *, size: int = CROP_SIZE, fill: float = FILL) -> Crop:
    """The crop of a view around its mask.

    Args:
        view: picture, mask and camera, with or without depth.
        size: side of the crop S [px].
        fill: longer side of the mask's box / side of the crop.

    Returns:
        The crop; everything unusual that was met is in its warnings.

    Raises:
        EmptyMaskError: no pixel in the mask.
        InvalidInputError: the mask is smaller than 16 px, or the object spans more than 120 deg.
    """
    mask, runs, warnings = _object_mask(view.mask)
    left, top, right, bottom = runs.box
    truncated = min(left, top) == 0 or right == view.camera.width or bottom == view.camera.height
    R_camera_crop, half_extent = aim(view.camera, runs)
    tan_half_fov = min(half_extent / fill, LARGEST_TAN_HALF_FOV)
    if half_extent > tan_half_fov:
        truncated = True
        warnings.append(
            f"the object spans {_angle(half_extent):.0f} deg, more than the "
            f"{_angle(tan_half_fov):.0f} deg of the widest crop: its rim is cut off; move back"
        )
    elif truncated:
        warnings.append("the mask touches the border of the image; what lies beyond is guessed")
    T_camera_crop = np.eye(4)
    T_camera_crop[:3, :3] = R_camera_crop
    camera = crop_camera(tan_half_fov, size, view.camera.T_world_camera @ T_camera_crop)
    H_source_crop = homography(view.camera.K, R_camera_crop, camera.K)
    image, coverage = resample(view.image, mask, H_source_crop, size)
    depth, distance = None, 1.0
    if view.depth is not None:
        axis = R_camera_crop[:, 2]
        seen = seen_depth(view, mask, H_source_crop, axis, size, half_extent=half_extent)
        if seen is None:
            warnings.append("too little of the mask has a depth: it is not used, scale is unknown")
        else:
            distance = canonical.distance_from_nearest(seen.nearest, tan_half_fov)
            depth = canonical.depth_to_canonical(seen.z, distance, tan_half_fov).astype(np.float32)
    return Crop(
        image=image,
        mask=coverage,
        depth=depth,
        camera=camera,
        source_camera=view.camera,
        T_camera_crop=T_camera_crop,
        tan_half_fov=tan_half_fov,
        distance=distance,
        scale_source=ScaleSource.NONE if depth is None else ScaleSource.DEPTH,
        truncated=truncated,
        warnings=tuple(warnings),
    )


def aim(camera: Camera, runs: MaskRuns) -> tuple[np.ndarray, float]:
    """The rotation of the crop camera and half the longer side of the mask's box as it sees it.

    The axis goes through the centre of the box around the mask. Turning the camera changes the
    box a little, so the axis is moved to the new centre until it stays.

    Args:
        camera: the real camera.
        runs: the mask.

    Returns:
        `R_camera_crop` f64 (3, 3), and the half side as a tangent (at unit depth).

    Raises:
        InvalidInputError: the object spans more than LARGEST_ANGLE.
    """
    left, top, right, bottom = runs.box
    corners = runs.corners()
    rays = camera.unproject(corners, np.ones(len(corners)))  # (M, 3)
    middle = np.array([[(left + right) / 2, (top + bottom) / 2]])
    axis = camera.unproject(middle, np.ones(1))[0]
    for _ in range(AIM_ROUNDS):
        R_camera_crop = crop_rotation(axis)
        seen = rays @ R_camera_crop
        tangents = seen[:, :2] / np.maximum(seen[:, 2:], 1e-9)
        low, high = tangents.min(axis=0), tangents.max(axis=0)
        half_extent = float((high - low).max() / 2)
        if half_extent > np.tan(np.radians(LARGEST_ANGLE / 2)):
            raise InvalidInputError(
                f"the object spans more than {LARGEST_ANGLE:.0f} deg of the view, too wide for a "
                "crop; move the camera away, or check the focal length in its K"
            )
        axis = R_camera_crop @ [*(low + high) / 2, 1.0]
    return R_camera_crop, half_extent


def crop_rotation(axis: np.ndarray) -> np.ndarray:
    """`R_camera_crop` of a crop camera that looks along an axis and keeps the image's roll.

    Its x axis is the camera's x axis made orthogonal to the new axis.

    Args:
        axis: (3,) direction in the camera, any length, not along x.

    Returns:
        f64 (3, 3); its columns are the crop camera's axes in the camera.
    """
    z_axis = axis / np.linalg.norm(axis)
    x_axis = np.array([1.0, 0.0, 0.0]) - z_axis[0] * z_axis
    x_axis /= np.linalg.norm(x_axis)
    return np.stack([x_axis, np.cross(z_axis, x_axis), z_axis], axis=1)


def crop_camera(tan_half_fov: float, size: int, T_world_crop: np.ndarray) -> Camera:
    """The square camera with that field of view: `f = (S/2) / q`, principal point in the middle.

    Args:
        tan_half_fov: q.
        size: side of the image S [px].
        T_world_crop: (4, 4) [m].

    Returns:
        The camera.
    """
    focal = size / 2 / tan_half_fov
    K = np.array([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]])
    return Camera(K, size, size, T_world_crop)


def homography(K_a: np.ndarray, R_a_b: np.ndarray, K_b: np.ndarray) -> np.ndarray:
    """`K_a R_a_b K_b^-1`, f64 (3, 3): pixels of camera a from those of camera b, turned in place.

    Args:
        K_a: (3, 3) [px].
        R_a_b: (3, 3).
        K_b: (3, 3) [px].

    Returns:
        f64 (3, 3); its third row gives the depth in a of the ray with depth 1 in b.
    """
    return K_a @ R_a_b @ np.linalg.inv(K_b)


def _object_mask(mask: np.ndarray) -> tuple[np.ndarray, MaskRuns, list[str]]:
    """The mask without specks, its runs, and a warning if they were more than a little dust."""
    runs = MaskRuns.of(mask)
    if runs.area == 0:
        raise EmptyMaskError("the mask is empty: no pixel is marked as the object; check its label")
    kept = runs.without_specks(SMALLEST_PIECE)
    if kept.area < SMALLEST_AREA:
        raise InvalidInputError(
            f"the mask is too small: {kept.area} px, but a shape needs at least {SMALLEST_AREA}; "
            "move the camera closer or use a finer image"
        )
    dropped, warnings = runs.area - kept.area, []
    if dropped == 0:
        return mask, runs, warnings
    if dropped > SMALLEST_PIECE * runs.area:
        warnings.append(f"{dropped} of {runs.area} mask px are specks beside the object: left out")
    return kept.to_mask(mask.shape), kept, warnings


def _angle(tan_half: float) -> float:
    """The full angle [deg] with that tangent of its half."""
    return float(np.degrees(2 * np.arctan(tan_half)))
