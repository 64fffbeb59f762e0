# SPDX-License-Identifier: Apache-2.0
"""Triplanes against the twin without gradients and the model's own decoder."""

import numpy as np
import pytest
import torch

from recon_node.engines.fields.occupancy import OccupancyGrid
from recon_node.engines.fields.renderer import Rays, render
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.engines.fields.triplane_field import CompactSdfField, TriplaneDensityField
from recon_node.engines.lrm.model import CompactConfig
from recon_node.engines.lrm.model import Decoder as CompactDecoder
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import Decoder as TriposrDecoder
from recon_node.engines.transforms import Similarity, rotation_between
from recon_node.engines.triplane import TriplaneField

PLACED = Similarity(0.6, rotation_between([0, 0, 1], [1, 2, 3]), np.array([0.1, 0.05, -0.1]))
CONFIG = TripoSRConfig(plane_channels=4, hidden_width=8, hidden_layers=2)


class _Backend:
    """The decoder as the twin asks for it."""

    concurrency = 1

    def __init__(self, decoder):
        self._decoder = decoder

    def run(self, inputs, outputs=None):
        with torch.no_grad():
            answers = self._decoder(torch.from_numpy(inputs["hidden"]))
        return dict(zip(("density", "colour"), (a.numpy() for a in answers), strict=True))


def _seeded(module, generator):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.6, 0.6, generator=generator)
    return module.requires_grad_(False)


@pytest.fixture
def decoder(generator):
    return _seeded(TriposrDecoder(CONFIG), generator)


@pytest.fixture
def planes(generator):
    return torch.randn(3, 8, 16, 16, generator=generator)


@pytest.fixture
def triplane(decoder, planes):
    return TriplaneDensityField(decoder, planes, half_extent=0.5, S_model_box=PLACED)


@pytest.fixture
def compact(generator):
    config = CompactConfig(front_channels=4, side_channels=4, hidden_width=16)
    planes = (
        torch.randn(1, 4, 16, 16, generator=generator),
        torch.randn(1, 2, 4, 8, 8, generator=generator),
        torch.rand(1, 6, 32, 32, generator=generator),
        torch.tensor([0.3]),
    )
    decoder = _seeded(CompactDecoder(config), generator)
    conversion = LaplaceDensity(0.05)
    return CompactSdfField(decoder, *planes, conversion=conversion, S_canonical_box=PLACED)


def _points(generator, count=300):
    return 2 * torch.rand(count, 3, generator=generator) - 1


def test_a_triplane_is_as_its_twin(triplane, decoder, planes, generator):
    points = _points(generator)
    in_model = PLACED.apply(points.numpy()).astype(np.float32)
    inside = (np.abs(in_model) <= 0.5).all(axis=1)
    assert 50 < inside.sum() < 250
    twin = TriplaneField(_Backend(decoder), planes.numpy(), half_extent=0.5)
    found = triplane.density(points)
    # A length of the model is 0.6 of one of the box: what a ray passes stays the same.
    expected = 0.6 * np.exp(twin.density(in_model) - 1) * inside
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-3, atol=1e-5)
    colours = torch.from_numpy(twin.colours(in_model))
    torch.testing.assert_close(triplane.colour(points, points), colours, rtol=1e-4, atol=1e-4)


def test_a_compact_field_is_as_its_decoder_says(compact, generator):
    points = _points(generator)
    in_cube = torch.from_numpy(PLACED.apply(points.numpy()).astype(np.float32))
    sdf, rgbs = compact.decoder(*compact.planes, in_cube[None])
    torch.testing.assert_close(compact.sdf(points), sdf[0] / 0.6, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(compact.colour(points, points), rgbs[0], rtol=1e-4, atol=1e-5)


def test_normals_are_those_of_autograd(triplane, compact, generator):
    points = (0.4 * _points(generator)).requires_grad_()
    falls = -torch.autograd.grad(triplane.density(points).sum(), points)[0]
    rises = torch.autograd.grad(compact.sdf(points).sum(), points)[0]
    for found, slopes in ((triplane.normals(points), falls), (compact.normals(points), rises)):
        torch.testing.assert_close(found, torch.nn.functional.normalize(slopes, dim=1))
        assert not found.requires_grad
    torch.testing.assert_close(compact.sdf_gradients(points)[1], rises)


@pytest.mark.parametrize("conversion", [LaplaceDensity(0.1), LogisticDensity(10.0)])
def test_samples_of_a_compact_field_say_what_its_methods_say(compact, generator, conversion):
    compact.conversion = conversion
    points, lengths = _points(generator), torch.full((300,), 0.02)
    directions = torch.nn.functional.normalize(_points(generator), dim=1)
    said = compact.sample(points, directions, lengths, with_gradients=True)
    sdf, gradients = compact.sdf_gradients(points)
    torch.testing.assert_close(said.gradients, gradients)
    expected = conversion(sdf, (gradients * directions).sum(1), lengths)
    torch.testing.assert_close(said.sigmas, expected)
    assert compact.sample(points, directions, lengths).gradients is None


def test_light_reaches_planes_and_rays(decoder, planes, generator):
    planes = torch.nn.Parameter(planes)
    field = TriplaneDensityField(decoder, planes, half_extent=0.5, S_model_box=PLACED)
    occupancy = OccupancyGrid(16)
    occupancy.update(field)
    assert 0.05 < occupancy.share < 0.9  # the model's cube in the box
    origins = torch.tensor([[0.0, 0.1, -3.0]]).repeat(20, 1).requires_grad_()
    directions = torch.nn.functional.normalize(_points(generator, 20) - origins.detach(), dim=1)
    found = render(field, Rays(origins, directions), occupancy, step=0.05, jitter=torch.zeros(20))
    assert found.opacities.max() > 0.1
    found.rgbs.sum().backward()
    assert planes.grad.isfinite().all() and planes.grad.any()
    assert origins.grad.isfinite().all() and origins.grad.any()
