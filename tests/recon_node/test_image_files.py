# SPDX-License-Identifier: Apache-2.0
"""Pictures on disk: what modes become, and when EXIF turns them."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from recon_node.engines.errors import InvalidInputError
from recon_node.image_files import load_image


@pytest.fixture
def colours(rng):
    """Random u8 (6, 9, 3)."""
    return rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_rgb_is_kept(colours, tmp_path):
    """Return the pixels of an RGB picture as they are."""
    Image.fromarray(colours).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert np.array_equal(image.pixels, colours)
    assert image.alpha is None and image.size == (9, 6)


def test_gray_is_repeated(colours, tmp_path):
    """Give a gray picture three equal channels."""
    Image.fromarray(colours[..., 0]).save(tmp_path / "a.png")
    assert np.array_equal(load_image(tmp_path / "a.png").pixels, colours[..., [0, 0, 0]])


def test_16_bit_gray_keeps_its_range(tmp_path):
    """Map 0..65535 to 0..255."""
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png").pixels[0, :, 1].tolist() == [0, 100, 255]


def test_palette_becomes_its_colours(tmp_path):
    """Look palette indices up."""
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 150, 100])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png").pixels.tolist() == [[[10, 20, 30], [200, 150, 100]]]


def test_cmyk_becomes_rgb(tmp_path):
    """Convert a JPEG made for print."""
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = load_image(tmp_path / "a.jpg").pixels[4, 4]
    assert red > 200 and green < 60 and blue < 60


def test_alpha_is_split_off(colours, tmp_path):
    """Keep the colours under a transparency, and the transparency beside them."""
    alpha = np.full((6, 9), 255, np.uint8)
    alpha[:2] = 0
    Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert np.array_equal(image.pixels, colours)
    assert np.array_equal(image.alpha, alpha)


def test_constant_alpha_is_no_mask(colours, tmp_path):
    """Take an opaque RGBA picture for what it is."""
    Image.fromarray(np.dstack([colours, np.full((6, 9), 255, np.uint8)])).save(tmp_path / "a.png")
    assert load_image(tmp_path / "a.png").alpha is None


def test_float_picture_is_refused(tmp_path):
    """Say where a depth map belongs."""
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(InvalidInputError, match=r"floating-point.*--depth"):
        load_image(tmp_path / "a.tiff")


def test_missing_file(tmp_path):
    """Name a file that is not there."""
    with pytest.raises(InvalidInputError, match=r"cannot read image .*a\.png: there is no such"):
        load_image(tmp_path / "a.png")


def test_directory_is_no_picture(tmp_path):
    """Tell a directory from a missing file."""
    with pytest.raises(InvalidInputError, match="it is a directory"):
        load_image(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_truncated_picture(ending, colours, tmp_path):
    """Report a file whose second half is missing."""
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.tile(colours, (20, 20, 1))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InvalidInputError, match=r"cannot read image .*damaged or no picture"):
        load_image(path)


def test_text_is_no_picture(tmp_path):
    """Report a file that never was a picture."""
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(InvalidInputError, match="its kind is unknown; the file is damaged"):
        load_image(tmp_path / "a.png")


def test_oversized_picture(tmp_path):
    """Refuse a picture of 400 million pixels without decoding it."""
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    with pytest.raises(InvalidInputError, match="179 million pixels"):
        load_image(tmp_path / "a.png")


def save_with_orientation(path, colours, orientation):
    """A lossless picture with an EXIF orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(colours).save(path, exif=exif)


# What a viewer shows at each orientation (EXIF 2.32, 4.6.5.1 tag 0x0112).
SHOWN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", SHOWN)
def test_exif_orientation_is_applied_for_a_mask_that_fits(orientation, colours, tmp_path):
    """Turn the picture as a viewer does, where the mask has the size of what is shown."""
    path = tmp_path / "a.png"
    save_with_orientation(path, colours, orientation)
    shown = SHOWN[orientation](colours)
    image = load_image(path).matching((shown.shape[1], shown.shape[0]), "mask", tmp_path / "m.png")
    assert np.array_equal(image.pixels, shown)
    assert image.orientation == 1


def test_exif_orientation_with_a_mask_of_the_stored_size(colours, tmp_path):
    """Refuse a mask that lies over the picture as stored, and say why."""
    path = tmp_path / "a.png"
    save_with_orientation(path, colours, 6)
    with pytest.raises(InvalidInputError, match=r"is 9x6, but .* shown as 6x9: its EXIF"):
        load_image(path).matching((9, 6), "mask", "m.png")


def test_unknown_exif_orientation_is_ignored(colours, tmp_path):
    """Leave a picture whose orientation is nonsense as it is stored."""
    save_with_orientation(tmp_path / "a.png", colours, 77)
    assert load_image(tmp_path / "a.png").orientation == 1


def test_size_mismatch_names_both_files(colours, tmp_path):
    """Say both sizes and both files."""
    Image.fromarray(colours).save(tmp_path / "a.png")
    with pytest.raises(InvalidInputError, match=r"mask m\.png is 5x5, but image .*a\.png is 9x6"):
        load_image(tmp_path / "a.png").matching((5, 5), "mask", "m.png")
