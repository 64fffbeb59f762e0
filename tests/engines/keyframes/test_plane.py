# SPDX-License-Identifier: Apache-2.0
"""Planes: which side is up, and finding the one that most points lie on."""

import numpy as np

from recon_node.engines.keyframes.plane import Plane, fitted_plane

NORMAL = np.array([0.6, 0.0, 0.8])


def test_heights_are_measured_along_the_normal(rng):
    on = rng.uniform(-1, 1, (50, 3))
    on -= (on @ NORMAL - 0.3)[:, None] * NORMAL
    plane = Plane(NORMAL, 0.3)
    np.testing.assert_allclose(plane.heights(on + 0.2 * NORMAL), 0.2, atol=1e-12)
    np.testing.assert_allclose(plane.lifted(on - 0.2 * NORMAL), on, atol=1e-12)


def test_it_is_turned_towards_a_point():
    plane = Plane(NORMAL, 0.3)
    assert plane.facing(NORMAL) is plane
    turned = plane.facing(np.zeros(3))
    assert turned.heights(np.zeros(3)) > 0
    np.testing.assert_allclose(turned.heights(NORMAL), -plane.heights(NORMAL))


def test_it_is_found_among_others(rng):
    """Half of the points lie on it, give or take noise; the rest is anywhere, or on another."""
    on = rng.uniform(-1, 1, (600, 3))
    on -= (on @ NORMAL - 0.3)[:, None] * NORMAL
    on += 0.002 * rng.standard_normal((600, 1)) * NORMAL
    other = np.column_stack([rng.uniform(-1, 1, (300, 2)), np.full(300, -0.5)])
    points = np.concatenate([on, other, rng.uniform(-1, 1, (300, 3))])
    plane = fitted_plane(points, np.full(1200, 0.006), rng)
    plane = plane.facing(10 * NORMAL)
    assert np.degrees(np.arccos(np.clip(plane.normal @ NORMAL, -1, 1))) < 0.1
    assert abs(plane.offset - 0.3) < 5e-4
