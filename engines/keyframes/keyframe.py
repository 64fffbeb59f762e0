# SPDX-License-Identifier: Apache-2.0
"""A view kept for refinement: cut to its object, shrunk, with what each pixel can be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recon_node.engines.arrays import checked_array
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import SMALLEST_AREA, SMALLEST_PIECE
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.keyframes.occluders import occluder_pixels
from recon_node.engines.keyframes.snapped_mask import BAND, snapped_mask
from recon_node.engines.mask_runs import MaskRuns
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.transforms import as_transform, invert

SIDE = 160  # of a keyframe at most [px]
_MARGIN = 0.15  # around the box of the mask, of its longer side, and
_SMALLEST_MARGIN = 4  # at least [px]
_SAME_SURFACE = 0.01  # depths of a block that are averaged differ by less, relative


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A view cut to its object. It can be pickled, to cross to another process.

    Attributes:
        view: the part of the picture around the mask, with the camera of that part.
        known: bool (H, W), false where a pixel says nothing about the object: something stands
            in front of it, or the picture ends there.
        weight: how much it counts, above 0, at most 1.
        result: the instant result of this view, in the world; or None.
        coverage: f32 (H, W), share of each pixel that the object covers, 0 to 1, of the most that
            it covers of any. Without it, what the mask says.
    """

    view: View
    known: np.ndarray
    weight: float = 1.0
    result: Reconstruction | None = None
    coverage: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape, coverage = self.view.mask.shape, self.coverage
        known = checked_array("Keyframe.known", self.known, np.bool_, shape)
        coverage = self.view.mask.astype(np.float32) if coverage is None else coverage
        coverage = checked_array("Keyframe.coverage", coverage, np.float32, shape)
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "coverage", coverage)
        if not 0 < self.weight <= 1:
            raise InvalidInputError(
                f"Keyframe.weight is {self.weight}, but must be above 0 and at most 1; "
                "a view of no worth is refused, not weighted"
            )

    @property
    def byte_count(self) -> int:
        """Memory of its arrays and of the mesh of its result [bytes]."""
        arrays = [self.view.image, self.view.mask, self.view.depth, self.known, self.coverage]
        if self.result is not None:
            mesh = self.result.mesh
            arrays += [mesh.vertices, mesh.faces, mesh.colors, mesh.provenance, mesh.sigma]
        return sum(array.nbytes for array in arrays if array is not None)


def make_keyframe(
    view: View, result: Reconstruction | None = None, *, side: int = SIDE
) -> Keyframe:
    """The keyframe of a view: what its mask's box and a margin around it show.

    Larger parts are shrunk by blocks of whole pixels. Colours are block means; the mask is where
    at least half of a block is, or as much as of any for a hairline; the depth of a block is one
    of its pixels' on the same side of the mask's outline, the median, averaged with those of them
    that lie on its surface: never a point in the air between two surfaces. Before that, specks
    beside the object leave the mask, and a ragged outline goes where the colours change
    (`snapped_mask`).

    Args:
        view: a posed view of the whole picture.
        result: the instant result of the view, in the world; or None.
        side: of the keyframe at most [px].

    Returns:
        The keyframe, of weight 1; see `quality.assess` for its weight.

    Raises:
        EmptyMaskError: no pixel in the mask.
        InvalidInputError: the mask is smaller than 16 px.
    """
    runs = MaskRuns.of(view.mask)
    if runs.area == 0:
        raise EmptyMaskError("the mask is empty: no pixel is marked as the object; check its label")
    runs = runs.without_specks(SMALLEST_PIECE)
    if runs.area < SMALLEST_AREA:
        raise InvalidInputError(
            f"the mask is too small: {runs.area} px, but a keyframe needs at least "
            f"{SMALLEST_AREA}; move the camera closer or use a finer image"
        )
    *_, block = _part(runs, view.mask.shape, side)
    if block <= BAND:  # else a ragged outline is averaged away by the blocks
        runs = _snapped(runs, view)
    rows, columns, block = _part(runs, view.mask.shape, side)
    mask_blocks = _blocks(runs.to_mask(view.mask.shape)[rows, columns], block)
    covered = mask_blocks.sum(-1)
    mask = covered >= min(block * block / 2, covered.max())
    depth = None
    if view.depth is not None:
        depth = _surface_depth(_blocks(view.depth[rows, columns], block), mask_blocks, mask)
    color_blocks = _blocks(view.image[rows, columns], block)  # (h, w, 3, block^2)
    image = (color_blocks.mean(-1, dtype=np.float32) + 0.5).astype(np.uint8)
    camera = _part_camera(view.camera, rows, columns, block)
    rim_rows, rim_columns = (
        _rim(part, length, count)
        for part, length, count in zip((rows, columns), view.mask.shape, mask.shape, strict=True)
    )
    known = ~(rim_rows[:, None] | rim_columns)
    if depth is not None:
        known &= ~occluder_pixels(mask, depth)
    view = View(image, mask, camera, depth, view.stamp_ns)
    coverage = (covered / covered.max()).astype(np.float32)  # a hairline covers no pixel whole
    return Keyframe(view, known, result=result, coverage=coverage)


