# SPDX-License-Identifier: Apache-2.0
"""Depth maps on disk: metres along z, NaN where unknown."""

import logging
from pathlib import Path

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.image_files import open_picture

DEFAULT_DEPTH_UNIT = 0.001
DEPTH_SUFFIXES = (".png", ".npy", ".tif", ".tiff")

_FARTHEST_PLAUSIBLE_M = 100.0
_NEAREST_PLAUSIBLE_M = 0.005
_MEDIAN_SAMPLES = 100_000

_logger = logging.getLogger(__name__)


def load_depth(path: Path, *, unit: float | None = None) -> np.ndarray:
    """Depth along z [m], f32 (H, W), NaN where the file holds 0, a negative value, NaN or inf.

    Args:
        path: 16- or 32-bit integer PNG or TIFF, floating-point TIFF, or .npy.
        unit: Metres per stored unit; by default 0.001 for integers and 1 for floating point.

    Raises:
        InvalidInputError: Unreadable, not two-dimensional, 8 bit, or without any valid pixel.
    """
    if unit is not None and not (np.isfinite(unit) and unit > 0):
        raise InvalidInputError(f"depth unit {unit} is not a positive length; 0.001 is millimetres")
    stored = _load_npy(path) if path.suffix.lower() == ".npy" else _load_picture(path)
    if unit is None:
        unit = 1.0 if stored.dtype.kind == "f" else DEFAULT_DEPTH_UNIT
    with np.errstate(over="ignore"):
        depth = stored.astype(np.float32)
        depth *= np.float32(unit)
    depth[~((depth > 0) & (depth < np.inf))] = np.nan
    known = depth[np.isfinite(depth)]
    if not len(known):
        raise InvalidInputError(
            f"depth {path} has no valid pixel: all {depth.size} are 0, negative, NaN or inf; "
            "leave --depth out to reconstruct without"
        )
    median = float(np.median(known[:: 1 + len(known) // _MEDIAN_SAMPLES]))
    if not _NEAREST_PLAUSIBLE_M <= median <= _FARTHEST_PLAUSIBLE_M:
        _logger.warning(
            "depth %s has a median of %.4g m: is --depth-unit %g right?", path, median, unit
        )
    return depth


def _load_npy(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InvalidInputError(f"cannot read depth {path}: there is no such file; check the path")
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInputError(
            f"cannot read depth {path}: {error}; save it with numpy.save as a float32 array"
        ) from error
    if not isinstance(stored, np.ndarray) or stored.ndim != 2 or stored.dtype.kind not in "fiu":
        found = f"{stored.dtype} {stored.shape}" if isinstance(stored, np.ndarray) else "an archive"
        raise InvalidInputError(
            f"depth {path} is {found}; expected one float or integer array of shape (H, W)"
        )
    if stored.size == 0:
        raise InvalidInputError(f"depth {path} is empty, shape {stored.shape}; expected (H, W)")
    if stored.dtype.itemsize == 1:
        raise InvalidInputError(_too_shallow(path))
    return stored


def _load_picture(path: Path) -> np.ndarray:
    picture = open_picture(path, "depth")
    if picture.mode in ("1", "L", "P"):
        raise InvalidInputError(_too_shallow(path))
    if picture.mode not in ("I;16", "I;16B", "I;16L", "I", "F"):
        raise InvalidInputError(
            f"depth {path} is a colour picture ({picture.mode}); give the raw depth: 16-bit PNG "
            "with --depth-unit, or float metres as .npy or .tiff"
        )
    return np.asarray(picture)


def _too_shallow(path: Path) -> str:
    return (
        f"depth {path} has 8 bits a pixel, too few for a depth map; give 16-bit PNG with "
        "--depth-unit, or float metres as .npy or .tiff"
    )
