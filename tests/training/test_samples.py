# SPDX-License-Identifier: Apache-2.0
"""Training samples: labels of a ball in closed form, chance from seeds, a stream that resumes."""

from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines import canonical
from recon_node.engines.crop import CROP_SIZE
from recon_node.engines.errors import InvalidInputError
from recon_node.training.samples import (
    EVEN_POINTS,
    NEAR_POINTS,
    SILHOUETTE_POINTS,
    Sample,
    SampleOptions,
    SampleSource,
    SampleStream,
    picture_sample,
    shuffled_places,
)
from recon_node.training.scene import Scene

RADIUS = 0.5
ALL_POINTS = NEAR_POINTS + SILHOUETTE_POINTS + EVEN_POINTS
OPTIONS = SampleOptions(points=64, reuse=3, shuffle=4)


@pytest.fixture(scope="module")
def source(collection_folder) -> SampleSource:
    return SampleSource(collection_folder, OPTIONS)


@pytest.fixture(scope="module")
def sample(source) -> Sample:
    return source.sample(np.random.default_rng(1))


def same(a: Sample, b: Sample) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Sample))


def canonical_ball(scene: Scene) -> tuple[np.ndarray, float]:
    """Middle (3,) and radius of the ball in the cube that its clean depth places."""
    q = scene.pose.tan_half_fov
    axis = ((np.arange(CROP_SIZE) + 0.5) * (2 / CROP_SIZE) - 1) * q
    u, v = np.meshgrid(axis, axis)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1)
    middle = -scene.pose.R_crop_world @ scene.pose.eye
    along, squared = rays @ middle, (rays**2).sum(axis=-1)
    root = along**2 - squared * (middle @ middle - RADIUS**2)
    depth = ((along - np.sqrt(np.maximum(root, 0))) / squared)[root > 0]
    S_crop_canonical = canonical.placement(
        canonical.distance_from_nearest(np.percentile(depth, 2), q), q
    )
    return S_crop_canonical.inverse().apply(middle[None])[0], RADIUS / S_crop_canonical.scale


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_of_a_ball_are_its_closed_form(seed, ball_scene, rng):
    scene = ball_scene(seed)
    sample = picture_sample(scene, rng, depth_dropped=0.0)
    middle, radius = canonical_ball(scene)
    expected = np.linalg.norm(sample.points - middle, axis=1) - radius
    assert 0.1 < (expected < 0).mean() < 0.9
    # Facets and the percentile of facetted depths move the surface by a thousandth.
    np.testing.assert_allclose(sample.sdf, expected, atol=4e-3)


def test_the_depth_channel_lies_on_the_labelled_surface(ball_scene):
    """Exactly where the depth is clean, and within a stereo camera's error everywhere else."""
    typical = []
    for seed in range(10):
        scene = ball_scene(seed)
        sample = picture_sample(scene, np.random.default_rng(seed), depth_dropped=0.0)
        middle, radius = canonical_ball(scene)
        rows, columns = np.nonzero(sample.crop[5])
        uv = (np.stack([columns, rows], axis=1) + 0.5) * (2 / CROP_SIZE) - 1
        points = canonical.image_to_points(uv, sample.crop[4, rows, columns], sample.tan_half_fov)
        typical.append(np.median(np.abs(np.linalg.norm(points - middle, axis=1) - radius)))
    assert min(typical) < 1e-3
    assert max(typical) < 0.1


def test_points_are_near_the_surface_behind_the_mask_and_anywhere(ball_scene, rng):
    scene = ball_scene(3)
    sample = picture_sample(scene, rng, depth_dropped=0.0)
    assert len(sample.points) == ALL_POINTS
    near, anywhere = sample.sdf[:NEAR_POINTS], sample.points[-EVEN_POINTS:]
    assert np.median(np.abs(near)) < 0.04
    assert np.abs(anywhere.mean(axis=0)).max() < 0.1
    np.testing.assert_allclose(anywhere.std(axis=0), 1 / np.sqrt(3), atol=0.05)
    behind = sample.in_silhouette()
    assert len(behind.points) == len(behind.sdf) == len(behind.colours) == SILHOUETTE_POINTS
    np.testing.assert_array_equal(behind.sdf, sample.sdf[NEAR_POINTS:-EVEN_POINTS])
    uv = canonical.points_to_image(behind.points, sample.tan_half_fov)
    columns, rows = np.clip((uv + 1) * CROP_SIZE / 2, 0, CROP_SIZE - 1).astype(int).T
    assert scene.picture(CROP_SIZE, rng).mask[rows, columns].mean() > 0.97
    np.testing.assert_allclose(behind.points[:, 0].std(), 1 / np.sqrt(3), atol=0.05)


def test_channels_have_their_ranges(source):
    for seed in range(8):
        sample = source.sample(np.random.default_rng(seed))
        assert sample.crop.shape == (6, CROP_SIZE, CROP_SIZE)
        assert all(getattr(sample, field.name).dtype == np.float32 for field in fields(Sample))
        rgb, mask, depth, known = sample.crop[:3], *sample.crop[3:]
        assert 0 <= rgb.min() and rgb.max() <= 1
        assert 0 <= mask.min() and mask.max() == 1
        assert set(np.unique(known)) <= {0, 1}
        assert not depth[known == 0].any()
        assert not known[mask <= 0.5].any()
        assert np.abs(sample.points).max() <= 1
        assert 0 <= sample.colours.min() and sample.colours.max() <= 1
        assert 0 < sample.tan_half_fov < 1


