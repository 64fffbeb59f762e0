# SPDX-License-Identifier: Apache-2.0
"""The canonical cube and its projection."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon_node.engines import canonical
from recon_node.engines.crop import crop_camera

tangents = st.floats(0.02, 0.9)
distances = st.floats(0.05, 50)
cube_points = arrays(np.float64, (6, 3), elements=st.floats(-1, 1))


@given(cube_points, tangents, distances)
def test_projecting_in_the_cube_is_projecting_with_the_crop_camera(points, q, distance):
    size = 128
    camera = crop_camera(q, size, np.eye(4))
    pixels = camera.project(canonical.placement(distance, q).apply(points))
    uv = canonical.points_to_image(points, q)
    np.testing.assert_allclose((uv + 1) / 2 * size, pixels, rtol=1e-9, atol=1e-7)


@given(cube_points, tangents)
def test_image_and_depth_give_the_point_back(points, q):
    uv = canonical.points_to_image(points, q)
    np.testing.assert_allclose(canonical.image_to_points(uv, points[:, 0], q), points, atol=1e-12)


@given(tangents, distances)
def test_the_section_at_the_centre_fills_the_image(q, distance):
    corners = np.array([[0.0, -1, 1], [0, 1, -1]])
    assert canonical.points_to_image(corners, q).tolist() == [[-1, -1], [1, 1]]


def test_axes_are_towards_the_camera_right_and_up():
    S = canonical.placement(2.0, 0.25)
    origin, x, y, z = S.apply(np.vstack([np.zeros(3), np.eye(3)]))
    assert origin.tolist() == [0, 0, 2]
    assert (x - origin).tolist() == [0, 0, -0.5]
    assert (y - origin).tolist() == [0.5, 0, 0]
    assert (z - origin).tolist() == [0, -0.5, 0]


@given(st.floats(0.05, 5), tangents)
def test_the_nearest_surface_is_put_at_the_front(nearest, q):
    distance = canonical.distance_from_nearest(nearest, q)
    x = canonical.depth_to_canonical(np.array(nearest), distance, q)
    assert x == pytest.approx(canonical.FRONT, abs=1e-9)
    point = canonical.placement(distance, q).apply(np.array([[canonical.FRONT, 0, 0]]))
    assert point[0, 2] == pytest.approx(nearest)


def test_points_keep_their_precision():
    points = np.zeros((4, 3), np.float32)
    uv = canonical.points_to_image(points, 0.3)
    assert uv.dtype == np.float32
    assert canonical.image_to_points(uv, points[:, 0], 0.3).dtype == np.float32
