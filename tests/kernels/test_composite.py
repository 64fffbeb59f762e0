# SPDX-License-Identifier: Apache-2.0
"""Compositing against plain torch, in values and gradients, and against Beer and Lambert's law."""

import math

import pytest
import torch

from recon_node.kernels import composite as kernel
from recon_node.kernels import reference
from recon_node.kernels.composite import composite
from recon_node.kernels.ray_march import RaySamples


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(20_260_101)


def _samples(counts, generator, device):
    """Intervals of random lengths with gaps between them, so many of each ray."""
    total = sum(counts)
    cuts = torch.rand(2 * total, generator=generator).mul(0.1).cumsum(0).view(total, 2)
    counts = torch.tensor(counts, dtype=torch.int64)
    packed_info = torch.stack([counts.cumsum(0) - counts, counts], dim=1)
    ray_indices = torch.repeat_interleave(torch.arange(len(counts)), counts)
    cuts = cuts - cuts[packed_info[ray_indices, 0], 0][:, None]  # each ray begins at 0
    arrays = cuts[:, 0].contiguous(), cuts[:, 1].contiguous(), ray_indices, packed_info
    return RaySamples(*(array.to(device) for array in arrays))


def _answers(result):
    return result.weights, result.opacities, result.depths, result.rgbs


@pytest.mark.parametrize("stop", [0.0, 1e-4, 0.3])
@pytest.mark.parametrize("density", [0.5, 50.0])
def test_values_and_gradients_equal_those_of_the_twin(device, generator, stop, density):
    counts = [0, 3, 1, 40, 0, 7, 100, 0]  # rays without samples first, last and between
    samples = _samples(counts, generator, device)
    total = sum(counts)
    matter = (
        torch.rand(total, generator=generator).mul(2 * density),
        torch.rand(total, 3, generator=generator),
    )
    shapes = (total,), (len(counts),), (len(counts),), (len(counts), 3)
    cotangents = [torch.randn(shape, generator=generator).to(device) for shape in shapes]
    found = []
    for module in (kernel, reference):
        leaves = [leaf.to(device).requires_grad_() for leaf in matter]
        answers = _answers(module.composite(samples, *leaves, stop=stop))
        found.append((*answers, *torch.autograd.grad(answers, leaves, cotangents)))
    assert stop == 0 or density == 0.5 or (found[0][0] == 0).any()  # some rays end early
    for ours, theirs in zip(*found, strict=True):
        # Sums of up to 100 terms; the gradient in sigma is a small difference of such.
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("answer", range(4))
def test_each_answer_has_a_gradient_of_its_own(device, generator, answer):
    """Give the others none, as a loss of one term does."""
    samples = _samples([5, 0, 9], generator, device)
    matter = torch.rand(14, generator=generator) * 5, torch.rand(14, 3, generator=generator)
    gradients = []
    for module in (kernel, reference):
        leaves = [leaf.to(device).requires_grad_() for leaf in matter]
        loss = _answers(module.composite(samples, *leaves))[answer].square().sum()
        gradients.append(torch.autograd.grad(loss, leaves, materialize_grads=True))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("thickest", [1e7, math.inf])
def test_a_wall_leaves_the_gradients_in_front_of_it_exact(device, generator, thickest):
    samples = _samples([6], generator, device)
    rgbs = torch.rand(6, 3, generator=generator).to(device)
    gradients = []
    for module in (kernel, reference):
        sigmas = torch.tensor([3.0, 1.0, 2.0, 0.5, thickest, 1.0], device=device).requires_grad_()
        loss = module.composite(samples, sigmas, rgbs).rgbs.square().sum()
        gradients.append(torch.autograd.grad(loss, sigmas)[0])
    assert (gradients[0][:4] != 0).all()
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 2.0, 30.0])
def test_a_slab_lets_through_what_beer_and_lambert_say(device, sigma):
    """Cut a slab of thickness 0.7 anywhere: opacity 1 - exp(-σ d), slope d exp(-σ d) in σ."""
    cuts = torch.tensor([0.0, 0.1, 0.15, 0.4, 0.41, 0.7], device=device) + 1.5
    packed_info = torch.tensor([[0, 5]], device=device)
    ray_indices = torch.zeros(5, dtype=torch.int64, device=device)
    samples = RaySamples(cuts[:-1], cuts[1:], ray_indices, packed_info)
    density = torch.tensor(sigma, device=device, requires_grad=True)
    white = torch.ones(5, 3, device=device)
    result = composite(samples, density.expand(5), white, stop=0.0)
    expected = 1 - math.exp(-sigma * 0.7)
    assert result.opacities.item() == pytest.approx(expected, rel=1e-5)
    assert result.rgbs.tolist()[0] == pytest.approx([expected] * 3, rel=1e-5)
    (slope,) = torch.autograd.grad(result.opacities.sum(), density)
    assert slope.item() == pytest.approx(0.7 * math.exp(-sigma * 0.7), rel=1e-4, abs=1e-7)


def test_the_depth_of_a_wall_is_where_it_stands(device):
    """Put opaque matter into the third of four samples; nothing behind it has weight."""
    cuts = torch.arange(5.0, device=device)
    packed_info = torch.tensor([[0, 4]], device=device)
    ray_indices = torch.zeros(4, dtype=torch.int64, device=device)
    samples = RaySamples(cuts[:-1], cuts[1:], ray_indices, packed_info)
    sigmas = torch.tensor([0.0, 0.0, 100.0, 100.0], device=device)
    result = composite(samples, sigmas, torch.eye(4, 3, device=device))
    assert result.weights.tolist() == [0, 0, 1, 0]
    assert result.depths.tolist() == [2.5]
    assert result.rgbs.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("rays", [0, 3])
def test_no_samples_are_transparent(device, generator, rays):
    samples = _samples(rays * [0], generator, device)
    sigmas = torch.zeros(0, device=device, requires_grad=True)
    result = composite(samples, sigmas, torch.zeros(0, 3, device=device))
    assert result.opacities.tolist() == result.depths.tolist() == rays * [0.0]
    assert result.rgbs.tolist() == rays * [[0.0, 0.0, 0.0]]
    (gradient,) = torch.autograd.grad(result.opacities.sum(), sigmas)
    assert gradient.shape == (0,)


def test_what_does_not_fit_the_samples_is_refused(generator):
    samples = _samples([2, 2], generator, "cpu")
    with pytest.raises(ValueError, match=r"sigmas has shape \(5,\); .*\(4\)"):
        composite(samples, torch.zeros(5), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"rgbs has shape \(4,\); .*\(4, 3\)"):
        composite(samples, torch.zeros(4), torch.zeros(4))
    with pytest.raises(ValueError, match=r"stop = 1.0 .* \[0, 1\)"):
        composite(samples, torch.zeros(4), torch.zeros(4, 3), stop=1.0)
