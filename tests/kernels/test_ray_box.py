# SPDX-License-Identifier: Apache-2.0
"""Rays against boxes: plain torch, and boxes whose entries are known."""

import pytest
import torch

from recon_node.kernels import reference
from recon_node.kernels.ray_box import ray_box

BOX = {"lower": (-0.5, -0.3, -0.2), "upper": (0.5, 0.4, 0.6)}


def _rays(count, device):
    generator = torch.Generator().manual_seed(20_260_101)
    origins = torch.randn(count, 3, generator=generator)
    directions = torch.randn(count, 3, generator=generator) * 0.5 - 0.5 * origins
    directions[: count // 4, 0] = 0  # along a face
    directions[: count // 8, 1] = 0
    return origins.to(device), directions.to(device)


@pytest.mark.parametrize("near", [0.0, 0.7])
def test_entries_equal_those_of_the_twin(device, near):
    rays = _rays(1000, device)
    ours = ray_box(*rays, **BOX, near=near)
    theirs = reference.ray_box(*rays, **BOX, near=near)
    met = ours[0] < ours[1]
    assert 100 < int(met.sum()) < 900
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    origins, directions = rays
    for t in ours:  # points at both ends are in the box
        points = (origins + t[:, None] * directions)[met]
        assert (points >= points.new_tensor(BOX["lower"]) - 1e-5).all()
        assert (points <= points.new_tensor(BOX["upper"]) + 1e-5).all()


def test_rays_to_the_centre_of_a_spheres_box_enter_it_before_the_sphere(device):
    """Aim at the centre along each axis: the box of a sphere touches it there, and only there."""
    axes = torch.cat([torch.eye(3), -torch.eye(3)]).to(device)
    lower, upper = (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)
    t_entries, t_exits = ray_box(-3 * axes, axes, lower=lower, upper=upper)
    assert t_entries.tolist() == 6 * [2.0] and t_exits.tolist() == 6 * [4.0]
    corner = torch.ones(1, 3, device=device)
    t_entries, t_exits = ray_box(-3 * corner, corner, lower=lower, upper=upper)
    assert t_entries.tolist() == [2.0] and t_exits.tolist() == [4.0]  # in lengths of (1, 1, 1)


def test_a_ray_from_inside_begins_at_near(device):
    origins = torch.zeros(2, 3, device=device)
    directions = torch.tensor([[2.0, 0, 0], [0, 0, -1]], device=device)
    t_entries, t_exits = ray_box(origins, directions, **BOX, near=0.1)
    torch.testing.assert_close(t_entries.cpu(), torch.tensor([0.1, 0.1]))
    torch.testing.assert_close(t_exits.cpu(), torch.tensor([0.25, 0.2]))


def test_misses_have_no_length(device):
    rows = [[2.0, 0, 0, 0, 1, 0], [2, 0, 0, 1, 0, 0], [torch.nan, 0, 0, 1, 0, 0], 6 * [0.0]]
    rays = torch.tensor(rows, device=device)
    t_entries, t_exits = ray_box(rays[:, :3], rays[:, 3:], **BOX, near=0.5)
    assert t_entries.tolist() == t_exits.tolist() == 4 * [0.5]


def test_no_rays_meet_nothing(device):
    none = torch.zeros(0, 3, device=device)
    assert [t.shape for t in ray_box(none, none, **BOX)] == [(0,), (0,)]


def test_directions_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"directions has shape \(2, 3\); .*\(4, 3\)"):
        ray_box(torch.zeros(4, 3), torch.zeros(2, 3), **BOX)
