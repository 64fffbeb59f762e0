# SPDX-License-Identifier: Apache-2.0
"""Distortion by running sums against the double sum it stands for, and against closed forms."""

import dataclasses

import pytest
import torch

from recon_node.engines.terms.distortion import Distortion


def _value(step, weights):
    rendered = dataclasses.replace(step.rendered, weights=weights)
    return Distortion()(dataclasses.replace(step, rendered=rendered))


def _double_sum(step, weights):
    samples = step.rendered.samples
    total = 0
    for first, count in samples.packed_info.tolist():
        ray = slice(first, first + count)
        w, starts, ends = weights[ray], samples.t_starts[ray], samples.t_ends[ray]
        middles = (starts + ends) / 2
        total = total + (w[:, None] * w * (middles[:, None] - middles).abs()).sum()
        total = total + (w.square() * (ends - starts)).sum() / 3
    return total / len(samples.packed_info)


def test_values_and_gradients_equal_the_double_sum(ball, make_step):
    step = make_step(ball(), x=6 * (0.0,), counts=[0, 7, 1, 0, 30, 0])
    generator = torch.Generator().manual_seed(5)
    weights = torch.rand(38, generator=generator, dtype=torch.float64, requires_grad=True)
    found = [function(step, weights) for function in (_value, _double_sum)]
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*(torch.autograd.grad(value, weights)[0] for value in found))
    assert torch.autograd.gradcheck(lambda w: _value(step, w), weights)


def test_a_uniform_ray_has_a_third_of_its_length(ball, make_step):
    """Spread weight 1 evenly over length L: E |a - b| of two places is L / 3."""
    for count in (1, 2, 50):
        step = make_step(ball(), x=(0.0,), counts=[count], near=1.0, far=2.5)
        weights = torch.full((count,), 1 / count, dtype=torch.float64)
        assert _value(step, weights).item() == pytest.approx(1.5 / 3)


def test_single_precision_does_not_drown_the_last_of_many_rays(ball, make_step):
    """Give all weight to one sample of 0.05 of each ray: a third of that is left."""
    count = 2000
    step = make_step(ball(), x=count * (0.0,), counts=count * [40])
    weights = torch.zeros(count, 40)
    weights[:, 17] = 1.0
    assert _value(step, weights.reshape(-1)).item() == pytest.approx(0.05 / 3, rel=1e-5)
