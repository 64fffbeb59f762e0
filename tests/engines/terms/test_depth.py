# SPDX-License-Identifier: Apache-2.0
"""Rendered against measured depth: values by hand, gradients, silence."""

import pytest
import torch

from recon_node.engines.terms.depth import Depth

THREE = (0.0, 0.1, 0.2)


def _step(make_step, field, met, opacities=(1.0, 1.0, 1.0), **measured):
    rendered = {
        "depths": torch.as_tensor(met, dtype=torch.float64),
        "opacities": torch.as_tensor(opacities, dtype=torch.float64),
    }
    return make_step(field, x=THREE, rendered=rendered, **measured)


def test_the_value_counts_standard_deviations(ball, make_step):
    """2 sigma, 0 and 8 sigma off, the last at half the opacity."""
    step = _step(
        make_step,
        ball(),
        (1.52, 1.5, 1.9),
        (1.0, 1.0, 0.5),
        depths=1.5,
        depth_sigmas=(0.01, 0.01, 0.05),
    )
    expected = (5**0.5 - 1) + 0 + 0.5 * (65**0.5 - 1)
    assert Depth()(step).item() == pytest.approx(expected / 3)


def test_only_known_depths_of_the_object_speak(ball, make_step):
    depths = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64, requires_grad=True)
    silent = {
        "unknown": {"depths": torch.nan},
        "beside": {"depths": 1.5, "masks": 0.0},
        "rim": {"depths": 1.5, "masks": torch.nan},
        "noise unknown": {"depths": 1.5, "depth_sigmas": torch.nan},
        "nothing hit": {"depths": 1.5, "opacities": (0.0, 0.0, 0.0)},
    }
    for why, measured in silent.items():
        value = Depth()(_step(make_step, ball(), depths, **measured))
        (gradient,) = torch.autograd.grad(value, depths)
        assert value.item() == 0 and gradient.tolist() == [0, 0, 0], why


def test_gradients_are_exact(ball, make_step):
    field = ball()
    depths = torch.tensor([1.49, 1.5, 1.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d: Depth()(_step(make_step, field, d, depths=1.5)), depths
    )


def test_far_depths_pull_as_hard_as_near_ones(ball, make_step):
    depths = torch.tensor([1.6, 1.9, 2.9], dtype=torch.float64, requires_grad=True)
    value = Depth()(_step(make_step, ball(), depths, depths=1.5))
    slopes = torch.autograd.grad(value, depths)[0].tolist()
    assert slopes == pytest.approx(3 * [1 / 0.01 / 3], rel=0.01)