def with_T_world_camera(keyframe: Keyframe, T_world_camera: np.ndarray) -> Keyframe:
    """The keyframe as if its camera had stood elsewhere; its result moves along with it.

    Args:
        keyframe: a keyframe.
        T_world_camera: (4, 4) rigid [m].

    Returns:
        A new keyframe that shares the arrays.
    """
    before = keyframe.view.camera.T_world_camera
    camera = replace(keyframe.view.camera, T_world_camera=T_world_camera)
    result = keyframe.result
    if result is not None:
        moved = as_transform(T_world_camera) @ invert(before) @ result.T_world_object
        result = replace(result, T_world_object=moved)
    return replace(keyframe, view=replace(keyframe.view, camera=camera), result=result)


def _snapped(runs: MaskRuns, view: View) -> MaskRuns:
    """The mask where the colours of the view change, or as it is where that leaves too little."""
    mask = snapped_mask(view.image, runs.to_mask(view.mask.shape), view.depth)
    snapped = MaskRuns.of(mask).without_specks(SMALLEST_PIECE)
    return snapped if snapped.area >= SMALLEST_AREA else runs


def _part(runs: MaskRuns, shape: tuple[int, int], side: int) -> tuple[slice, slice, int]:
    """Rows and columns around the mask's box, whole blocks, and the side of a block [px]."""
    left, top, right, bottom = runs.box
    longer = max(right - left, bottom - top)
    margin = max(round(_MARGIN * longer), _SMALLEST_MARGIN)
    block = min(-(-(longer + 2 * margin) // side), *shape)
    parts = []
    for low, high, length in ((top, bottom, shape[0]), (left, right, shape[1])):
        low, high = max(low - margin, 0), min(high + margin, length)
        size = max((high - low) // block, 1) * block
        # What does not fill a block is left out where the mask is not.
        low = high - size if high == length else min(low, length - size)
        parts.append(slice(low, low + size))
    return *parts, block


def _blocks(pixels: np.ndarray, block: int) -> np.ndarray:
    """The (H, W, ...) pixels by blocks: (H / block, W / block, ..., block^2)."""
    height, width, *rest = pixels.shape
    split = pixels.reshape(height // block, block, width // block, block, *rest)
    moved = np.moveaxis(split, (1, 3), (-2, -1))
    return moved.reshape(*moved.shape[:-2], block * block)


def _surface_depth(depth: np.ndarray, in_mask: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One depth a block, f32 (h, w) [m].

    Args:
        depth: f32 (h, w, N) [m], NaN unknown.
        in_mask: bool (h, w, N), of every pixel.
        mask: bool (h, w), of every block.
    """
    depth = np.where(in_mask == mask[..., None], depth, np.nan)
    depth = np.sort(depth, axis=-1)  # NaN last
    counts = np.isfinite(depth).sum(-1)
    middle = np.maximum(counts - 1, 0)[..., None] // 2
    median = np.take_along_axis(depth, middle, axis=-1)
    same = np.abs(depth - median) < _SAME_SURFACE * median
    sums = np.where(same, depth, 0).sum(-1, dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(same.sum(-1), 1), np.nan).astype(np.float32)


def _part_camera(camera: Camera, rows: slice, columns: slice, block: int) -> Camera:
    """The camera of a part of the picture, shrunk by whole blocks: its rays stay the same."""
    K = camera.K.copy()
    K[:2, 2] -= (columns.start, rows.start)
    K[:2] /= block
    height, width = (rows.stop - rows.start) // block, (columns.stop - columns.start) // block
    return Camera(K, width, height, camera.T_world_camera)


def _rim(part: slice, length: int, count: int) -> np.ndarray:
    """The first and the last of a part's lines, where the picture ends with it: bool (count,)."""
    block = (part.stop - part.start) // count
    rim = np.zeros(count, dtype=bool)
    rim[0] = part.start < block
    rim[-1] |= part.stop > length - block
    return rim
