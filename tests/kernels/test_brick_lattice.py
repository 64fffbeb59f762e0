# SPDX-License-Identifier: Apache-2.0
"""The kernels of the brick lattice against plain NumPy on the whole lattice."""

import numpy as np
import pytest

from recon_node.kernels.brick_lattice import BrickLattice
from recon_node.kernels.marching_cubes import marching_cubes

COUNT = 4  # bricks a side, the last of which holds a border
INNER = COUNT - 1


def brick_indices(count):
    return np.indices((count,) * 3, np.int32).reshape(3, -1).T


def corner_values(seed=0):
    """The first samples of all bricks, f32 (COUNT, COUNT, COUNT)."""
    return np.random.default_rng(seed).normal(size=(COUNT,) * 3).astype(np.float32)


def full_lattice(shift, firsts, device="cpu"):
    lattice = BrickLattice(COUNT, shift=shift, device=device)
    lattice.add(brick_indices(COUNT), firsts.ravel())
    return lattice


def interpolated(firsts, size):
    """Trilinear interpolation between bricks' first samples, one axis after the other."""
    values = firsts.astype(np.float64)
    position = np.arange(INNER * size + 1) / size
    low = np.minimum(position.astype(int), INNER - 1)
    for axis in range(3):
        rows = np.moveaxis(values, axis, -1)
        fraction = position - low
        values = np.moveaxis(
            rows[..., low] * (1 - fraction) + rows[..., low + 1] * fraction, -1, axis
        )
    return values


def read(lattice, shift):
    """All samples of the inner bricks, as the values that are within bounds from below."""
    size = 1 << shift
    found = np.full((INNER * size + 1,) * 3, np.nan)

    def keep(values):
        places = np.arange(len(values), dtype=np.int32)
        indices = lattice.indices(places)
        inside = (indices <= INNER * size).all(axis=1)
        found[tuple(indices[inside].T)] = values[inside]
        return values

    cells = np.zeros((1, 3), np.int32)
    lattice.polygonise(cells, transform=keep, side=COUNT * size, origin=0.0, spacing=1.0)
    return found


def halve_fully(lattice, shift, bound=0.0):
    """Halves all cells down to samples; returns the indices of open sign, i32 (N, 3)."""
    cells = brick_indices(INNER) << shift
    wanted = [np.empty((0, 3), np.int32)]
    for half in (1 << s for s in range(shift - 1, -1, -1)):
        places = lattice.halve(cells, np.full(len(cells), bound, np.float32), half)
        wanted.append(lattice.indices(places))
        cells, _ = lattice.judge(cells, half, caution=1.0, margin=np.inf)
    return np.concatenate(wanted)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_halving_interpolates_and_finds_open_signs(shift, device):
    firsts = corner_values()
    lattice = full_lattice(shift, firsts, device)
    wanted = halve_fully(lattice, shift, bound=0.3)
    expected = interpolated(firsts, 1 << shift)
    np.testing.assert_allclose(read(lattice, shift), expected, atol=1e-6)
    is_new = np.ones(expected.shape, bool)
    is_new[:: 1 << shift, :: 1 << shift, :: 1 << shift] = False
    open_signs = np.argwhere(is_new & (np.abs(expected) <= 0.3))
    assert 100 < len(open_signs) == len(wanted)
    np.testing.assert_array_equal(np.unique(wanted, axis=0), open_signs)


def test_halving_keeps_what_is_known():
    firsts = corner_values()
    lattice = full_lattice(1, firsts)
    places = lattice.halve(np.array([[2, 2, 2]], np.int32), np.array([np.inf], np.float32), 1)
    assert len(places) == 19  # all but the corners
    lattice.put(places, np.full(19, 7.0, np.float32))
    assert len(halve_fully(lattice, 1, bound=np.inf)) == (2 * INNER + 1) ** 3 - COUNT**3 - 19
    assert (read(lattice, 1)[2:5, 2:5, 2:5] == 7.0).sum() == 19


def judged(values, caution, margin):
    """Plain twin: open eighths of the one cell with samples (3, 3, 3), and their bounds."""
    cells, bounds = [], []
    bends = [np.abs(np.diff(values, n=2, axis=axis)).squeeze(axis) for axis in range(3)]
    for first in np.ndindex(2, 2, 2):
        bound = 0.0
        for axis in range(3):
            u, v = (slice(f, f + 2) for a, f in enumerate(first) if a != axis)
            bound += bends[axis][u, v].max()
        bound = max(caution * bound, margin)
        corners = values[tuple(slice(f, f + 2) for f in first)]
        if corners.min() <= bound and corners.max() >= -bound:
            cells.append(first)
            bounds.append(bound)
    return np.array(cells), np.array(bounds)


