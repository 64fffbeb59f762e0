# SPDX-License-Identifier: Apache-2.0
"""Marching through occupied cells: plain torch, lengths that are known, and hopeless arguments."""

import pytest
import torch

from recon_node.kernels import reference
from recon_node.kernels.ray_box import ray_box
from recon_node.kernels.ray_march import ray_march

BOX = {"lower": (-1.0, -0.8, -0.6), "upper": (1.0, 0.8, 0.6)}


def _rays(count, device):
    """Rays towards the box, of directions of many lengths; some of them miss it."""
    generator = torch.Generator().manual_seed(20_260_101)
    origins = 2 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator))
    aims = torch.randn(count, 3, generator=generator) * 0.6
    directions = (aims - origins) * torch.rand(count, 1, generator=generator).add(0.5)
    jitter = torch.rand(count, generator=generator)
    return origins.to(device), directions.to(device), jitter.to(device)


def _march(module, rays, occupied, *, step=0.013):
    origins, directions, jitter = rays
    t_nears, t_fars = ray_box(origins, directions, **BOX)
    return module(origins, directions, t_nears, t_fars, occupied, **BOX, step=step, jitter=jitter)


@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
def test_samples_equal_those_of_the_twin(device, share):
    rays = _rays(400, device)
    generator = torch.Generator().manual_seed(1)
    occupied = (torch.rand(20, 16, 9, generator=generator) < share).to(device)
    ours, theirs = (_march(f, rays, occupied) for f in (ray_march, reference.ray_march))
    assert len(ours.t_starts) > 400
    assert torch.equal(ours.packed_info, theirs.packed_info)
    assert torch.equal(ours.ray_indices, theirs.ray_indices)
    torch.testing.assert_close(ours.t_starts, theirs.t_starts, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.t_ends, theirs.t_ends, rtol=1e-5, atol=1e-6)


def test_samples_of_a_full_grid_cover_each_ray_once(device):
    rays = _rays(300, device)
    t_nears, t_fars = ray_box(*rays[:2], **BOX)
    samples = _march(ray_march, rays, torch.ones(4, 4, 4, dtype=torch.bool, device=device))
    lengths = torch.zeros_like(t_nears)
    lengths.index_add_(0, samples.ray_indices, samples.t_ends - samples.t_starts)
    assert (t_nears == t_fars).any()
    torch.testing.assert_close(lengths, t_fars - t_nears, rtol=1e-5, atol=1e-5)
    follows = samples.ray_indices[1:] == samples.ray_indices[:-1]
    assert torch.equal(samples.t_starts[1:][follows], samples.t_ends[:-1][follows])


def test_one_full_slab_is_sampled_over_its_thickness(device):
    """Occupy x in [0, 0.5] of the box; a ray along x has 0.5 / step samples in it."""
    occupied = torch.zeros(4, 1, 1, dtype=torch.bool, device=device)
    occupied[2] = True
    origins = torch.tensor([[-3.0, 0, 0]], device=device)
    directions = torch.tensor([[1.0, 0, 0]], device=device)
    samples = _march(ray_march, (origins, directions, origins.new_zeros(1)), occupied, step=1 / 64)
    assert len(samples.t_starts) == 32
    assert samples.t_starts[0] == 3 and samples.t_ends[-1] == 3.5
    assert samples.packed_info.tolist() == [[0, 32]]


def test_packed_info_tells_each_rays_samples(device):
    rays = _rays(100, device)
    occupied = torch.ones(2, 2, 2, dtype=torch.bool, device=device)
    occupied[0, 0] = False
    samples = _march(ray_march, rays, occupied)
    for ray, (first, count) in enumerate(samples.packed_info.tolist()):
        assert (samples.ray_indices[first : first + count] == ray).all()
    assert int(samples.packed_info[:, 1].sum()) == len(samples.ray_indices)


@pytest.mark.parametrize("count", [0, 5])
def test_empty_cells_and_no_rays_give_no_samples(device, count):
    rays = _rays(count, device)
    nothing = torch.zeros(3, 3, 3, dtype=torch.bool, device=device)
    samples = _march(ray_march, rays, nothing)
    assert samples.t_starts.shape == samples.t_ends.shape == samples.ray_indices.shape == (0,)
    assert samples.packed_info.tolist() == count * [[0, 0]]


def test_rays_without_an_end_or_a_number_have_no_samples(device):
    origins, directions, jitter = _rays(4, device)
    occupied = torch.ones(2, 2, 2, dtype=torch.bool, device=device)
    t_nears = torch.tensor([0.0, torch.nan, 0.0, 1.0], device=device)
    t_fars = torch.tensor([torch.inf, 1.0, torch.nan, 1.0], device=device)
    march = (origins, directions, t_nears, t_fars, occupied)
    samples = ray_march(*march, **BOX, step=0.1, jitter=jitter)
    assert samples.packed_info[:, 1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_step_that_leads_nowhere_is_refused(step):
    with pytest.raises(ValueError, match=f"step = {step} leads nowhere"):
        _march(ray_march, _rays(2, "cpu"), torch.ones(1, 1, 1, dtype=torch.bool), step=step)


def test_an_occupancy_of_numbers_is_refused():
    with pytest.raises(ValueError, match=r"occupied has numbers of torch.float32"):
        _march(ray_march, _rays(2, "cpu"), torch.ones(1, 1, 1))
