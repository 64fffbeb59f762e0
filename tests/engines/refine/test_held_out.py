# SPDX-License-Identifier: Apache-2.0
"""The score of a mesh: none for the truth, more for what is off in colour, place or outline."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recon_node.engines.fields.renderer import Rays
from recon_node.engines.refine.held_out import held_out_score
from recon_node.engines.terms.term import Measurements


@pytest.fixture
def ball_pixels():
    """Parallel rays at a grey ball of radius 0.5, and what they meet there."""
    axis = torch.linspace(-0.9, 0.9, 60)
    u, v = (each.ravel() for each in torch.meshgrid(axis, axis, indexing="ij"))
    origins = torch.stack([u, v, torch.full_like(u, -2.0)], dim=1)
    directions = torch.tensor([0.0, 0.0, 1.0]).expand_as(origins)
    squares = u**2 + v**2
    hit = squares < 0.25
    rim = (squares.sqrt() - 0.5).abs() < 0.01  # where the icosphere is not a ball
    depths = torch.where(hit, 2.0 - (0.25 - squares).clamp(min=0).sqrt(), torch.nan)
    count = len(u)
    measured = Measurements(
        rgbs=torch.full((count, 3), 128 / 255),
        masks=torch.where(rim, torch.nan, hit.float()),
        depths=depths,
        depth_sigmas=torch.full((count,), 0.01),
        weights=torch.ones(count),
        keyframes=torch.zeros(count, dtype=torch.int64),
    )
    return Rays(origins, directions), measured


def test_the_truth_has_next_to_no_error(ball, ball_pixels):
    score = held_out_score(ball(0.5), *ball_pixels)
    assert score.error < 0.01 and score.psnr > 60


def test_an_offset_in_colour_is_its_psnr(ball, ball_pixels):
    rays, measured = ball_pixels
    inside = measured.masks == 1
    share = float(inside.sum() / measured.masks.isfinite().sum())
    mesh = ball(0.5)
    off = replace(mesh, colors=np.full_like(mesh.colors, 178))
    expected = -10 * math.log10(share * (50 / 255) ** 2)
    assert held_out_score(off, rays, measured).psnr == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("worse", [(0.45,), (0.55,), (0.5, (0, 0, 0.05)), (0.5, (0.05, 0, 0))])
def test_what_is_off_is_worse(ball, ball_pixels, worse):
    true = held_out_score(ball(0.5), *ball_pixels)
    assert held_out_score(ball(*worse), *ball_pixels).error > true.error + 0.005


def test_pixels_that_know_nothing_do_not_count(ball, ball_pixels):
    rays, measured = ball_pixels
    blind = replace(measured, masks=torch.full_like(measured.masks, torch.nan))
    score = held_out_score(ball(0.3), rays, blind)
    assert score.error == 0 and score.psnr == math.inf
