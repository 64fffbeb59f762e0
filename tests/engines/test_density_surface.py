# SPDX-License-Identifier: Apache-2.0
"""Sparse extraction of a density against marching cubes on all samples, thin objects above all."""

import math

import numpy as np
import pytest

from recon_node.engines.density_surface import extract_density_surface
from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, ReconstructionError
from recon_node.engines.mesh import Mesh
from recon_node.engines.triplane import HALF_EXTENT, TriplaneField
from recon_node.kernels.marching_cubes import marching_cubes

VOXEL = 2 * HALF_EXTENT / 255  # at 256 samples a side
LEVEL = np.float32(1 + math.log(25))  # raw density at the surface
WINDOW = 88  # samples a side of the part of the lattice that holds the thin objects


def length(*coordinates):
    return np.sqrt(sum(c * c for c in coordinates))


def box(p, half_sides):
    x, y, z = (np.abs(c) - s for c, s in zip(p, half_sides, strict=True))
    outside = length(np.maximum(x, 0), np.maximum(y, 0), np.maximum(z, 0))
    return outside + np.minimum(np.maximum(np.maximum(x, y), z), 0)


def ring(p, radius, thickness):
    return length(length(p[0], p[1]) - radius, p[2]) - thickness


def wires(p, thickness):
    x, y, z = p
    bars = [length(y, z), length(x - 0.1, z), length(x, y + 0.06)]
    bars = np.minimum.reduce([np.maximum(b, np.abs(c) - 0.2) for b, c in zip(bars, p, strict=True)])
    return np.minimum(bars - thickness, ring((x + 0.1, y - 0.1, z - 0.1), 0.06, thickness))


def handle(p, thickness):
    x, y, z = p
    return np.minimum(box(p, (0.05, 0.05, 0.1)), ring((x - 0.05, z, y), 0.06, thickness))


def turned(p):
    """Coordinates in a frame that is parallel to no lattice plane."""
    rotation = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]], np.float32) / 3.0
    return [sum(r * c for r, c in zip(row, p, strict=True)) for row in rotation]


# A plate one voxel thick; wires and rings of 1.2 voxels.
THIN = {
    "plate": lambda p: box(p, (0.15, 0.18, 0.5 * VOXEL)),
    "turned plate": lambda p: box(turned(p), (0.15, 0.18, 0.5 * VOXEL)),
    "wires": lambda p: wires(p, 0.6 * VOXEL),
    "turned wires": lambda p: wires(turned(p), 0.6 * VOXEL),
    "handle": lambda p: handle(p, 0.6 * VOXEL),
    "turned handle": lambda p: handle(turned(p), 0.6 * VOXEL),
}


class Solid:
    """A field whose log density falls across a surface, by at most 6 beyond the threshold.

    Args:
        distance: From coordinates, three arrays, to signed distance, negative inside.
        steepness: Change of log density [1 / voxel of 256] at the surface.
        offset: Where the solid's origin lies.
    """

    half_extent = HALF_EXTENT

    def __init__(self, distance, *, steepness=2.0, offset=(0.0, 0.0, 0.0)):
        self.distance, self.steepness = distance, steepness
        self.offset = np.asarray(offset, np.float32)
        self.asked = []

    def raw(self, points):
        distance = self.distance([points[:, i] - self.offset[i] for i in range(3)]) / VOXEL
        return (LEVEL - 6 * np.tanh(self.steepness * distance / 6)).astype(np.float32)

    def on_lattice(self, axis):
        def density(indices):
            self.asked.append(indices)
            return self.raw(axis[indices])

        return density


def dense_surface(field, *, resolution, window=None, parity=False):
    """Marching cubes on every sample, or on those of a window around the centre."""
    axis = np.linspace(-HALF_EXTENT, HALF_EXTENT, resolution).astype(np.float32)
    window = window or resolution
    first = (resolution - window) // 2
    indices = np.indices((window,) * 3, np.int32).reshape(3, -1).T + first
    raw = field.on_lattice(axis)(indices).reshape((window,) * 3)
    return marching_cubes(
        25 - np.exp(raw - 1) if parity else LEVEL - raw,
        origin=(float(axis[first]),) * 3,
        spacing=2 * HALF_EXTENT / (resolution - 1),
        closed=not parity,
    )


def assert_same(surface, expected, atol=1e-6):
    vertices, faces = expected
    assert len(faces) > 0
    np.testing.assert_array_equal(surface.faces, faces)
    np.testing.assert_allclose(surface.vertices, vertices, atol=atol)


def ball(p):
    return length(*p) - 0.5


@pytest.mark.parametrize("number", range(40))
def test_thin_objects_are_those_of_the_dense_lattice(number):
    """At 40 offsets within a cell of the first lattice, so between samples of all lattices."""
    offset = np.random.default_rng(number).uniform(-2, 2, size=3) * VOXEL
    for shape in list(THIN.values())[number % 3 :: 3]:
        field = Solid(shape, steepness=3.0, offset=offset)
        surface = extract_density_surface(field)
        assert_same(surface, dense_surface(field, resolution=256, window=WINDOW))
        assert surface.query_count < 256**3 / 40


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("resolution", [17, 64, 127, 128, 129, 200, 257])
def test_every_resolution_gives_the_surface_of_the_dense_lattice(resolution, parity):
    field = Solid(lambda p: length(p[0] - 0.6, p[1], p[2]) - 0.5, steepness=1.0)
    surface = extract_density_surface(field, resolution=resolution, parity=parity)
    expected = dense_surface(field, resolution=resolution, parity=parity)
    # In parity the fields differ by a factor, and so by rounding where densities are high.
    assert_same(surface, expected, atol=2e-5 if parity else 1e-6)


