# SPDX-License-Identifier: Apache-2.0
"""Alignments recover what was done to a surface, and never make a match worse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.transforms import Similarity, rotation_between
from recon_node.evaluation.alignment import (
    RIGID,
    SCALE_TRANSLATION,
    SIMILARITY,
    align_surfaces,
    fit_similarity,
)
from recon_node.evaluation.geometry import sample_surface, surface_distances

TILT = rotation_between((0.0, 0.0, 1.0), (0.1, 0.05, 1.0))


@pytest.fixture
def surfaces(make_box):
    """Two samplings of one box, 0.1 x 0.06 x 0.04 m, as prediction and truth."""
    box = make_box((0.1, 0.06, 0.04), (0.02, 0.0, 0.01))
    return tuple(sample_surface(box, 4000, rng=np.random.default_rng(seed)) for seed in (1, 2))


@given(st.floats(0.05, 20.0), st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_paired_points_give_their_similarity_back(scale, t):
    source = np.random.default_rng(0).normal(size=(20, 3))
    S = Similarity(scale, TILT, np.array(t))
    found = fit_similarity(source, S.apply(source), np.linspace(1.0, 2.0, 20), SIMILARITY)
    np.testing.assert_allclose(found.matrix(), S.matrix(), atol=1e-9)


def test_a_fit_keeps_to_its_freedom():
    source = np.random.default_rng(0).normal(size=(20, 3))
    target = Similarity(2.0, TILT, np.ones(3)).apply(source)
    weights = np.ones(20)
    assert fit_similarity(source, target, weights, RIGID).scale == 1.0
    np.testing.assert_array_equal(
        fit_similarity(source, target, weights, SCALE_TRANSLATION).R, np.eye(3)
    )


def test_a_mirrored_target_still_gives_a_rotation():
    source = np.random.default_rng(0).normal(size=(20, 3))
    found = fit_similarity(source, source * (1.0, 1.0, -1.0), np.ones(20), RIGID)
    assert np.linalg.det(found.R) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [0.05, 1.0, 7.0])
def test_scale_and_translation_are_recovered_from_any_start(surfaces, scale):
    prediction, truth = surfaces
    start = Similarity(scale, np.eye(3), np.array([0.5, -2.0, 1.0]))
    found = align_surfaces(prediction, truth, start, SCALE_TRANSLATION)
    assert found.scale == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(found.apply(np.zeros((1, 3))), 0.0, atol=1e-3)
    np.testing.assert_array_equal(found.R, np.eye(3))


def test_scale_and_translation_keep_the_rotation_of_the_start(surfaces):
    prediction, truth = surfaces
    found = align_surfaces(prediction, truth, Similarity(3.0, TILT, np.ones(3)), SCALE_TRANSLATION)
    np.testing.assert_allclose(found.R, TILT, atol=1e-12)


@pytest.mark.parametrize("freedom", [RIGID, SIMILARITY])
def test_icp_recovers_a_small_motion(surfaces, freedom):
    prediction, truth = surfaces
    scale = 1.1 if freedom.scale else 1.0
    start = Similarity(scale, TILT, np.array([0.006, -0.005, 0.008]))
    before = surface_distances(prediction, truth, start).chamfer
    found = align_surfaces(prediction, truth, start, freedom)
    after = surface_distances(prediction, truth, found).chamfer
    floor = surface_distances(prediction, truth).chamfer
    assert before > 3 * floor
    assert after < 1.15 * floor
    np.testing.assert_allclose(found.R, np.eye(3), atol=0.02)


def test_alignment_is_deterministic_and_never_worse(surfaces):
    prediction, truth = surfaces
    start = Similarity(1.0, TILT, np.array([0.05, 0.0, 0.0]))
    first, second = (align_surfaces(prediction, truth, start, RIGID) for _ in range(2))
    np.testing.assert_array_equal(first.matrix(), second.matrix())
    p, q = prediction.first(1000), truth.first(1000)
    assert surface_distances(p, q, first).chamfer <= surface_distances(p, q, start).chamfer
    kept = align_surfaces(prediction, truth, start, RIGID, iterations=1)
    np.testing.assert_array_equal(kept.matrix(), start.matrix())
