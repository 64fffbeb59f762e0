# SPDX-License-Identifier: Apache-2.0
"""Small motions: exponential and logarithm undo each other; the prior leads back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.keyframes.small_motion import (
    cross_matrix,
    distance_from,
    moved,
    rotation_of,
    rotation_vector,
)

vectors = st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3).map(np.array)


@given(vectors)
def test_a_rotation_has_its_vector(vector):
    R = rotation_of(vector)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_vector(R), vector, atol=1e-9)


@given(vectors, vectors)
def test_the_matrix_of_a_cross_product(a, b):
    np.testing.assert_allclose(cross_matrix(a) @ b, np.cross(a, b), atol=1e-12)


@given(vectors, vectors, vectors)
def test_a_motion_moves_points_about_its_centre(v, w, centre):
    motion = np.concatenate([v, w])
    after = moved(np.eye(4), motion, centre)
    np.testing.assert_allclose(after[:3, :3] @ centre + after[:3, 3], centre + v, atol=1e-12)
    np.testing.assert_allclose(after[:3, :3], rotation_of(w), atol=1e-12)


@given(vectors, vectors, vectors)
def test_the_prior_leads_back(v, w, centre):
    start = moved(np.eye(4), np.array([0.3, -0.2, 0.5, 0.1, 0.2, -0.3]), np.zeros(3))
    T = moved(start, np.concatenate([v, w]) * 0.01, centre)
    for _ in range(3):
        A, b = distance_from(T, start, centre, 0.003, 0.02)
        T = moved(T, -np.linalg.solve(A, b), centre)
    np.testing.assert_allclose(T, start, atol=1e-9)
