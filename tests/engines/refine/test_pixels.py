# SPDX-License-Identifier: Apache-2.0
"""Pixels as rays: they end where the depth says, and none is lost or held out twice."""

from dataclasses import replace

import numpy as np
import torch

from recon_node.engines.refine.box import measured_points, refinement_box
from recon_node.engines.refine.camera_corrections import CameraCorrections
from recon_node.engines.refine.pixels import HELD_OUT, Pixels


def all_pixels(views):
    box = refinement_box(views[0].result, views)
    return Pixels.of(views, box), box


def test_rays_end_at_the_measured_points(keyframes):
    views = keyframes(2)
    pixels, box = all_pixels(views)
    m = pixels.measured
    known = m.depth_known
    ends = pixels.origins[m.keyframes] + m.depths[:, None] * pixels.directions
    world = box.apply(ends[known].double().numpy())
    expected = np.concatenate([measured_points(view) for view in views])
    np.testing.assert_allclose(world, expected, atol=1e-6)
    np.testing.assert_allclose(pixels.directions.norm(dim=1), 1.0, atol=1e-6)


def test_noise_of_depth_is_the_sensors(keyframes):
    views = keyframes(1)
    pixels, box = all_pixels(views)
    known = pixels.measured.depth_known
    z = views[0].view.depth[views[0].view.mask]
    per_unit = pixels.measured.depths[known].numpy() / z
    sigma = pixels.measured.depth_sigmas[known].numpy() / per_unit
    np.testing.assert_allclose(sigma, 1e-3 + 1.1e-3 * z * z, rtol=1e-4)


def test_pixels_that_say_nothing_have_no_mask(keyframes):
    view = keyframes(1)[0]
    known = view.known.copy()
    known[:3] = False
    masks = all_pixels([replace(view, known=known)])[0].measured.masks.reshape(known.shape)
    np.testing.assert_array_equal(masks.isnan(), ~known)
    np.testing.assert_array_equal(masks[known], view.coverage[known])


def test_the_split_loses_nothing_and_is_the_same_again(keyframes):
    pixels, _ = all_pixels(keyframes(1))
    parts = [pixels.split(torch.Generator().manual_seed(1)) for _ in range(2)]
    train, held_out = parts[0]
    assert len(held_out) == len(pixels) // HELD_OUT
    together = torch.cat([train.directions, held_out.directions])
    assert len(together) == len(pixels) == len(together.unique(dim=0))
    assert torch.equal(parts[1][0].directions, train.directions)


def test_corrections_begin_at_none_and_never_move_the_first_camera(keyframes):
    pixels, _ = all_pixels(keyframes(2))
    cameras = CameraCorrections(2)
    rays = cameras.rays(pixels)
    assert torch.equal(rays.origins, pixels.origins[pixels.measured.keyframes])
    np.testing.assert_allclose(rays.directions.detach(), pixels.directions, atol=1e-6)
    with torch.no_grad():
        for parameter in cameras.parameters():
            parameter.fill_(0.1)
    rotations, moves = cameras.transforms()
    assert torch.equal(rotations[0], torch.eye(3)) and not moves[0].any()
    turned = rotations[1].detach()
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-6)
    gains = cameras.exposures(pixels)
    assert (gains[pixels.measured.keyframes == 0] == 1).all()
    (cameras.rays(pixels).origins.sum() + gains.sum()).backward()
    assert cameras.turns.grad[1].any() and not cameras.turns.grad[0].any()


def test_a_turn_is_the_rotation_about_its_axis():
    cameras = CameraCorrections(2)
    with torch.no_grad():
        cameras.turns[1] = torch.tensor([0.0, 0.0, np.pi / 2])
    rotations, _ = cameras.transforms()
    np.testing.assert_allclose(
        rotations[1].detach() @ torch.tensor([1.0, 0, 0]), [0, 1, 0], atol=1e-6
    )
