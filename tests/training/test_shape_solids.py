# SPDX-License-Identifier: Apache-2.0
"""The builders of procedural solids against closed forms."""

import numpy as np
import pytest
from manifold3d import Manifold

from recon_node.training.shapes.assembly import Assembly, band
from recon_node.training.shapes.curves import (
    evenly_spaced,
    rounded_rectangle,
    smooth_curve,
    superellipse,
)
from recon_node.training.shapes.shape import FACE_LIMIT
from recon_node.training.shapes.solids import (
    capsule_sweep,
    extrusion,
    lathe,
    loft,
    rounded_box,
    stack,
    star_solid,
    superquadric,
    sweep,
)
from recon_node.training.shapes.vessels import hollow

RED, BLUE = np.array([255, 0, 0], np.uint8), np.array([0, 0, 255], np.uint8)


def circle(count: int, radius: float = 1.0) -> np.ndarray:
    return radius * superellipse(2.0, count)


def polygon_area(sides: int, radius: float = 1.0) -> float:
    return 0.5 * sides * radius**2 * np.sin(2 * np.pi / sides)


def test_lathe_of_a_slope_is_a_cone():
    cone = lathe(np.array([(1.0, 0.0), (0.0, 3.0)]), 64)
    assert cone.volume() == pytest.approx(polygon_area(64), rel=1e-5)


def test_sweep_along_a_line_is_a_prism():
    tube = sweep(np.array([(0, 0, 0), (1, 2, 2), (2, 4, 4.0)]), 0.5, segments=20)
    assert tube.volume() == pytest.approx(6.0 * polygon_area(20, 0.5), rel=1e-5)


def test_closed_sweep_of_a_circle_is_a_torus():
    curve = np.column_stack([circle(200, 2.0), np.zeros(200)])
    torus = sweep(curve, 0.5, segments=64, closed=True)
    assert torus.volume() == pytest.approx(2 * np.pi**2 * 2.0 * 0.25, rel=4e-3)
    assert torus.genus() == 1


def test_capsule_sweep_adds_two_half_balls():
    capsule = capsule_sweep(np.array([(0, 0, 0), (0, 0, 2.0)]), 1.0, segments=96, cap=24)
    assert capsule.volume() == pytest.approx(np.pi * 2 + 4 / 3 * np.pi, rel=1e-2)


def test_superquadric_with_exponents_two_is_an_ellipsoid():
    solid = superquadric(np.array([1.0, 0.5, 0.25]), 2.0, 2.0, 96)
    assert solid.volume() == pytest.approx(4 / 3 * np.pi * 0.125, rel=5e-3)


def test_star_solid_of_constant_radius_is_a_ball():
    ball = star_solid(lambda d: np.full(d.shape[:-1], 2.0), 96)
    assert ball.volume() == pytest.approx(4 / 3 * np.pi * 8, rel=5e-3)


def test_stack_of_equal_circles_is_a_cylinder():
    solid = stack(np.array([0.0, 1.0, 2.0]), np.ones((3, 2)), segments=48)
    assert solid.volume() == pytest.approx(2 * polygon_area(48), rel=1e-5)


def test_loft_turns_inward_faces_outward():
    rings = np.stack([np.column_stack([circle(12), np.full(12, z)]) for z in (1.0, 0.0)])
    assert loft(rings).volume() == pytest.approx(polygon_area(12), rel=1e-5)


def test_rounded_box_follows_the_steiner_formula():
    size, radius = np.array([1.0, 0.8, 0.6]), 0.1
    a, b, c = size - 2 * radius
    expected = (a * b * c + 2 * radius * (a * b + b * c + c * a)
                + np.pi * radius**2 * (a + b + c) + 4 / 3 * np.pi * radius**3)
    assert rounded_box(size, radius, 16).volume() == pytest.approx(expected, rel=2e-3)
    assert rounded_box(size, radius, 1).volume() == pytest.approx(size.prod(), rel=1e-6)


def test_hollow_cylinder_has_the_asked_walls():
    vessel = hollow(np.array([(0.5, 0.0), (0.5, 1.0)]), 0.05, 48, floor=0.1)
    cup = vessel.outer - vessel.cavity
    expected = polygon_area(48, 0.5) - 0.9 * polygon_area(48, 0.45)
    assert cup.volume() == pytest.approx(expected, rel=1e-4)
    assert cup.genus() == 0


