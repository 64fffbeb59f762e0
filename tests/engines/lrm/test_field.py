# SPDX-License-Identifier: Apache-2.0
"""What the network is given of a crop, and how its field is asked."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.crop import CROP_SIZE, crop_view
from recon_node.engines.lrm.field import CHUNK, CompactField, network_input
from recon_node.engines.lrm.networks import DECODER, ENCODER


def test_channels_are_colour_mask_depth_and_where_it_is_known(solid, T_world_camera):
    crop = crop_view(solid.view(T_world_camera))
    inputs = network_input(crop)
    assert inputs["crop"].shape == (1, 6, CROP_SIZE, CROP_SIZE)
    assert inputs["crop"].dtype == inputs["tan_half_fov"].dtype == np.float32
    rgb, mask, depth, known = inputs["crop"][0, :3], *inputs["crop"][0, 3:]
    np.testing.assert_allclose(255 * rgb.transpose(1, 2, 0), crop.image, atol=1e-4)
    np.testing.assert_array_equal(mask, crop.mask)
    measured = np.isfinite(crop.depth)
    assert 0.2 < measured.mean() < 0.8
    np.testing.assert_array_equal(depth[measured], crop.depth[measured])
    assert set(np.unique(known)) == {0, 1}
    assert known[measured].all()
    assert not known[~measured & (crop.mask < 1)].any()
    assert not depth[known == 0].any()
    np.testing.assert_allclose(inputs["tan_half_fov"], [crop.tan_half_fov])


def test_small_holes_in_the_depth_are_filled(solid, T_world_camera, rng):
    view = solid.view(T_world_camera)
    whole = network_input(crop_view(view))["crop"][0, 4:]
    depth = view.depth.copy()
    depth[rng.uniform(size=depth.shape) < 0.3] = np.nan
    filled = network_input(crop_view(replace(view, depth=depth)))["crop"][0, 4:]
    inner = crop_view(view).mask == 1.0
    assert filled[1][inner].mean() > 0.99
    both = (filled[1] > 0) & (whole[1] > 0)
    assert np.median(np.abs(filled[0] - whole[0])[both]) < 0.03


def test_without_depth_both_of_its_channels_are_zero(solid, T_world_camera):
    crop = crop_view(solid.view(T_world_camera, with_depth=False))
    assert not network_input(crop)["crop"][0, 4:].any()


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_points_are_answered_each_in_its_place(name, random_weights, solid, T_world_camera, rng):
    """In however many pieces they are asked."""
    inputs = network_input(crop_view(solid.view(T_world_camera)))
    planes = load_backend(name, ENCODER, random_weights).run(inputs)
    field = CompactField(load_backend(name, DECODER, random_weights), inputs, planes)
    points = rng.uniform(-1, 1, (CHUNK + 1, 3)).astype(np.float32)
    sdf, colours = field.sdf(points), field.colours(points)
    assert sdf.shape == (CHUNK + 1,) and colours.shape == (CHUNK + 1, 3)
    for index in (0, 77, CHUNK - 1, CHUNK):
        alone = points[index : index + 1]
        np.testing.assert_allclose(field.sdf(alone), sdf[index : index + 1], atol=1e-5)
        np.testing.assert_allclose(field.colours(alone), colours[index : index + 1], atol=1e-5)
