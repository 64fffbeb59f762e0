# SPDX-License-Identifier: Apache-2.0
"""What the simulated cameras do to a clean picture, depth and mask, and what they must not."""

import numpy as np
import pytest

from recon_node.training.sensor import photograph, ragged, stereo_depth

SIZE = 128
SEEDS = range(60)


@pytest.fixture(scope="module")
def disk() -> np.ndarray:
    """A round mask with the fill of a crop, bool (SIZE, SIZE)."""
    axis = np.arange(SIZE) + 0.5 - SIZE / 2
    return np.hypot(axis[:, None], axis) < 0.35 * SIZE


@pytest.fixture(scope="module")
def depth(disk) -> np.ndarray:
    """A tilted plane behind the mask, inf off it."""
    plane = np.broadcast_to(np.linspace(-0.5, 0.5, SIZE, dtype=np.float32), (SIZE, SIZE))
    return np.where(disk, plane, np.inf)


def test_depth_is_known_on_the_object_only(depth, disk):
    kept = depth.copy()
    for seed in SEEDS:
        measured = stereo_depth(depth, disk, np.random.default_rng(seed))
        assert measured.dtype == np.float32
        assert np.isnan(measured[~disk]).all()
        assert not np.isinf(measured).any()
    np.testing.assert_array_equal(depth, kept)


def test_depth_is_now_clean_now_noisy_now_full_of_holes(depth, disk):
    measured = np.array([stereo_depth(depth, disk, np.random.default_rng(s))[disk] for s in SEEDS])
    errors = np.abs(measured - depth[disk])
    clean = (errors == 0).all(axis=1)
    holes = np.isnan(measured).mean(axis=1)
    assert 6 < clean.sum() < 27
    assert 15 < (holes > 0.01).sum() < 50
    assert 0.1 < holes.max() < 0.95
    typical = np.nanmedian(errors[~clean], axis=1)
    assert (typical > 0).all()
    assert 0.003 < np.median(typical) < 0.03
    assert typical.max() < 0.1


def test_flying_pixels_lie_at_the_outline(depth, disk):
    axis = np.arange(SIZE) + 0.5 - SIZE / 2
    from_middle = np.hypot(axis[:, None], axis)
    far = np.zeros((SIZE, SIZE))
    for seed in SEEDS:
        error = np.abs(stereo_depth(depth, disk, np.random.default_rng(seed)) - depth)
        far += np.nan_to_num(error) > 0.4
    assert far.sum() > 100
    assert from_middle[far > 0].min() > 0.35 * SIZE - 4


def test_a_mask_is_kept_but_for_its_rim(disk):
    masks = [ragged(disk, np.random.default_rng(seed)) for seed in SEEDS]
    overlaps = []
    for mask in masks:
        assert mask.dtype == np.float32
        assert 0 <= mask.min() and mask.max() <= 1
        inside = mask > 0.5
        overlaps.append((inside & disk).sum() / (inside | disk).sum())
    assert min(overlaps) > 0.85
    clean = np.array(overlaps) > 0.999
    assert 15 < clean.sum() < 45


def test_a_photograph_is_eight_bit_srgb(rng):
    radiance = rng.uniform(-0.1, 2.0, (SIZE, SIZE, 3)).astype(np.float32)
    for seed in SEEDS:
        image = photograph(radiance, np.random.default_rng(seed))
        assert image.shape == radiance.shape and image.dtype == np.float32
        assert 0 <= image.min() and image.max() <= 1
        np.testing.assert_allclose(image * 255, np.round(image * 255), atol=1e-4)


def test_a_photograph_keeps_the_brightness():
    grey = np.full((SIZE, SIZE, 3), 0.2, np.float32)
    means = [photograph(grey, np.random.default_rng(seed)).mean() for seed in SEEDS]
    np.testing.assert_allclose(np.mean(means), 0.2 ** (1 / 2.2), atol=0.01)
    assert np.std(means) < 0.05


def test_a_photograph_keeps_edges_where_they_are():
    edge = np.zeros((SIZE, SIZE, 3), np.float32)
    edge[:, SIZE // 2 :] = 0.5
    for seed in SEEDS:
        row = photograph(edge, np.random.default_rng(seed)).mean(axis=(0, 2))
        assert abs(int(np.argmax(row > row.max() / 2)) - SIZE // 2) <= 2


@pytest.mark.parametrize("sense", [ragged, stereo_depth, photograph], ids=lambda f: f.__name__)
def test_the_same_seed_gives_the_same_errors(sense, depth, disk):
    image = np.where(disk[..., None], 0.5, 0.1).astype(np.float32).repeat(3, axis=-1)
    operands = {ragged: (disk,), stereo_depth: (depth, disk), photograph: (image,)}[sense]
    first, second, other = (sense(*operands, np.random.default_rng(s)) for s in (4, 4, 5))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