def test_typical_objects_need_few_queries_and_none_twice():
    field = Solid(lambda p: np.maximum(ball(p), 0.46 - length(p[0], p[1], p[2] - 0.2)))
    surface = extract_density_surface(field)
    asked = np.concatenate(field.asked)
    assert surface.query_count == len(asked) < 256**3 / 20
    inner = asked[(asked < 255).all(axis=1)]
    assert len(np.unique(inner, axis=0)) == len(inner)
    assert Mesh(surface.vertices, surface.faces).is_watertight


def test_log_density_places_vertices_better_than_density():
    field = Solid(ball, steepness=1.5)
    errors = [
        np.abs(np.linalg.norm(surface.vertices, axis=1) - 0.5).mean()
        for surface in (extract_density_surface(field, parity=p) for p in (False, True))
    ]
    assert errors[0] < 0.1 * errors[1]


def test_surfaces_that_leave_the_cube_are_closed_but_in_parity():
    field = Solid(lambda p: length(p[0], p[1]) - 0.5)
    closed = Mesh(*_arrays(extract_density_surface(field, resolution=128)))
    opened = Mesh(*_arrays(extract_density_surface(field, resolution=128, parity=True)))
    assert closed.is_watertight and not opened.is_watertight
    assert closed.volume == pytest.approx(math.pi * 0.25 * 2 * HALF_EXTENT, rel=0.02)
    for mesh in (closed, opened):
        np.testing.assert_allclose(np.ptp(mesh.vertices[:, 2]), 2 * HALF_EXTENT, atol=1e-4)


def _arrays(surface):
    return surface.vertices, surface.faces


def test_a_cube_full_of_density_is_its_own_surface():
    surface = extract_density_surface(Solid(lambda p: ball(p) - 5.0), resolution=100)
    mesh = Mesh(surface.vertices, surface.faces)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx((2 * HALF_EXTENT) ** 3, rel=1e-3)


def test_a_surface_wilder_than_expected_is_followed_and_stays_closed():
    """A bridge that no sample of the first lattice hints at, between two balls."""

    def dumbbell(p):
        x, y, z = p
        balls = np.minimum(length(x - 0.4, y, z), length(x + 0.4, y, z)) - 0.15
        bar = np.maximum(length(y - 2 * VOXEL, z - 2 * VOXEL) - VOXEL, np.abs(x) - 0.4)
        return np.minimum(balls, bar)

    offset = np.float32(HALF_EXTENT % (4 * VOXEL))  # the bar runs midway between samples
    field = Solid(dumbbell, steepness=60.0, offset=(0.0, offset, offset))
    surface = extract_density_surface(field)
    assert Mesh(surface.vertices, surface.faces).is_watertight
    assert_same(surface, dense_surface(field, resolution=256, window=180))


def test_another_threshold_is_another_surface():
    field = Solid(ball, steepness=0.1)
    dense, thin = (extract_density_surface(field, iso=iso) for iso in (30.0, 20.0))
    for surface, iso in ((dense, 30.0), (thin, 20.0)):
        reach = 0.5 - VOXEL * math.atanh(math.log(iso / 25) / 6) * 6 / 0.1
        np.testing.assert_allclose(np.linalg.norm(surface.vertices, axis=1), reach, atol=1e-4)


class Round:
    """Decodes a triplane whose first channel holds squares of coordinates."""

    name, status, concurrency = "numpy", "NumPy on the CPU", 2

    def run(self, inputs, outputs=None):
        return {"density": LEVEL + 40 * (0.3 - inputs["hidden"][:, 0])}


def test_a_triplane_is_extracted_as_its_own_dense_lattice(device):
    centres = (np.arange(64, dtype=np.float32) * 2 + 1) / 64 - 1
    squares = np.stack([0.5 * (centres[:, None] ** 2 + centres**2)] * 3)
    field = TriplaneField(Round(), squares[:, None])
    surface = extract_density_surface(field, resolution=128, device=device)
    # Pieces of other sizes are summed in another order.
    assert_same(surface, dense_surface(field, resolution=128), atol=1e-5)
    radii = np.linalg.norm(surface.vertices, axis=1)
    np.testing.assert_allclose(radii, 0.3**0.5 * HALF_EXTENT, atol=1e-3)


def test_a_field_without_a_surface_is_an_error_of_its_own():
    with pytest.raises(EmptySurfaceError, match=r"passes 25 nowhere: .* largest is 0\.062"):
        extract_density_surface(Solid(lambda p: ball(p) + 5.0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_densities_that_are_not_finite_are_refused(value):
    field = Solid(ball)
    field.raw = lambda points: np.full(len(points), value, np.float32)
    with pytest.raises(ReconstructionError, match="not finite"):
        extract_density_surface(field)


def test_densities_of_another_shape_are_refused():
    field = Solid(ball)
    field.raw = lambda points: np.zeros((len(points), 1), np.float32)
    with pytest.raises(ReconstructionError, match=r"gave \(274625, 1\) densities for 274625"):
        extract_density_surface(field)


@pytest.mark.parametrize(
    "options",
    [{"resolution": 1}, {"iso": 0.0}, {"iso": math.inf}, {"caution": 0.0}, {"caution": math.nan}],
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(InvalidInputError, match="resolution must be 2 or more"):
        extract_density_surface(Solid(ball), **options)
