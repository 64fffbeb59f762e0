# SPDX-License-Identifier: Apache-2.0
"""Terms on the field and the renderer that refinement uses, in single precision."""

import pytest
import torch

from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.renderer import Rays, render
from recon_node.engines.fields.surface_density import LaplaceDensity
from recon_node.engines.terms.depth import Depth
from recon_node.engines.terms.distortion import Distortion
from recon_node.engines.terms.eikonal import Eikonal
from recon_node.engines.terms.free_space import FreeSpace
from recon_node.engines.terms.mask import Mask
from recon_node.engines.terms.normal_smoothness import NormalSmoothness
from recon_node.engines.terms.opacity_entropy import OpacityEntropy
from recon_node.engines.terms.photometric import Photometric
from recon_node.engines.terms.prior import Prior
from recon_node.engines.terms.surface import Surface
from recon_node.engines.terms.term import (
    Measurements,
    Schedule,
    Step,
    WeightedTerm,
    weighted_sum,
)
from recon_node.engines.terms.total_variation import TotalVariation
from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.warp_start import start_warp

TRUE_RADIUS = 0.4
GRID = HashGridConfig(levels=4, features=2, base=8, finest=32, table_size=2**12)


@pytest.fixture
def generator():
    start_warp()
    return torch.Generator().manual_seed(20_260_101)


@pytest.fixture
def field(generator):
    """A ball of radius 0.5, which is too large."""
    return HashSdfField(HashSdfConfig(grid=GRID, hidden_width=16), LaplaceDensity(), generator)


def _step(field, occupancy, generator, count=64):
    """Rays from all around at a red ball of the true radius."""
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1) * 2
    aims = 0.6 * torch.rand(count, 3, generator=generator) - 0.3
    directions = torch.nn.functional.normalize(aims - origins, dim=1)
    along = (origins * directions).sum(1)
    inside = along.square() - origins.square().sum(1) + TRUE_RADIUS**2
    depths = -along - inside.sqrt()  # NaN beside the ball
    measured = Measurements(
        rgbs=torch.tensor([1.0, 0.0, 0.0]).expand(count, 3),
        masks=(inside > 0).float(),
        depths=depths,
        depth_sigmas=torch.full((count,), 0.02),
        weights=torch.ones(count),
        keyframes=torch.zeros(count, dtype=torch.int64),
    )
    rays = Rays(origins, directions)
    jitter = torch.rand(count, generator=generator)
    rendered = render(field, rays, occupancy, step=0.05, jitter=jitter)
    return Step(field, rays, measured, rendered, generator, progress=0.5)


def test_every_term_moves_the_field(field, generator):
    """Give each a finite value and, alone, finite gradients of which some are not zero."""
    points = torch.rand(50, 3, generator=generator)
    terms = [
        *(Photometric(), Mask(), Depth(), Surface(), FreeSpace(), Eikonal(), NormalSmoothness()),
        *(OpacityEntropy(), Distortion(), TotalVariation()),
        Prior(points, torch.zeros(50), torch.ones(50)),
    ]
    step = _step(field, OccupancyGrid(16), generator)
    for term in terms:
        said = weighted_sum([WeightedTerm(term, Schedule.constant(1.0))], step)
        assert said.values[term.name] > 0
        slopes = torch.autograd.grad(
            said.total, field.parameters(), retain_graph=True, materialize_grads=True
        )
        assert all(slope.isfinite().all() for slope in slopes), term.name
        assert any(slope.any() for slope in slopes), term.name


def test_measurements_shrink_a_ball_that_is_too_large(field, generator):
    """Take 40 steps; then the true surface is less than a third as far as before."""
    points = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1)
    points = TRUE_RADIUS * points
    before = field.sdf(points).detach().abs().median().item()
    weights = {Surface(): 0.3, FreeSpace(): 30.0, Mask(): 1.0, Eikonal(): 0.1}
    terms = [WeightedTerm(term, Schedule.constant(weight)) for term, weight in weights.items()]
    optimiser = torch.optim.Adam(field.parameters(), lr=5e-3)
    occupancy = OccupancyGrid(16)
    for _ in range(40):
        optimiser.zero_grad()
        weighted_sum(terms, _step(field, occupancy, generator)).total.backward()
        optimiser.step()
    assert before == pytest.approx(0.05, abs=0.01)  # no deeper inside the ball it begins as
    assert field.sdf(points).abs().median().item() < before / 3
