# SPDX-License-Identifier: Apache-2.0
"""What a real arm and a real camera do to a keyframe: pose errors, depth noise, ragged masks."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from recon_node.engines.errors import require_package
from recon_node.engines.transforms import as_transform
from recon_node.evaluation.pictured_object import Shot

ndimage = require_package("scipy.ndimage", extra="evaluation")

_GRAZING = 0.30  # |cosine| below which depth begins to fail; none is left at half of it
_PATCH = 16  # pixels over which the smooth part of the depth noise varies


@dataclass(frozen=True)
class Faults:
    """How imperfect keyframes are.

    Attributes:
        name: Of the condition.
        translation: Length of the error of each camera's place but the first one's [m].
        rotation: Angle of the error of its orientation [degree], about the camera's centre.
        depth_floor: Depth noise at distance 0, one standard deviation [m].
        depth_growth: Its growth with the squared distance [1/m]; 1.1e-3 is a structured-light
            camera's (Nguyen 2012, "Modeling Kinect sensor noise", eq. 3, rounded down).
        mask_pixels: Largest displacement of the mask's outline, in or out [px].
    """

    name: str
    translation: float = 0.0
    rotation: float = 0.0
    depth_floor: float = 0.0
    depth_growth: float = 0.0
    mask_pixels: float = 0.0

    @property
    def has_depth_noise(self) -> bool:
        """Whether depth is touched at all."""
        return self.depth_floor > 0 or self.depth_growth > 0


PERFECT = Faults("perfect")
POSE = Faults("pose", translation=3e-3, rotation=1.0)
SENSOR = Faults(
    "sensor",
    translation=3e-3,
    rotation=1.0,
    depth_floor=1e-3,
    depth_growth=1.1e-3,
    mask_pixels=3.0,
)
CONDITIONS = {faults.name: faults for faults in (PERFECT, POSE, SENSOR)}


def disturbed_pose(
    T_world_camera: np.ndarray, faults: Faults, *, rng: np.random.Generator
) -> np.ndarray:
    """The pose with an error of exactly the condition's length and angle, directions random.

    Args:
        T_world_camera: The true one, (4, 4) [m].
        faults: The condition.
        rng: Draws the directions.
    """
    axis, direction = (_unit(rng.normal(size=3)) for _ in range(2))
    angle = np.deg2rad(faults.rotation)
    cross = np.cross(np.eye(3), axis)  # rows e_i x a: the transpose of [a]x
    error = np.eye(4)
    error[:3, :3] = np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    error[:3, 3] = faults.translation * direction
    return as_transform(T_world_camera @ error)


def measured_depth(shot: Shot, faults: Faults, *, rng: np.random.Generator) -> np.ndarray:
    """Depth as a camera measures it, f32 (H, W) [m], NaN unknown.

    Half of the noise's variance is white, half varies smoothly over `_PATCH` pixels. Pixels fail
    the more often the more the surface grazes, and where depth jumps.

    Args:
        shot: What there was to see.
        faults: The condition.
        rng: Draws noise and failures.
    """
    depth = shot.depth.copy()
    if not faults.has_depth_noise:
        return depth
    sigma = faults.depth_floor + faults.depth_growth * depth**2
    white = rng.standard_normal(depth.shape, np.float32)
    depth += sigma * np.sqrt(0.5) * (white + _smooth_noise(depth.shape, rng))
    survival = np.clip(2.0 * shot.cosines / _GRAZING - 1.0, 0.0, 1.0)
    known = np.where(np.isnan(shot.depth), 0.0, shot.depth)
    span = ndimage.maximum_filter(known, 3) - ndimage.minimum_filter(known, 3)
    at_jump = span > 0.05 * known
    survival = np.where(at_jump, 0.3 * survival, survival)
    depth[~(rng.random(depth.shape) < survival)] = np.nan
    return depth


def ragged_mask(mask: np.ndarray, faults: Faults, *, rng: np.random.Generator) -> np.ndarray:
    """The mask with its outline displaced smoothly by up to `mask_pixels`, in and out.

    Args:
        mask: bool (H, W).
        faults: The condition.
        rng: Draws the displacement.
    """
    if faults.mask_pixels == 0:
        return mask
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    displaced = faults.mask_pixels * np.clip(_smooth_noise(mask.shape, rng), -1.0, 1.0)
    # Distances are from pixel centre to centre: the outline lies half a pixel nearer.
    signed = np.where(mask, inside - 0.5, 0.5 - outside)
    ragged = signed + displaced > 0
    return ragged if ragged.any() else mask


def _smooth_noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance that varies over `_PATCH` pixels, f32 of the shape."""
    cells = [max(2, -(-side // _PATCH)) for side in shape]
    coarse = Image.fromarray(rng.standard_normal(cells, np.float32))
    smooth = np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC))
    return smooth / smooth.std()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
