# SPDX-License-Identifier: Apache-2.0
"""Pictures on disk: decoded to 8-bit sRGB, turned upright only where everything else agrees."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from recon_node.engines.errors import InvalidInputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I")


def open_picture(path: Path, what: str) -> Image.Image:
    """Decoded Pillow image of a file.

    Args:
        path: The file.
        what: What it is to the reader of a message, e.g. "image" or "mask".

    Raises:
        InvalidInputError: No such file, no picture, or a truncated or oversized one.
    """
    if not path.is_file():
        found = "it is a directory" if path.is_dir() else "there is no such file"
        raise InvalidInputError(f"cannot read {what} {path}: {found}; check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with path.open("rb") as file:
                picture = Image.open(file)
                picture.load()
    except Image.DecompressionBombError as error:
        raise InvalidInputError(
            f"cannot read {what} {path}: it has more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} "
            "million pixels; shrink it (and K with it) first"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "its kind is unknown" if unknown else getattr(error, "strerror", None) or error
        raise InvalidInputError(
            f"cannot read {what} {path}: {reason}; the file is damaged or no picture, "
            "save it again as PNG or JPEG"
        ) from error
    return picture


@dataclass(frozen=True, eq=False)
class StoredImage:
    """A picture as it lies in the file, before any turning.

    Attributes:
        path: Where it came from.
        pixels: u8 (H, W, 3) sRGB.
        alpha: u8 (H, W) coverage where the file has a transparency that is not constant, or None.
        orientation: EXIF orientation, 1 (as stored) … 8.
    """

    path: Path
    pixels: np.ndarray
    alpha: np.ndarray | None
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored [px]."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after applying the EXIF orientation [px]."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else (width, height)

    def upright(self) -> "StoredImage":
        """The picture as a viewer shows it: the EXIF orientation applied and spent."""
        if self.orientation == 1:
            return self
        alpha = None if self.alpha is None else _turn(self.alpha, self.orientation)
        return StoredImage(self.path, _turn(self.pixels, self.orientation), alpha)

    def matching(self, size: tuple[int, int], what: str, path: Path) -> "StoredImage":
        """The upright picture, checked against the size of what lies over it.

        Masks are drawn on what a viewer shows, so an EXIF orientation is applied where the mask
        fits afterwards. Nothing is ever turned to fit the stored pixels.

        Args:
            size: Width and height of the other file [px].
            what: What the other file is, e.g. "mask".
            path: The other file.

        Raises:
            InvalidInputError: The sizes differ.
        """
        if size == self.upright_size:
            return self.upright()
        expected = "{}x{}".format(*self.upright_size)
        found = "{}x{}".format(*size)
        if size == self.size:
            raise InvalidInputError(
                f"{what} {path} is {found}, but {self.path} is shown as {expected}: its EXIF "
                f"orientation is {self.orientation}; turn the {what} upright, or save the image "
                "without EXIF orientation"
            )
        raise InvalidInputError(
            f"{what} {path} is {found}, but image {self.path} is {expected} (width x height); "
            f"give the {what} that belongs to this image, in its size"
        )


def load_image(path: Path) -> StoredImage:
    """Picture of a file as 8-bit sRGB.

    Gray, palette, CMYK and 16-bit gray pictures are converted. Transparent pixels keep their
    colour where it is stored; the transparency itself is kept as `alpha`.

    Raises:
        InvalidInputError: Unreadable, or of a kind that holds no colours (float).
    """
    picture = open_picture(path, "image")
    orientation = int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    if not 1 <= orientation <= 8:
        orientation = 1
    if picture.mode in _DEEP_MODES:
        pixels = np.asarray(picture).astype(np.int64)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise InvalidInputError(
                f"image {path} holds 32-bit integers beyond 16 bit; save it as 8-bit RGB"
            )
        gray = (pixels // 257).astype(np.uint8)
        return StoredImage(path, np.repeat(gray[..., None], 3, axis=2), None, orientation)
    if picture.mode == "F":
        raise InvalidInputError(
            f"image {path} holds floating-point values, not colours; save it as 8-bit RGB "
            "(a depth map goes to --depth)"
        )
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = np.asarray(picture.getchannel("A"))
        alpha = alpha if alpha.min() < 128 <= alpha.max() else None
    return StoredImage(path, np.asarray(picture.convert("RGB")), alpha, orientation)


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))
