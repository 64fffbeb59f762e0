# SPDX-License-Identifier: Apache-2.0
"""Whether an object looks different from when its mesh was made, seen at a few pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.option import check_options, option

_SIDE = 32  # samples along each side of the box
_MARGIN = 0.1  # of the box's sides, around it
_MIN_MARGIN = 4  # [px]
_CHANNEL_STEP = 24  # of 255; beyond the noise of a camera and of JPEG
_DEPTH_STEP = 0.03  # relative; beyond the noise of a depth camera


@dataclass(frozen=True)
class ChangeConfig:
    """When an object is worth another reconstruction."""

    change_threshold: float = option(
        0.05,
        "Share of an object's sampled pixels that must differ from those of its last mesh in mask, "
        "colour or depth; 0 takes every frame for new.",
        low=0.0,
        high=1.0,
        live=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, eq=False)
class _Samples:
    """Mask, colours and depth of a view at the points of a grid around an object."""

    size: tuple[int, int]
    grid: tuple[np.ndarray, np.ndarray]  # rows (R, 1) and columns (1, C) [px]
    mask: np.ndarray  # bool (R, C)
    colors: np.ndarray  # i16 (R, C, 3), so that differences have a sign
    depth: np.ndarray  # f32 (R, C) [m], NaN unknown

    @property
    def has_depth(self) -> bool:
        """Whether any depth on the object is known."""
        return bool(np.isfinite(self.depth[self.mask]).any())

    @classmethod
    def of(cls, view: View, grid: tuple[np.ndarray, np.ndarray]) -> _Samples:
        """The samples of a view at the rows and columns of a grid."""
        mask = view.mask[grid]
        unknown = np.full(mask.shape, np.nan, np.float32)
        depth = unknown if view.depth is None else view.depth[grid]
        colors = view.image[grid].astype(np.int16)
        return cls(view.mask.shape, grid, mask, colors, depth)

    def differing_share(self, other: _Samples) -> float:
        """Share of the points whose mask, colour or (where both know it) depth differs."""
        differs = self.mask != other.mask
        differs |= (np.abs(self.colors - other.colors) > _CHANNEL_STEP).any(axis=2)
        differs |= np.abs(other.depth - self.depth) > _DEPTH_STEP * self.depth  # NaN: false
        return float(differs.mean())


class ChangeDetector:
    """Remembers what each object looked like when its mesh was made.

    About a thousand pixels are compared, in the box of the remembered mask and a margin around
    it. A camera that moves changes pixels; its pose is not looked at.

    Attributes:
        config: May be replaced at any time.
    """

    def __init__(self, config: ChangeConfig) -> None:
        self.config = config
        self._remembered: dict[str, _Samples] = {}

    def is_new(self, object_id: str, view: View) -> bool:
        """Whether the view differs from the remembered one, or nothing is remembered.

        It also differs where it has depth of the object and the remembered one had none.
        """
        before = self._remembered.get(object_id)
        if before is None or before.size != view.mask.shape:
            return True
        now = _Samples.of(view, before.grid)
        share = before.differing_share(now)
        return share >= self.config.change_threshold or (now.has_depth and not before.has_depth)

    def remember(self, object_id: str, view: View) -> None:
        """Keeps what the view shows, to be compared with later ones."""
        self._remembered[object_id] = _Samples.of(view, _grid_around(view.mask))

    def forget(self, object_id: str) -> None:
        """Takes the next view of the object for new."""
        self._remembered.pop(object_id, None)

    def reset(self) -> None:
        """Takes the next view of every object for new."""
        self._remembered.clear()


def _grid_around(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (R, 1) and columns (1, C) [px] over the box of a mask and its margin."""
    lines = []
    for axis, length in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        low, high = (used[0], used[-1] + 1) if len(used) else (0, length)
        margin = max(round(_MARGIN * (high - low)), _MIN_MARGIN)
        low, high = max(low - margin, 0), min(high + margin, length)
        lines.append(np.unique(np.linspace(low, high - 1, _SIDE).round().astype(np.intp)))
    return lines[0][:, None], lines[1][None, :]
