# SPDX-License-Identifier: Apache-2.0
"""Masks on disk: coverage of one object, or a label image of several."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from PIL import Image

from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.image_files import open_picture


class MaskKind(Enum):
    """How the values of a mask file are read."""

    AUTO = "auto"
    BINARY = "binary"
    LABELS = "labels"


@dataclass(frozen=True, eq=False)
class Labels:
    """The objects of one mask file.

    Attributes:
        path: Where it came from.
        pixels: Unsigned integers (H, W); 0 is background, each other value one object.
        values: The values of the objects, ascending.
        is_binary: The file was read as coverage of one object.
    """

    path: Path
    pixels: np.ndarray
    values: tuple[int, ...]
    is_binary: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height [px]."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def masks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Value and mask, bool (H, W), of each object, one at a time."""
        for value in self.values:
            yield value, self.pixels == value


def load_labels(path: Path, *, kind: MaskKind = MaskKind.AUTO) -> Labels:
    """The objects that a mask file marks.

    Read as labels: palette indices, 16-bit files, and gray files that hold few values, each over
    a real area (85, 170, 255 or 1, 2, 3). Everything else is coverage 0..255 of one object
    (> 127), or 0/1. Transparent cut-outs count by their alpha.

    Args:
        path: A picture; 8-bit gray, palette, 16-bit gray, black-and-white, or with alpha.
        kind: Overrules the guess.

    Raises:
        InvalidInputError: Unreadable, coloured, or floating point.
        EmptyMaskError: No pixel is marked.
    """
    picture = open_picture(path, "mask")
    pixels, has_indices = _integers(picture, path)
    counts = _histogram(pixels)
    values = tuple(int(v) for v in np.flatnonzero(counts) if v)
    if not values:
        raise EmptyMaskError(f"mask {path} marks no object: all pixels are 0; draw one above 127")
    asked = kind
    if kind is MaskKind.AUTO:
        labels = has_indices or _looks_like_labels(counts)
        kind = MaskKind.LABELS if labels else MaskKind.BINARY
    if asked is MaskKind.LABELS or kind is MaskKind.LABELS and len(values) > 1:
        return Labels(path, pixels, values, is_binary=False)
    return binary_labels(path, pixels)


def binary_labels(path: Path, coverage: np.ndarray) -> Labels:
    """One object from its coverage, unsigned integers (H, W).

    The object is what lies above half of the range: 127 of 255. Files whose largest value is far
    below that (0/1 masks) are split at half of their own largest value.

    Raises:
        EmptyMaskError: No pixel is marked.
    """
    largest = int(coverage.max(initial=0))
    if largest == 0:
        raise EmptyMaskError(f"mask {path} marks no object: all pixels are 0; draw one above 127")
    threshold = 127 if 127 < largest <= 255 else largest // 2
    return Labels(path, (coverage > threshold).astype(np.uint8), (1,), is_binary=True)


def _integers(picture: Image.Image, path: Path) -> tuple[np.ndarray, bool]:
    """Unsigned pixels (H, W), and whether they are indices by their very format."""
    mode = picture.mode
    if mode == "P":
        return _palette_integers(picture)
    if mode in ("I;16", "I;16B", "I;16L", "I"):
        pixels = np.asarray(picture)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise InvalidInputError(
                f"mask {path} holds values outside 0..65535; save it as 8- or 16-bit gray"
            )
        return pixels.astype(np.uint16), True
    if mode == "F":
        raise InvalidInputError(
            f"mask {path} holds floating-point values; save it as 8-bit gray, 255 on the object"
        )
    if mode in ("LA", "RGBA", "PA", "La", "RGBa"):
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
        if alpha.min() != alpha.max():
            return alpha, False
    rgb = np.asarray(picture.convert("RGB")) if mode not in ("1", "L") else None
    if rgb is None:
        return np.asarray(picture.convert("L")), False
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    if spread.max(initial=0) > 8:
        raise InvalidInputError(
            f"mask {path} is a colour picture; save it as 8-bit gray: 0 is background, 255 the "
            "object, or one value per object"
        )
    return rgb[..., 1], False


def _palette_integers(picture: Image.Image) -> tuple[np.ndarray, bool]:
    """Indices of a coloured palette (as in VOC or DAVIS); the grays of a gray one."""
    indices = np.asarray(picture)
    colours = np.asarray(picture.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    used = colours[np.flatnonzero(_histogram(indices))]
    if np.all(used == used[:, :1]):
        return colours[indices, 0], False
    return indices, True


def _histogram(pixels: np.ndarray) -> np.ndarray:
    """Pixels of each value; row by row, so that a large mask is not widened to i64 at once."""
    counts = np.zeros(int(pixels.max(initial=0)) + 1, np.int64)
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).histogram()[: len(counts)])
    for row in pixels:
        counts += np.bincount(row, minlength=len(counts))
    return counts


def _looks_like_labels(counts: np.ndarray) -> bool:
    """Whether gray values are labels: few, none of them a thin antialiased rim."""
    areas = counts[1:][counts[1:] > 0]
    return 1 < len(areas) <= 64 and bool(np.all(areas >= max(16, 0.01 * areas.sum())))