def test_hollow_squared_vessel_keeps_the_rim_open():
    vessel = hollow(np.array([(0.4, 0.0), (0.5, 0.6)]), 0.03, 32, squareness=6.0, aspect=0.5)
    cup = vessel.outer - vessel.cavity
    middle = cup.slice(0.5)
    assert middle.num_contour() == 2
    low, high = np.reshape(cup.bounding_box(), (2, 3))
    assert (high - low)[1] == pytest.approx(0.5 * (high - low)[0], rel=1e-5)


def test_smooth_curve_passes_through_its_knots():
    knots = np.array([(0, 0), (1, 2), (3, 1), (4, 4.0)])
    np.testing.assert_allclose(smooth_curve(knots, 10)[::3], knots, atol=1e-12)
    np.testing.assert_allclose(smooth_curve(knots, 8, closed=True)[::2], knots, atol=1e-12)


def test_outlines_run_counter_clockwise():
    for outline in (superellipse(3.0, 40), rounded_rectangle(2.0, 1.0, 0.2),
                    evenly_spaced(rounded_rectangle(2.0, 1.0, 0.5), 60)):
        x, y = outline.T
        assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0
    even = evenly_spaced(circle(200), 25)
    gaps = np.linalg.norm(np.roll(even, -1, axis=0) - even, axis=1)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-2)


def test_faces_keep_their_part_through_booleans():
    assembly = Assembly()
    assembly.add(Manifold.cube((1, 1, 1), True), RED)
    assembly.cut(Manifold.cube((0.5, 0.5, 3.0), True), BLUE)
    shape = assembly.shape("test", collineation=np.eye(4))
    corners = shape.vertices[shape.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1) / 2
    blue = shape.colors[shape.faces[:, 0], 2] == 255
    assert areas[blue].sum() == pytest.approx(4 * 0.5, rel=1e-5)
    assert areas[~blue].sum() == pytest.approx(4 + 2 * 0.75, rel=1e-5)


def test_painted_band_covers_whole_rows():
    assembly = Assembly()
    tin = lathe(np.array([(0.5, 0.0), (0.5, 0.25), (0.5, 0.75), (0.5, 1.0)]), 40)
    assembly.add_painted(tin, band(0.25, 0.75), [RED, BLUE])
    shape = assembly.shape("test", collineation=np.eye(4))
    blue = shape.vertices[shape.colors[:, 2] == 255]
    np.testing.assert_allclose([blue[:, 2].min(), blue[:, 2].max()], [-0.25, 0.25], atol=1e-6)


def test_only_the_largest_piece_stays():
    assembly = Assembly()
    assembly.add(Manifold.cube((1, 1, 1), True), RED)
    assembly.add(Manifold.cube((0.1, 0.1, 0.1), True).translate((3, 0, 0)), BLUE)
    shape = assembly.shape("test", collineation=np.eye(4))
    assert np.ptp(shape.vertices, axis=0) == pytest.approx([1, 1, 1])
    assert not np.any(shape.colors[:, 2])


def test_too_many_faces_are_simplified_to_the_limit():
    assembly = Assembly()
    assembly.add(Manifold.sphere(1.0, 160), RED)
    shape = assembly.shape("test", collineation=np.eye(4))
    corners = shape.vertices[shape.faces].astype(np.float64)
    assert FACE_LIMIT / 4 < len(shape.faces) <= FACE_LIMIT
    assert np.linalg.det(corners).sum() / 6 == pytest.approx(np.pi / 6, rel=1e-2)


def test_collineation_tapers_about_the_centre():
    assembly = Assembly()
    assembly.add(extrusion(np.array([(-1, -1), (1, -1), (1, 1), (-1, 1.0)]), 2.0), RED)
    matrix = np.eye(4)
    matrix[3, 2] = 0.5
    shape = assembly.shape("test", collineation=matrix)
    top = np.ptp(shape.vertices[shape.vertices[:, 2] > 0], axis=0)[0]
    bottom = np.ptp(shape.vertices[shape.vertices[:, 2] < 0], axis=0)[0]
    assert top / bottom == pytest.approx((1 - 0.25) / (1 + 0.25), rel=1e-5)
