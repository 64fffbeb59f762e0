# SPDX-License-Identifier: Apache-2.0
"""Sparse extraction against marching cubes on all samples, thin objects above all."""

import numpy as np
import pytest

from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, ReconstructionError
from recon_node.engines.isosurface import extract_isosurface
from recon_node.engines.mesh import Mesh
from recon_node.kernels.marching_cubes import marching_cubes

# Distance between samples at 128 cells a side, and at 64 where many surfaces are compared.
SPACING = {128: 2.0 / 128, 64: 2.0 / 64}


def length(*coordinates):
    return np.sqrt(sum(c * c for c in coordinates))


def box(p, half_sides):
    x, y, z = (np.abs(c) - s for c, s in zip(p, half_sides, strict=True))
    outside = length(np.maximum(x, 0), np.maximum(y, 0), np.maximum(z, 0))
    return outside + np.minimum(np.maximum(np.maximum(x, y), z), 0)


def ring(p, radius, thickness):
    return length(length(p[0], p[1]) - radius, p[2]) - thickness


def cylinder(p, radius, half_height):
    a, b = length(p[0], p[1]) - radius, np.abs(p[2]) - half_height
    return length(np.maximum(a, 0), np.maximum(b, 0)) + np.minimum(np.maximum(a, b), 0)


def mug(p, wall):
    """An open vessel of that wall with a wire for a handle."""
    x, y, z = p
    body = np.maximum(cylinder(p, 0.4, 0.5), -cylinder((x, y, z - wall), 0.4 - wall, 0.5))
    handle = np.maximum(ring((x - 0.4, z, y), 0.25, 0.6 * wall), -cylinder(p, 0.4 - wall, 0.6))
    return np.minimum(body, handle)


def wires(p, thickness):
    """Three bars that cross, and a ring through none of them."""
    x, y, z = p
    bars = [length(y, z), length(x - 0.3, z), length(x, y + 0.2)]
    bars = np.minimum.reduce([np.maximum(b, np.abs(c) - 0.6) for b, c in zip(bars, p, strict=True)])
    return np.minimum(bars - thickness, ring((x + 0.4, y - 0.4, z - 0.3), 0.2, thickness))


def turned(p):
    """Coordinates in a frame that is parallel to no lattice plane."""
    rotation = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]], np.float32) / 3.0
    return [sum(r * c for r, c in zip(row, p, strict=True)) for row in rotation]


THIN = {
    "plate": lambda p, h: box(p, (0.5, 0.6, 0.5 * h)),
    "turned plate": lambda p, h: box(turned(p), (0.5, 0.6, 0.5 * h)),
    "wires": lambda p, h: wires(p, 0.6 * h),
    "turned wires": lambda p, h: wires(turned(p), 0.6 * h),
    "mug": lambda p, h: mug(p, h),
    "turned mug": lambda p, h: mug(turned(p), h),
}

TYPICAL = {
    "ball": lambda p: length(*p) - 0.6,
    "box": lambda p: box(turned(p), (0.65, 0.4, 0.3)),
    "bottle": lambda p: np.minimum(
        cylinder(p, 0.25, 0.4), cylinder((p[0], p[1], p[2] - 0.5), 0.1, 0.2)
    ),
    "mug": lambda p: mug(p, 0.05),
}


def saturated(shape, limit, offset=(0.0, 0.0, 0.0)):
    """The field of a shape moved by an offset, clipped as a trained one would be."""
    offset = np.asarray(offset, np.float32)

    def field(points):
        return np.clip(shape([points[:, i] - offset[i] for i in range(3)]), -limit, limit)

    return field


