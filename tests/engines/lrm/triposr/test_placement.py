# SPDX-License-Identifier: Apache-2.0
"""A shape of unknown size and place comes to stand where the real one is."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.canonical import R_CROP_CANONICAL
from recon_node.engines.crop import Crop, crop_view
from recon_node.engines.lrm.triposr.placement import at_measured_depth, outline_scale
from recon_node.engines.transforms import transform_points

SIZE, FILL = 512, 0.85


@pytest.fixture(scope="module")
def crop(solid, T_world_camera) -> Crop:
    return crop_view(solid.view(T_world_camera), size=SIZE, fill=FILL)


@pytest.fixture(scope="module")
def shape(solid, crop) -> np.ndarray:
    """The true surface around a point of the optical axis, in canonical axes, 37 times too large.

    That is what a network knows that sees everything but size and distance.
    """
    T_crop_world = np.linalg.inv(crop.camera.T_world_camera)
    points = transform_points(T_crop_world, solid.mesh.vertices)
    points -= (0.0, 0.0, points[:, 2].mean())
    return 37.0 * points @ R_CROP_CANONICAL


def test_size_and_place_are_recovered(solid, crop, shape):
    """To 1 % of the object, of which a pixel of the picture is 1.4 %."""
    points = outline_scale(shape, crop) * shape
    placed = at_measured_depth(points, solid.mesh.faces, crop)
    errors = placed.S_world_canonical.apply(points) - solid.mesh.vertices
    longest = solid.mesh.extents.max()
    assert np.linalg.norm(errors, axis=1).max() < 0.01 * longest


def test_the_depth_goes_with_the_cube(crop, solid, shape):
    """The same depth in metres, told in the moved cube."""
    points = outline_scale(shape, crop) * shape
    placed = at_measured_depth(points, solid.mesh.faces, crop)
    known = np.isfinite(crop.depth)
    assert np.array_equal(known, np.isfinite(placed.depth))
    before, after = (
        c.distance * (1 - c.tan_half_fov * c.depth[known].astype(float)) for c in (crop, placed)
    )
    np.testing.assert_allclose(after, before, rtol=1e-6)
    unchanged = {"distance": crop.distance, "depth": crop.depth}
    assert dataclasses.replace(placed, **unchanged).S_world_canonical.scale == pytest.approx(
        crop.S_world_canonical.scale
    )


def test_pixels_that_are_wrong_do_not_move_it(crop, solid, shape, rng):
    """A third of the depths doubled, as of what stands behind a glass."""
    points = outline_scale(shape, crop) * shape
    wrong = rng.uniform(size=crop.depth.shape) < 0.33
    z = crop.distance * (1 - crop.tan_half_fov * crop.depth.astype(float))
    doubled = (crop.distance - 2 * z) / (crop.distance * crop.tan_half_fov)
    depth = np.where(wrong, doubled, crop.depth).astype(np.float32)
    placed = at_measured_depth(points, solid.mesh.faces, dataclasses.replace(crop, depth=depth))
    true = at_measured_depth(points, solid.mesh.faces, crop)
    assert placed.distance == pytest.approx(true.distance, rel=0.03)


@given(factor=st.floats(1e-3, 1e3))
def test_the_scale_undoes_any_other(crop, shape, factor):
    assert outline_scale(factor * shape, crop) * factor == pytest.approx(
        outline_scale(shape, crop), rel=1e-9
    )


def test_a_shift_to_the_side_changes_little(crop, shape):
    extent = np.ptp(shape[:, 1])
    shifted = shape + (0.0, 0.1 * extent, 0.1 * extent)
    assert outline_scale(shifted, crop) == pytest.approx(outline_scale(shape, crop), rel=0.05)


def test_an_outline_that_is_cut_off_says_nothing(crop, shape):
    assert outline_scale(shape, dataclasses.replace(crop, truncated=True)) == 1.0
    assert outline_scale(shape + (0.0, 1e3, 1e3), crop) == 1.0


def test_a_shape_beside_the_depth_is_not_placed(crop, solid, shape):
    points = outline_scale(shape, crop) * shape + (0.0, 30.0, 0.0)
    assert at_measured_depth(points, solid.mesh.faces, crop) is None
    nowhere = dataclasses.replace(crop, depth=np.full_like(crop.depth, np.nan))
    assert at_measured_depth(shape, solid.mesh.faces, nowhere) is None
