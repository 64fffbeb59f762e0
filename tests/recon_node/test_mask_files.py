# SPDX-License-Identifier: Apache-2.0
"""Masks on disk: coverage of one object, or labels of several."""

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.mask_files import MaskKind, load_labels

DISC = np.hypot(*(np.mgrid[:40, :40] - 19.5)) < 12


def save(path, pixels):
    """The path, after the pixels were written there."""
    Image.fromarray(pixels).save(path)
    return path


def only_mask(labels):
    """The mask of the one object."""
    ((_, mask),) = labels.masks()
    return mask


@pytest.mark.parametrize("value", [255, 128, 1])
def test_two_values_are_one_object(value, tmp_path):
    """Accept 0/255, a gray above the middle, and 0/1."""
    labels = load_labels(save(tmp_path / "m.png", (value * DISC).astype(np.uint8)))
    assert labels.is_binary
    assert np.array_equal(only_mask(labels), DISC)


def test_coverage_is_split_at_127(tmp_path):
    """Take an antialiased rim as coverage, not as labels."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    assert np.array_equal(only_mask(load_labels(save(tmp_path / "m.png", ramp))), ramp > 127)


def test_antialiased_disc_is_one_object(tmp_path):
    """See one object in a disc drawn with a smooth rim of few gray values."""
    large = Image.fromarray(np.kron(DISC, np.ones((4, 4))).astype(np.uint8) * 255)
    smooth = large.resize((40, 40), Image.Resampling.BOX).rotate(7, Image.Resampling.BILINEAR)
    smooth.save(tmp_path / "m.png")
    assert load_labels(tmp_path / "m.png").is_binary


@pytest.mark.parametrize("values", [(1, 2, 3), (85, 170, 255)])
def test_few_flat_values_are_labels(values, tmp_path):
    """Give each gray value its own object, 0 being background."""
    stripes = np.repeat(np.array([0, *values], np.uint8), 10)[None].repeat(40, axis=0)
    labels = load_labels(save(tmp_path / "m.png", stripes))
    assert labels.values == values
    for value, mask in labels.masks():
        assert np.array_equal(mask, stripes == value)


def test_16_bit_labels(tmp_path):
    """Read instance numbers above 255."""
    pixels = np.where(DISC, 1000, 0).astype(np.uint16)
    pixels[0, :5] = 2
    assert load_labels(save(tmp_path / "m.png", pixels)).values == (2, 1000)


def test_palette_indices_are_labels(tmp_path):
    """Take indices, not colours, from a coloured palette as of VOC or DAVIS."""
    picture = Image.fromarray(np.where(DISC, 2, 0).astype(np.uint8))
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    picture.putpixel((0, 0), 1)
    picture.save(tmp_path / "m.png")
    assert load_labels(tmp_path / "m.png").values == (1, 2)


def test_gray_palette_counts_by_its_grays(tmp_path):
    """See the object where a black-and-white palette is white, whatever its index."""
    picture = Image.fromarray(np.where(DISC, 0, 1).astype(np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "m.png")
    assert np.array_equal(only_mask(load_labels(tmp_path / "m.png")), DISC)


def test_black_and_white_mask(tmp_path):
    """Read one bit a pixel."""
    Image.fromarray(DISC).save(tmp_path / "m.png")
    assert np.array_equal(only_mask(load_labels(tmp_path / "m.png")), DISC)


def test_alpha_of_a_cut_out(tmp_path):
    """Take the transparency of a cut-out, whatever its colours."""
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[..., 0] = np.arange(40)
    pixels[..., 3] = 255 * DISC
    assert np.array_equal(only_mask(load_labels(save(tmp_path / "m.png", pixels))), DISC)


def test_jpeg_mask(tmp_path):
    """See one object through the ringing of JPEG."""
    rgb = np.repeat((255 * DISC).astype(np.uint8)[..., None], 3, axis=2)
    labels = load_labels(save(tmp_path / "m.jpg", rgb))
    assert labels.is_binary
    assert np.mean(only_mask(labels) != DISC) < 0.02


@pytest.mark.parametrize("kind, count", [(MaskKind.BINARY, 1), (MaskKind.LABELS, 2)])
def test_kind_overrules_the_guess(kind, count, tmp_path):
    """Read the same file either way on request."""
    pixels = (255 * DISC).astype(np.uint8)
    pixels[0, 0] = 100
    assert len(load_labels(save(tmp_path / "m.png", pixels), kind=kind).values) == count


def test_empty_mask(tmp_path):
    """Report a mask without an object."""
    with pytest.raises(EmptyMaskError, match=r"m\.png marks no object: all pixels are 0; draw"):
        load_labels(save(tmp_path / "m.png", np.zeros((4, 4), np.uint8)))


def test_coloured_mask(tmp_path, rng):
    """Refuse a photograph given as mask."""
    photo = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    with pytest.raises(InvalidInputError, match="is a colour picture; save it as 8-bit gray"):
        load_labels(save(tmp_path / "m.png", photo))


def test_float_mask(tmp_path):
    """Refuse floating-point masks."""
    with pytest.raises(InvalidInputError, match="holds floating-point values"):
        load_labels(save(tmp_path / "m.tiff", DISC.astype(np.float32)))


def test_negative_mask(tmp_path):
    """Refuse values that cannot be labels."""
    with pytest.raises(InvalidInputError, match=r"outside 0\.\.65535"):
        load_labels(save(tmp_path / "m.tiff", np.where(DISC, -1, 0).astype(np.int32)))