@pytest.mark.parametrize(("scale", "fewest", "most"), [(0.01, 0, 0), (0.2, 1, 7), (1.0, 8, 8)])
@pytest.mark.parametrize("seed", range(4))
def test_eighths_are_judged_by_how_much_their_rows_bend(seed, scale, fewest, most, device):
    rng = np.random.default_rng(seed)
    values = (rng.choice([-2.0, 2.0]) + scale * rng.normal(size=(3, 3, 3))).astype(np.float32)
    lattice = full_lattice(1, corner_values(), device)
    cell = np.array([[2, 0, 2]], np.int32)
    halve_fully(lattice, 1)
    places = np.arange(COUNT**3 * 8, dtype=np.int32)
    inner = lattice.indices(places) - cell
    within = ((inner >= 0) & (inner <= 2)).all(axis=1)
    lattice.put(places[within], values[tuple(inner[within].T)])
    cells, bounds = lattice.judge(cell, 1, caution=1.2, margin=0.1)
    expected_cells, expected_bounds = judged(values, 1.2, 0.1)
    assert fewest <= len(expected_cells) <= most
    np.testing.assert_array_equal(cells - cell, expected_cells.reshape(-1, 3))
    np.testing.assert_allclose(bounds, expected_bounds, rtol=1e-5)


def test_eighths_that_are_settled_get_their_sign():
    lattice = full_lattice(2, np.full((COUNT,) * 3, -1.0, np.float32))
    bricks = brick_indices(INNER)
    bounds = np.zeros(len(bricks), np.float32)
    assert len(lattice.halve(bricks << 2, bounds, 2)) == 0
    cells, _ = lattice.judge(bricks << 2, 2, caution=1.0, margin=0.5)
    assert len(cells) == 0
    assert (read(lattice, 2) == -1.0).all()


def test_ends_of_crossed_edges_are_those_of_numpy(device):
    lattice = full_lattice(2, corner_values(3), device)
    halve_fully(lattice, 2)
    values = read(lattice, 2)
    is_end = np.zeros(values.shape, bool)
    for axis in range(3):
        rows, ends = np.moveaxis(values, axis, 0), np.moveaxis(is_end, axis, 0)
        crossed = (rows[1:] < 0) != (rows[:-1] < 0)
        crossed &= np.arange(len(crossed))[:, None, None] < 4 * INNER
        # Edges belong to the brick of their first sample; those of the border to none here.
        crossed[:, -1] = crossed[:, :, -1] = False
        ends[1:] |= crossed
        ends[:-1] |= crossed
    is_end[::4, ::4, ::4] = False  # known
    bricks = brick_indices(INNER)
    places = lattice.open_ends(bricks)
    found = lattice.indices(places)
    np.testing.assert_array_equal(np.unique(found, axis=0), np.argwhere(is_end))
    lattice.put(places, values[tuple(found.T)].astype(np.float32))
    assert len(lattice.open_ends(bricks)) == 0


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_crossed_cells_and_their_surface_are_those_of_the_dense_lattice(shift, device):
    lattice = full_lattice(shift, corner_values(4), device)
    halve_fully(lattice, shift)
    values = read(lattice, shift).astype(np.float32)
    cells, entered = lattice.crossed(brick_indices(INNER))
    assert len(entered) == 0
    side = len(values)
    vertices, faces = lattice.polygonise(
        cells, transform=np.negative, side=side, origin=-1.0, spacing=0.5
    )
    within = marching_cubes(-values, origin=(-1.0,) * 3, spacing=0.5, closed=False)
    # Vertices on edges within the last layers belong to cells beyond, which have no samples here.
    owned = faces[(faces >= 0).all(axis=1)]
    corners = within[0][within[1]]
    inner = (corners < corners.max() - 1e-6).all(axis=(1, 2))
    assert inner.sum() > 30
    ours, theirs = (
        np.sort(f.reshape(len(f), -1), axis=0) for f in (vertices[owned], corners[inner])
    )
    np.testing.assert_array_equal(ours, theirs)


def test_bricks_beside_that_the_surface_enters_are_named():
    firsts = np.ones((COUNT,) * 3, np.float32)
    firsts[1, 1, 1] = -1.0
    lattice = full_lattice(1, firsts)
    halve_fully(lattice, 1)
    some = np.array([[0, 0, 0], [1, 1, 1]], np.int32)
    _, entered = lattice.crossed(some)
    expected = [b for b in np.ndindex(2, 2, 2) if sum(b) not in (0, 3)]
    np.testing.assert_array_equal(entered, expected)
    assert len(lattice.crossed(brick_indices(2))[1]) == 0
