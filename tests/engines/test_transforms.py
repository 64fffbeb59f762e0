# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms and similarities."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import (
    Similarity,
    as_transform,
    invert,
    look_at,
    rotation_between,
    transform_points,
)

vectors = arrays(np.float64, 3, elements=st.floats(-10, 10))


@st.composite
def rotations(draw):
    q = draw(arrays(np.float64, 4, elements=st.floats(-1, 1)))
    assume(np.linalg.norm(q) > 0.1)
    w, x, y, z = q / np.linalg.norm(q)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


@st.composite
def transforms(draw):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = draw(rotations()), draw(vectors)
    return T


similarities = st.builds(Similarity, st.floats(0.01, 100), rotations(), vectors)


@given(transforms())
def test_a_transform_times_its_inverse_is_the_identity(T):
    np.testing.assert_allclose(T @ invert(T), np.eye(4), atol=1e-12)
    np.testing.assert_allclose(invert(T) @ T, np.eye(4), atol=1e-12)


@given(transforms(), transforms(), vectors)
def test_neighbouring_frames_cancel(T_a_b, T_b_c, p):
    by_steps = transform_points(T_a_b, transform_points(T_b_c, p[None]))
    np.testing.assert_allclose(transform_points(T_a_b @ T_b_c, p[None]), by_steps, atol=1e-11)


@given(transforms(), st.integers(5, 9))
def test_a_printed_transform_is_accepted_and_made_exact(T, digits):
    R = as_transform(T.round(digits))[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R, T[:3, :3], atol=2 * 10.0**-digits)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda T: T[:3], r"shape \(3, 4\)"),
        (lambda T: T.__setitem__((0, 3), np.nan), "NaN or infinite"),
        (lambda T: T.__setitem__((3, 0), 1.0), "is it transposed"),
        (lambda T: T.__setitem__((slice(3), slice(3)), 2 * np.eye(3)), "not orthonormal"),
        (lambda T: T.__setitem__((0, 0), -1.0), "mirrors"),
    ],
)
def test_what_is_not_rigid_is_refused(spoil, message):
    T = np.eye(4)
    result = spoil(T)
    with pytest.raises(InvalidInputError, match=message):
        as_transform(T if result is None else result)


def test_something_else_than_numbers_is_refused():
    with pytest.raises(InvalidInputError, match="pose is not a matrix of numbers"):
        as_transform("identity", name="pose")


@given(similarities, similarities, vectors)
def test_composed_similarities_map_as_one_after_the_other(S_a_b, S_b_c, p):
    by_steps = S_a_b.apply(S_b_c.apply(p[None]))
    np.testing.assert_allclose((S_a_b @ S_b_c).apply(p[None]), by_steps, rtol=1e-9, atol=1e-8)


@given(similarities, similarities)
def test_the_matrix_of_a_product_is_the_product_of_the_matrices(S, other):
    np.testing.assert_allclose(
        (S @ other).matrix(), S.matrix() @ other.matrix(), rtol=1e-9, atol=1e-9
    )


@given(similarities)
def test_a_similarity_times_its_inverse_is_the_identity(S):
    np.testing.assert_allclose((S @ S.inverse()).matrix(), np.eye(4), atol=1e-10)
    np.testing.assert_allclose((S.inverse() @ S).matrix(), np.eye(4), atol=1e-8)


@given(transforms())
def test_a_transform_is_a_similarity_of_scale_one(T):
    np.testing.assert_allclose(Similarity.from_transform(T).matrix(), T, atol=1e-12)


def test_the_identity_changes_nothing():
    assert np.array_equal(Similarity.identity().matrix(), np.eye(4))


@pytest.mark.parametrize(
    ("scale", "R", "t", "message"),
    [
        (0.0, np.eye(3), np.zeros(3), "scale must be finite and > 0, got 0.0"),
        (np.inf, np.eye(3), np.zeros(3), "scale must be finite"),
        (1.0, 2 * np.eye(3), np.zeros(3), "Similarity.R is not orthonormal"),
        (1.0, -np.eye(3), np.zeros(3), "mirrors"),
        (1.0, np.eye(3), np.array([0, np.nan, 0]), "Similarity.t must be finite"),
    ],
)
def test_what_is_not_a_similarity_is_refused(scale, R, t, message):
    with pytest.raises(InvalidInputError, match=message):
        Similarity(scale, R, t)


@given(vectors, vectors, vectors)
def test_look_at_puts_the_target_on_the_axis_and_up_above(eye, target, up):
    forward = target - eye
    assume(np.linalg.norm(forward) > 0.1 and np.linalg.norm(up) > 0.1)
    assume(np.linalg.norm(np.cross(forward, up)) > 0.05 * np.linalg.norm(forward))
    T_camera_world = invert(as_transform(look_at(eye, target, up)))
    seen = transform_points(T_camera_world, np.stack([target, target + up]))
    np.testing.assert_allclose(seen[0], (0, 0, np.linalg.norm(forward)), atol=1e-9)
    assert abs(seen[1, 0]) < 1e-9  # up is in the plane of the image's vertical,
    assert seen[1, 1] < 0  # and up there (y points down)


def test_look_at_refuses_up_along_the_line_of_sight():
    with pytest.raises(InvalidInputError, match="choose another up"):
        look_at((0, 0, 1), (0, 0, 0), (0, 0, 1))


@given(vectors, vectors)
def test_rotation_between_turns_one_direction_into_the_other(a, b):
    assume(min(np.linalg.norm(a), np.linalg.norm(b)) > 1e-3)
    R = rotation_between(a, b)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    np.testing.assert_allclose(R @ a, b, atol=1e-6)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(R) > 0
    # The smallest: its angle is the one between the directions.
    assert (np.trace(R) - 1) / 2 == pytest.approx(a @ b, abs=1e-6)


@given(vectors)
def test_rotation_between_opposite_directions_is_a_half_turn(a):
    assume(np.linalg.norm(a) > 1e-3)
    R = rotation_between(a, -a)
    np.testing.assert_allclose(R @ a, -a, atol=1e-9)
    assert np.linalg.det(R) == pytest.approx(1)


def test_rotation_between_needs_directions():
    with pytest.raises(InvalidInputError, match="no length"):
        rotation_between((0, 0, 0), (0, 0, 1))
