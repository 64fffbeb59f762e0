# SPDX-License-Identifier: Apache-2.0
"""Ragged masks go where the colours change; good ones, and doubtful ones, stay."""

import numpy as np
import pytest

from recon_node.engines.keyframes.snapped_mask import BAND, snapped_mask
from recon_node.evaluation.sensor_faults import Faults, ragged_mask

SIDE = 160
OBJECT, TABLE = np.array([170, 90, 60]), np.array([120, 130, 110])


def disc(radius=45.0):
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    return x * x + y * y < radius * radius


def picture(mask, rng, *, inside=OBJECT, outside=TABLE, noise=6.0):
    colours = np.where(mask[..., None], inside, outside)
    return np.clip(colours + noise * rng.standard_normal(colours.shape), 0, 255).astype(np.uint8)


def depth_of(mask, rng):
    """The object 3 cm before a tilted table, with noise; a third is not measured [m]."""
    depth = 0.6 + 0.0005 * np.arange(SIDE)[:, None] - 0.03 * mask
    depth = depth + 0.0015 * rng.standard_normal(mask.shape)
    return np.where(rng.random(mask.shape) < 0.33, np.nan, depth).astype(np.float32)


def ragged(mask, rng, pixels=3.0):
    return ragged_mask(mask, Faults("ragged", mask_pixels=pixels), rng=rng)


def wrong(mask, true):
    """Pixels that are wrong, for each of the outline's."""
    padded = np.pad(true, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.count_nonzero(mask != true) / np.count_nonzero(true & ~inner)


def test_a_ragged_outline_is_put_right(rng):
    true = disc()
    given = ragged(true, rng)
    image = picture(true, rng)
    before, after = wrong(given, true), wrong(snapped_mask(image, given), true)
    assert before > 1.2 and after < 0.2


def test_light_that_changes_over_the_picture_does_no_harm(rng):
    """Look for the colours of a place around it: the left of the object is like the right table."""
    true = disc()
    shade = np.linspace(0.4, 1.6, SIDE)[None, :, None]
    image = np.clip(picture(true, rng) * shade, 0, 255).astype(np.uint8)
    assert wrong(snapped_mask(image, ragged(true, rng)), true) < 0.25


def test_only_the_band_changes_and_the_given_mask_is_not_written_to(rng):
    true = disc()
    given = ragged(true, rng)
    kept = given.copy()
    y, x = np.mgrid[:SIDE, :SIDE]
    outline = given & ~(
        np.roll(given, 1, 0) & np.roll(given, -1, 0) & np.roll(given, 1, 1) & np.roll(given, -1, 1)
    )
    changed = np.argwhere(snapped_mask(picture(true, rng), given) != given)
    away = np.hypot(y[outline] - changed[:, :1], x[outline] - changed[:, 1:]).min(axis=1)
    assert len(changed) and away.max() <= BAND + 2
    np.testing.assert_array_equal(given, kept)


def test_a_good_mask_stays_itself(rng):
    true = disc()
    assert snapped_mask(picture(true, rng), true) is true


def test_a_rim_like_the_table_is_not_cut_off(rng):
    """Keep the brown rim of a green bowl on a brown table: all of it would leave."""
    true, inner = disc(), disc(42.5)
    image = picture(inner, rng)
    image[true & ~inner] = TABLE
    assert snapped_mask(image, true) is true
    assert snapped_mask(image, true, depth_of(true, rng)) is true


@pytest.mark.parametrize(("radius", "missing"), [(47.5, "outside"), (42.5, "inside")])
def test_a_mask_off_to_one_side_needs_the_depth(rng, radius, missing):
    """Trim a mask that is too wide, or fill up a narrow one, where the depth says the same."""
    true, given = disc(), disc(radius)
    image = picture(true, rng)
    depth = depth_of(true, rng)
    assert wrong(given, true) > 2
    assert wrong(snapped_mask(image, given, depth), true) < 0.2
    flat = np.full_like(depth, 0.6)
    unknown = np.where(true == (missing == "inside"), np.nan, depth)
    for nothing in (None, flat, unknown):
        assert snapped_mask(image, given, nothing) is given


@pytest.mark.parametrize("pixels", [2.0, 3.0])
def test_an_object_that_looks_like_the_table_stays_as_it_is(rng, pixels):
    true = disc()
    given = ragged(true, rng, pixels)
    image = picture(true, rng, inside=TABLE + 3, outside=TABLE, noise=25.0)
    assert snapped_mask(image, given) is given


def test_masks_without_an_inside_or_an_outside_stay(rng):
    image = picture(disc(), rng)
    thin = np.zeros((SIDE, SIDE), bool)
    thin[80, 20:140] = True
    for mask in (np.zeros_like(thin), np.ones_like(thin), thin):
        assert snapped_mask(image, mask) is mask


def test_a_mask_at_the_border_of_the_picture_is_put_right(rng):
    true = np.roll(disc(), 60, axis=1)
    true[:, :40] = False
    given = ragged(true, rng)
    assert wrong(snapped_mask(picture(true, rng), given), true) < 0.3