def dense_surface(field, resolution):
    """Marching cubes on every sample; the same cut half a cell inside the cube."""
    axis = np.linspace(-1.0, 1.0, resolution + 1, dtype=np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    values = field(points).astype(np.float32).reshape((resolution + 1,) * 3)
    return marching_cubes(values, origin=(-1.0, -1.0, -1.0), spacing=2.0 / resolution)


def assert_same_as_dense(surface, field, resolution):
    vertices, faces = dense_surface(field, resolution)
    assert len(faces) > 0
    np.testing.assert_array_equal(surface.faces, faces)
    np.testing.assert_allclose(surface.vertices, vertices, atol=1e-6)


@pytest.mark.parametrize("number", range(40))
def test_thin_objects_are_those_of_the_dense_lattice(number):
    """One sample thick, at 40 offsets between samples, turned and parallel to the lattice."""
    h = SPACING[64]
    offset = np.random.default_rng(number).uniform(-0.5, 0.5, size=3) * h
    for shape in list(THIN.values())[number % 2 :: 2]:
        field = saturated(lambda p, shape=shape: shape(p, h), 0.2, offset)
        surface = extract_isosurface(field, resolution=64, coarse=16)
        assert_same_as_dense(surface, field, 64)
        assert surface.query_count < 0.12 * 65**3


@pytest.mark.parametrize("name", THIN)
def test_thin_objects_at_full_resolution(name):
    h = SPACING[128]
    field = saturated(lambda p: THIN[name](p, h), 0.1, (0.31 * h, -0.12 * h, 0.44 * h))
    surface = extract_isosurface(field)
    assert_same_as_dense(surface, field, 128)
    assert surface.query_count < 0.06 * 129**3


@pytest.mark.parametrize("name", TYPICAL)
def test_typical_objects_need_few_queries(name):
    asked = []

    def field(points):
        asked.append(points)
        return saturated(TYPICAL[name], 0.1)(points)

    surface = extract_isosurface(field)
    points = np.concatenate(asked)
    assert surface.query_count == len(points) == len(np.unique(points, axis=0))
    assert surface.query_count < 0.06 * 129**3
    assert points.dtype == np.float32 and np.abs(points).max() <= 1.0
    assert Mesh(surface.vertices, surface.faces).is_watertight


def test_a_field_saturated_late_needs_fewer_from_a_coarser_start():
    field = saturated(TYPICAL["mug"], 0.25)
    fine, coarse = extract_isosurface(field, coarse=32), extract_isosurface(field, coarse=16)
    np.testing.assert_array_equal(fine.faces, coarse.faces)
    assert coarse.query_count < fine.query_count - 15_000


def test_a_scaled_field_with_its_slope_gives_the_same_surface():
    field = saturated(TYPICAL["mug"], 0.1)
    plain = extract_isosurface(field, lipschitz=1.5)
    scaled = extract_isosurface(lambda p: 8.0 * field(p), lipschitz=8.0 * 1.5)
    np.testing.assert_array_equal(plain.faces, scaled.faces)
    np.testing.assert_array_equal(plain.vertices, scaled.vertices)
    assert plain.query_count == scaled.query_count


@pytest.mark.parametrize("steepness", [3.0, 10.0])
def test_a_field_steeper_than_assumed_is_followed_and_stays_closed(steepness):
    field = saturated(lambda p: steepness * TYPICAL["ball"](p), 0.4)
    surface = extract_isosurface(field)
    assert_same_as_dense(surface, field, 128)


def test_a_field_that_jumps_is_followed_and_stays_closed():
    """As at the outline of a mask, of which a predicted field may know pixel by pixel."""

    def field(points):
        jump = np.where((np.floor(points[:, 1:] * 20.0) % 2 == 0).all(axis=1), 0.05, -0.03)
        return np.clip(length(*points.T) - 0.5 + jump, -0.1, 0.1).astype(np.float32)

    assert_same_as_dense(extract_isosurface(field), field, 128)


def test_a_rough_field_stays_closed():
    def field(points):
        noise = np.sin(points @ np.array([[61.0], [47.0], [83.0]], np.float32))[:, 0]
        return length(*points.T) - 0.5 + 0.05 * noise

    surface = extract_isosurface(field)
    assert Mesh(surface.vertices, surface.faces).is_watertight


def test_separate_parts_are_all_found():
    def field(points):
        centres = np.array([[0.5, 0.5, 0.5], [-0.6, 0.1, -0.3], [0.1, -0.7, 0.6]], np.float32)
        distances = [length(*(points - c).T) for c in centres]
        return np.clip(np.minimum.reduce(distances) - 0.012, -0.1, 0.1)

    surface = extract_isosurface(field)
    labels = Mesh(surface.vertices, surface.faces).face_components()
    assert len(np.unique(labels)) == 3


def test_a_surface_that_leaves_the_cube_is_capped_half_a_cell_inside():
    surface = extract_isosurface(lambda p: length(p[:, 0], p[:, 1]) - 0.5)
    mesh = Mesh(surface.vertices, surface.faces)
    assert mesh.is_watertight
    reach = 1.0 - 0.5 * SPACING[128]
    np.testing.assert_allclose(mesh.vertices[:, 2].max(), reach, atol=1e-6)
    assert mesh.volume == pytest.approx(np.pi * 0.25 * 2 * reach, rel=1e-2)


def test_the_sphere_has_its_volume_and_faces_outward():
    surface = extract_isosurface(saturated(TYPICAL["ball"], 0.1))
    assert Mesh(surface.vertices, surface.faces).volume == pytest.approx(
        4 / 3 * np.pi * 0.6**3, rel=1e-3
    )


@pytest.mark.parametrize("value", [0.1, 0.0])
def test_a_field_without_an_inside_is_an_error_of_its_own(value):
    with pytest.raises(EmptySurfaceError, match="no inside in the cube"):
        extract_isosurface(lambda p: np.full(len(p), value, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(ReconstructionError, match="not finite"):
        extract_isosurface(lambda p: np.full(len(p), value, np.float32))


def test_a_field_of_another_shape_is_refused():
    with pytest.raises(ReconstructionError, match=r"gave \(4913, 1\) values for 4913 points"):
        extract_isosurface(lambda p: np.zeros((len(p), 1), np.float32))


@pytest.mark.parametrize("coarse", [0, 24, 48, 128])
def test_a_coarse_lattice_that_does_not_fit_is_refused(coarse):
    with pytest.raises(InvalidInputError, match="is not .* times 2, 4, 8"):
        extract_isosurface(lambda p: p[:, 0], resolution=128, coarse=coarse)


@pytest.mark.parametrize("lipschitz", [0.0, -1.0, np.inf, np.nan])
def test_a_slope_that_bounds_nothing_is_refused(lipschitz):
    with pytest.raises(InvalidInputError, match="lipschitz must be positive and finite"):
        extract_isosurface(lambda p: p[:, 0], lipschitz=lipschitz)
