# SPDX-License-Identifier: Apache-2.0
"""What the network is given of a crop, and how its field is asked."""

import numpy as np
import pytest

from recon_node.engines.backends.backend import BACKENDS, load_backend
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
    np.testing.assert_array_equal(known, np.isfinite(crop.depth))
    np.testing.assert_array_equal(depth, np.nan_to_num(crop.depth))
    assert 0.2 < known.mean() < 0.8
    np.testing.assert_allclose(inputs["tan_half_fov"], [crop.tan_half_fov])


def test_without_depth_both_of_its_channels_are_zero(solid, T_world_camera):
    crop = crop_view(solid.view(T_world_camera, with_depth=False))
    assert not network_input(crop)["crop"][0, 4:].any()


@pytest.mark.parametrize("name", BACKENDS)
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
