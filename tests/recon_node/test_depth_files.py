# SPDX-License-Identifier: Apache-2.0
"""Depth maps on disk: units, unknown pixels, and what is refused."""

import logging

import numpy as np
import pytest
from PIL import Image

from recon_node.depth_files import load_depth
from recon_node.engines.errors import InvalidInputError

METRES = np.array([[0.5, 0.75], [1.0, 2.5]], np.float32)


def test_16_bit_png_is_millimetres(tmp_path):
    """Read a 16-bit PNG in millimetres, 0 being unknown."""
    stored = np.array([[500, 0], [65535, 750]], np.uint16)
    Image.fromarray(stored).save(tmp_path / "d.png")
    depth = load_depth(tmp_path / "d.png")
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[0.5, np.nan], [65.535, 0.75]], rtol=1e-6)


def test_unit_is_applied(tmp_path):
    """Multiply by the given unit."""
    Image.fromarray(np.full((2, 2), 20_000, np.uint16)).save(tmp_path / "d.png")
    np.testing.assert_allclose(load_depth(tmp_path / "d.png", unit=1e-4), 2.0, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_float_npy_is_metres(dtype, tmp_path):
    """Read floating-point arrays in metres."""
    np.save(tmp_path / "d.npy", METRES.astype(dtype))
    assert np.array_equal(load_depth(tmp_path / "d.npy"), METRES)


def test_integer_npy_is_millimetres(tmp_path):
    """Read integer arrays in the unit of integers."""
    np.save(tmp_path / "d.npy", (1000 * METRES).astype(np.int64))
    np.testing.assert_allclose(load_depth(tmp_path / "d.npy"), METRES, rtol=1e-6)


def test_float_tiff_is_metres(tmp_path):
    """Read a floating-point TIFF in metres."""
    Image.fromarray(METRES).save(tmp_path / "d.tiff")
    assert np.array_equal(load_depth(tmp_path / "d.tiff"), METRES)


@pytest.mark.parametrize("unknown", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_unknown_becomes_nan(unknown, tmp_path):
    """Turn 0, negative and non-finite values into NaN."""
    depth = METRES.copy()
    depth[0, 1] = unknown
    np.save(tmp_path / "d.npy", depth)
    loaded = load_depth(tmp_path / "d.npy")
    assert np.isnan(loaded[0, 1]) and np.isfinite(loaded).sum() == 3


def test_overflow_is_unknown(tmp_path):
    """Take a value beyond 32-bit floats as unknown, without a warning."""
    np.save(tmp_path / "d.npy", np.array([[1e300, 1.0]]))
    assert np.isnan(load_depth(tmp_path / "d.npy")[0, 0])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_nothing_known(value, tmp_path):
    """Refuse a map without any valid pixel, and say what to do."""
    np.save(tmp_path / "d.npy", np.full((4, 4), value))
    with pytest.raises(InvalidInputError, match="no valid pixel: all 16 .* leave --depth out"):
        load_depth(tmp_path / "d.npy")


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_8_bit_is_refused(mode, tmp_path):
    """Refuse depth of 8 bits a pixel."""
    Image.new(mode, (4, 4), 1).save(tmp_path / "d.png")
    with pytest.raises(InvalidInputError, match="8 bits a pixel, too few.*16-bit PNG"):
        load_depth(tmp_path / "d.png")


def test_8_bit_array_is_refused(tmp_path):
    """Refuse arrays of 8 bits a pixel."""
    np.save(tmp_path / "d.npy", np.ones((4, 4), np.uint8))
    with pytest.raises(InvalidInputError, match="8 bits a pixel"):
        load_depth(tmp_path / "d.npy")


def test_colour_is_refused(tmp_path):
    """Refuse a coloured rendering of depth."""
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "d.png")
    with pytest.raises(InvalidInputError, match=r"colour picture \(RGB\); give the raw depth"):
        load_depth(tmp_path / "d.png")


@pytest.mark.parametrize(
    "array", [np.ones((2, 2, 3)), np.ones((2, 2), complex), np.ones((0, 4)), np.ones(4)]
)
def test_wrong_array(array, tmp_path):
    """Refuse arrays that are no map of numbers."""
    np.save(tmp_path / "d.npy", array)
    with pytest.raises(InvalidInputError, match=r"expected .*\(H, W\)"):
        load_depth(tmp_path / "d.npy")


def test_pickle_is_refused(tmp_path):
    """Never unpickle."""
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match="cannot read depth"):
        load_depth(tmp_path / "d.npy")


def test_archive_is_refused(tmp_path):
    """Refuse an npz under the name of an npy."""
    with open(tmp_path / "d.npy", "wb") as file:
        np.savez(file, depth=METRES)
    with pytest.raises(InvalidInputError, match="is an archive; expected one"):
        load_depth(tmp_path / "d.npy")


def test_missing_and_damaged(tmp_path):
    """Tell a missing file from a damaged one."""
    with pytest.raises(InvalidInputError, match="there is no such file"):
        load_depth(tmp_path / "d.npy")
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(InvalidInputError, match="cannot read depth .* save it with numpy.save"):
        load_depth(tmp_path / "d.npy")


@pytest.mark.parametrize("unit", [0.0, -1.0, np.nan, np.inf])
def test_bad_unit(unit, tmp_path):
    """Refuse a unit that is no length."""
    with pytest.raises(InvalidInputError, match="is not a positive length"):
        load_depth(tmp_path / "d.npy", unit=unit)


@pytest.mark.parametrize("median, warned", [(0.4, False), (850.0, True), (0.0008, True)])
def test_implausible_unit_is_reported(median, warned, tmp_path, caplog):
    """Warn where the median tells that the unit is wrong, as for float millimetres."""
    np.save(tmp_path / "d.npy", np.full((4, 4), median, np.float32))
    with caplog.at_level(logging.WARNING, "recon_node"):
        load_depth(tmp_path / "d.npy")
    assert ("is --depth-unit 1 right?" in caplog.text) == warned
