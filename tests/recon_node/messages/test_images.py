# SPDX-License-Identifier: Apache-2.0
"""Pictures and masks of messages: encodings, padding, byte orders, and what is refused."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import crop_view
from recon_node.engines.errors import InvalidInputError
from recon_node.messages.images import (
    check_color_encoding,
    color_image,
    compressed_image,
    image_size,
    label_image,
)

CHANNELS = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "rgba8": [0, 1, 2, 3], "bgra8": [2, 1, 0, 3]}


def picture(rng, height=5, width=7) -> np.ndarray:
    """Red, green, blue and a meaningless alpha."""
    return rng.integers(0, 256, (height, width, 4), np.uint8)


def encoded(picture: Image.Image, format: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding", CHANNELS)
def test_colours_come_as_rgb_without_a_copy(make, rng, encoding, padding):
    rgba = picture(rng)
    message = make.image(rgba[..., CHANNELS[encoding]], encoding, padding=padding)
    for given in (message, make.as_rclpy(message)):
        color = color_image(given)
        np.testing.assert_array_equal(color, rgba[..., :3])
        assert color.dtype == np.uint8
        assert np.shares_memory(color, np.frombuffer(given.data, np.uint8))
    assert image_size(message) == (7, 5)


@pytest.mark.parametrize("padding", [0, 5])
def test_gray_becomes_three_equal_channels(make, rng, padding):
    gray = picture(rng)[..., 0]
    color = color_image(make.image(gray, "mono8", padding=padding))
    np.testing.assert_array_equal(color, np.repeat(gray[..., None], 3, axis=2))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 3])
def test_deep_gray_keeps_its_upper_byte(make, rng, big, padding):
    deep = rng.integers(0, 65536, (4, 6)).astype(np.uint16)
    color = color_image(make.image(deep, "mono16", padding=padding, big=big))
    np.testing.assert_array_equal(color, np.repeat((deep // 256)[..., None], 3, axis=2))


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
def test_a_view_of_the_message_is_cropped_as_a_copy_is(make, rng, encoding):
    """Strides of any kind go through the vocabulary and give the same crop."""
    rgba = picture(rng, 48, 64)
    pixels = rgba[..., 0] if encoding == "mono8" else rgba[..., CHANNELS[encoding]]
    color = color_image(make.image(pixels, encoding, padding=5))
    assert not color.flags.c_contiguous
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    camera = Camera(np.array([[80.0, 0, 32], [0, 80, 24], [0, 0, 1]]), 64, 48)
    crops = [crop_view(View(c, mask, camera)) for c in (color, np.ascontiguousarray(color))]
    np.testing.assert_array_equal(crops[0].image, crops[1].image)
    assert np.ptp(crops[0].image) > 100


@pytest.mark.parametrize(
    "encoding, advice",
    [
        ("bayer_rggb8", "debayer it first"),
        ("bayer_gbrg16", "debayer it first"),
        ("yuv422_yuy2", "convert it to rgb8"),
        ("nv12", "convert it to rgb8"),
        ("8UC3", "known: rgb8, bgr8, rgba8, bgra8, mono8, mono16"),
        ("", "known: rgb8"),
    ],
)
def test_other_encodings_are_refused_with_advice(make, encoding, advice):
    message = make.image(np.zeros((4, 4, 2), np.uint8), encoding)
    for read in (check_color_encoding, color_image):
        with pytest.raises(InvalidInputError, match=f"encoding '{encoding}'.*{advice}"):
            read(message)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"data": np.zeros(4 * 18 - 1, np.uint8)}, "is 72 bytes with step 18, but holds 71"),
        ({"data": np.zeros(0, np.uint8)}, "but holds 0; it was cut off"),
        ({"step": 17}, "step 17, but a row needs 18 bytes"),
        ({"width": 0}, "says 0x4 px of rgb8, so it is empty"),
        ({"height": 0}, "says 6x0 px of rgb8, so it is empty"),
    ],
)
def test_sizes_that_disagree_are_refused(make, change, words):
    message = make.image(np.zeros((4, 6, 3), np.uint8), "rgb8")
    check_color_encoding(message)
    with pytest.raises(InvalidInputError, match=words):
        check_color_encoding(dataclasses.replace(message, **change))


def test_bytes_beyond_the_last_row_are_left_alone(make):
    message = make.image(np.full((2, 2, 3), 9, np.uint8), "rgb8")
    longer = dataclasses.replace(message, data=np.append(message.data, np.uint8([1, 2, 3])))
    assert (color_image(longer) == 9).all()


@pytest.mark.parametrize("format", ["jpeg", "rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed "])
def test_jpeg_has_its_own_order_of_colours(make, format):
    orange = Image.new("RGB", (16, 8), (230, 120, 20))
    message = make.compressed(encoded(orange, "JPEG", quality=95), format)
    for given in (message, make.as_rclpy(message)):
        color = compressed_image(given)
        assert color.shape == (8, 16, 3) and color.dtype == np.uint8
        # JPEG rounds in another colour space.
        np.testing.assert_allclose(color, np.broadcast_to([230, 120, 20], color.shape), atol=3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_png_of_any_depth(make, rng, mode):
    pixels = rng.integers(0, 256, (4, 5, 3), np.uint8)
    if mode == "I;16":
        pixels[:] = pixels[..., :1]
        stored = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256 + 77)
    else:
        stored = Image.fromarray(pixels).convert(mode)
        pixels = np.asarray(stored.convert("RGB"))
    message = make.compressed(encoded(stored, "PNG"), "rgb8; png compressed ")
    np.testing.assert_array_equal(compressed_image(message), pixels)


def test_an_orientation_in_a_jpeg_is_not_applied(make):
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    data = encoded(Image.new("RGB", (16, 8)), "JPEG", exif=exif)
    assert compressed_image(make.compressed(data, "jpeg")).shape == (8, 16, 3)


@pytest.mark.parametrize(
    "data, format, words",
    [
        (b"", "jpeg", "cannot decode .* format 'jpeg' and 0 bytes"),
        (b"\xff\xd8\xff\xe0damaged", "jpeg", "cannot decode"),
        (encoded(Image.new("RGB", (64, 64)), "PNG")[:-40], "png", "cannot decode"),
        (encoded(Image.new("RGB", (8, 8)), "WEBP"), "webp", "JPEG and PNG are known"),
        (b"", "16UC1; compressedDepth png", "is depth; give a picture"),
        (b"", "bayer_rggb8; jpeg compressed ", "debayer it first"),
    ],
)
def test_what_is_no_compressed_picture_is_refused(make, data, format, words):
    with pytest.raises(InvalidInputError, match=words):
        compressed_image(make.compressed(data, format))


@pytest.mark.parametrize(
    "encoding, dtype",
    [
        ("mono8", np.uint8),
        ("8UC1", np.uint8),
        ("mono16", np.uint16),
        ("16UC1", np.uint16),
        ("32SC1", np.int32),
    ],
)
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("labels", [(), (255,), (1, 2, 200), (7, 300, 65535)])
def test_labels_are_listed(make, rng, encoding, dtype, big, labels):
    if dtype == np.uint8 and max(labels, default=0) > 255:
        labels = (3, 4)
    pixels = rng.choice([0, *labels], (20, 30)).astype(dtype)
    message = make.image(pixels, encoding, padding=5, big=big)
    for given in (message, make.as_rclpy(message)):
        found = label_image(given)
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.pixels.dtype in (np.uint8, np.uint16) and found.pixels.dtype.isnative
        assert found.values == labels
        assert all(type(value) is int for value in found.values)
        for value in labels:
            np.testing.assert_array_equal(found.mask(value), pixels == value)


@pytest.mark.parametrize("width", [1, 3, 7, 8, 9, 16, 17, 61])
def test_single_pixels_are_labels(make, width):
    """Find the only pixel of a value, wherever it lies in rows of whole and of broken words."""
    for place in range(2 * width):
        pixels = np.full((2, width), 4, np.uint8)
        pixels.flat[place] = 9
        assert label_image(make.image(pixels, "mono8")).values == (4, 9)


@pytest.mark.parametrize("encoding", ["32FC1", "64FC1", "rgb8", "bgr8", "8SC1", ""])
def test_masks_without_whole_numbers_are_refused(make, encoding):
    message = make.image(np.zeros((4, 4, 8), np.uint8), encoding)
    with pytest.raises(InvalidInputError, match=f"encoding '{encoding}', but must be a label"):
        label_image(message)


@pytest.mark.parametrize("value, words", [(-1, "value -1; labels count from 0"), (65536, "65536")])
def test_labels_beyond_16_bit_are_refused(make, value, words):
    with pytest.raises(InvalidInputError, match=words):
        label_image(make.image(np.full((3, 3), value, np.int32), "32SC1"))


def test_a_mask_that_was_cut_off_is_refused(make):
    message = make.image(np.ones((4, 4), np.uint8), "mono8")
    with pytest.raises(
        InvalidInputError, match="the mask says 4x4 px of mono8.*holds 15; it was cut off"
    ):
        label_image(dataclasses.replace(message, data=message.data[:-1]))


@pytest.mark.ros
def test_an_image_of_rclpy_is_read(rng):
    from sensor_msgs.msg import Image as ImageMessage

    rgb = rng.integers(0, 256, (4, 6, 3), np.uint8)
    message = ImageMessage(height=4, width=6, encoding="rgb8", step=18)
    message.data.frombytes(rgb.tobytes())
    np.testing.assert_array_equal(color_image(message), rgb)
    mask = ImageMessage(height=4, width=6, encoding="mono8", step=6)
    mask.data.frombytes((rgb[..., 0] % 3).tobytes())
    np.testing.assert_array_equal(label_image(mask).pixels, rgb[..., 0] % 3)
    with pytest.raises(InvalidInputError, match="so it is empty"):
        check_color_encoding(ImageMessage(encoding="rgb8"))