@pytest.mark.parametrize(("dropped", "expected"), [(1.0, 0), (0.0, 8)])
def test_depth_is_dropped_as_often_as_asked(dropped, expected, collection_folder):
    source = SampleSource(collection_folder, replace(OPTIONS, depth_dropped=dropped))
    samples = [source.sample(np.random.default_rng(seed)) for seed in range(8)]
    assert sum(bool(sample.crop[5].any()) for sample in samples) == expected


def test_an_object_hardly_in_sight_makes_no_sample(ball_scene, rng):
    scene = ball_scene(0)
    scene.pose = replace(scene.pose, tan_half_fov=20 * scene.pose.tan_half_fov)
    assert picture_sample(scene, rng, depth_dropped=0.0) is None


def test_the_same_seed_gives_the_same_sample(source, collection_folder):
    again = SampleSource(collection_folder, OPTIONS)
    first, second, other = (
        s.sample(np.random.default_rng(seed)) for s, seed in ((source, 9), (again, 9), (again, 10))
    )
    assert same(first, second)
    assert not same(first, other)


def test_thinned_samples_are_half_volume_half_surface(sample, rng):
    thinned = sample.thinned(100, rng)
    row_of = {sdf: row for row, sdf in enumerate(sample.sdf)}
    rows = np.array([row_of[sdf] for sdf in thinned.sdf])
    assert (rows[:50] >= NEAR_POINTS).all() and (rows[50:] < NEAR_POINTS).all()
    assert len(np.unique(rows)) == 100
    np.testing.assert_array_equal(thinned.colours, sample.colours[rows])
    np.testing.assert_array_equal(thinned.points[:, ::2], sample.points[rows, ::2])


def test_mirrored_points_fall_on_the_mirrored_pixels(rng):
    """What a point projects onto is the same before and after, in about half of them mirrored."""
    crop = rng.uniform(size=(6, CROP_SIZE, CROP_SIZE)).astype(np.float32)
    points = rng.uniform(-0.6, 0.6, (ALL_POINTS, 3)).astype(np.float32)
    sample = Sample(
        crop, np.float32(0.3), points, np.arange(ALL_POINTS, dtype=np.float32), points
    )
    pixels = pixels_of(sample)
    mirrored = 0
    for seed in range(20):
        thinned = sample.thinned(200, np.random.default_rng(seed))
        mirrored += not np.array_equal(thinned.crop, crop)
        np.testing.assert_array_equal(pixels_of(thinned), pixels[thinned.sdf.astype(int)])
    assert 4 < mirrored < 16


def pixels_of(sample: Sample) -> np.ndarray:
    """What the crop shows where the sample's points project, (N, 6)."""
    uv = canonical.points_to_image(sample.points, sample.tan_half_fov)
    columns, rows = ((uv + 1) * CROP_SIZE / 2).astype(int).T
    return sample.crop[:, rows, columns].T


def test_a_stream_continued_gives_what_an_uninterrupted_one_gives(source):
    whole = list(islice(SampleStream(source, OPTIONS, seed=5), 20))
    for start in (6, 14):  # within the first block, and the second
        stream = SampleStream(source, OPTIONS, seed=5, start=start, batch=2)
        assert all(map(same, islice(stream, 20 - start), whole[start:]))
    other = next(iter(SampleStream(source, OPTIONS, seed=6)))
    assert not same(other, whole[0])


def test_views_are_reused_with_other_points(source):
    block = list(islice(SampleStream(source, OPTIONS, seed=5), 12))
    views = {}
    for sample in block:
        views.setdefault(sample.tan_half_fov, []).append(sample)
    assert [len(shown) for shown in views.values()] == [3] * 4
    for first, second, third in views.values():
        assert not np.array_equal(first.points, second.points)
        assert not np.array_equal(second.points, third.points)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 12), st.integers(0, 3))
def test_workers_continue_where_the_loader_stopped(workers, batch, batches, seed):
    """Simulate a loader: a batch of each worker in turn, from the first one on."""
    length = OPTIONS.shuffle * OPTIONS.reuse

    def loaded(start: int, count: int) -> list[tuple[int, int]]:
        places = [
            shuffled_places(OPTIONS, seed, start, batch, worker, workers)
            for worker in range(workers)
        ]
        return [place for i in range(count) for place in islice(places[i % workers], batch)]

    total = batches + 3 * workers
    whole = loaded(0, total)
    assert loaded(batches * batch, total - batches) == whole[batches * batch :]
    assert len(set(whole)) == len(whole)
    for worker in range(workers):
        first = list(islice(shuffled_places(OPTIONS, seed, 0, batch, worker, workers), 2 * length))
        assert {block for block, _ in first} == {worker, worker + workers}
        assert sorted(place for block, place in first if block == worker) == list(range(length))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"procedural": 1.5}, "procedural is 1.5; it is a share, from 0 to 1"),
        ({"depth_dropped": -0.1}, "depth_dropped is -0.1; it is a share"),
        ({"points": 5000}, "points is 5000; it must be at least 1 and at most 4096"),
        ({"reuse": 0}, "reuse is 0; it must be at least 1$"),
        ({"shuffle": 0}, "shuffle is 0; it must be at least 1$"),
    ],
)
def test_impossible_options_are_refused(changed, message):
    with pytest.raises(InvalidInputError, match=message):
        SampleOptions(**changed)


def test_the_most_points_there_are_can_be_had(sample, rng):
    thinned = sample.thinned(SampleOptions(points=ALL_POINTS).points, rng)
    assert len(np.unique(thinned.sdf)) == len(np.unique(sample.sdf))
