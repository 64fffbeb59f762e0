# SPDX-License-Identifier: Apache-2.0
"""The hash grid's field against autograd through its own definition."""

import pytest
import torch

from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.surface_density import LaplaceDensity, LogisticDensity
from recon_node.kernels.hash_grid_config import HashGridConfig

GRID = HashGridConfig(levels=4, features=2, table_size=1 << 10, base=4, finest=32)


@pytest.fixture
def points(generator):
    return 2 * torch.rand(300, 3, generator=generator) - 1


@pytest.fixture
def make_field(generator):
    def make(conversion=None, *, levels=4):
        field = HashSdfField(HashSdfConfig(grid=GRID), conversion or LaplaceDensity(), generator)
        with torch.no_grad():
            field.layer.table.uniform_(-0.3, 0.3, generator=generator)
            field.layer.bias.uniform_(-0.3, 0.3, generator=generator)
        field.levels = levels
        return field

    return make


def test_it_starts_as_a_sphere(generator, points):
    field = HashSdfField(HashSdfConfig(), LaplaceDensity(), generator)
    sphere = (points.norm(dim=1) - 0.5).clamp(min=-0.05)
    torch.testing.assert_close(field.sdf(points), sphere, rtol=0, atol=1e-3)


@pytest.mark.parametrize("levels", [2, 4])
def test_gradients_in_space_are_those_of_autograd(make_field, points, levels):
    field = make_field(levels=levels)
    points = points.requires_grad_()
    expected = torch.autograd.grad(field.sdf(points).sum(), points)[0]
    sdf, gradients = field.sdf_gradients(points)
    torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sdf, field.sdf(points))
    torch.testing.assert_close(field.normals(points).norm(dim=1), torch.ones(300))


def test_a_loss_on_gradients_reaches_weights_as_autograd_says(make_field, points):
    field = make_field()
    points = points.requires_grad_()
    weights = field.layer.table, field.layer.weight, field.geometry.weight
    expected = torch.autograd.grad(field.sdf(points).sum(), points, create_graph=True)[0]
    expected = torch.autograd.grad((expected.norm(dim=1) - 1).square().sum(), weights)
    gradients = field.sdf_gradients(points)[1]
    found = torch.autograd.grad((gradients.norm(dim=1) - 1).square().sum(), weights)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("conversion", [LaplaceDensity(0.1), LogisticDensity(10.0)])
@pytest.mark.parametrize("with_gradients", [False, True])
def test_samples_say_what_the_other_methods_say(
    make_field, points, generator, conversion, with_gradients
):
    field = make_field(conversion)
    directions = torch.nn.functional.normalize(torch.randn(300, 3, generator=generator), dim=1)
    lengths = torch.full((300,), 0.02)
    said = field.sample(points, directions, lengths, with_gradients=with_gradients)
    sdf, gradients = field.sdf_gradients(points)
    torch.testing.assert_close(said.sdf, sdf)
    torch.testing.assert_close(said.rgbs, field.colour(points, directions))
    expected = conversion(sdf, (gradients * directions).sum(1), lengths)
    torch.testing.assert_close(said.sigmas, expected, rtol=1e-4, atol=1e-4)
    if with_gradients:
        torch.testing.assert_close(said.gradients, gradients)
    else:
        assert said.gradients is None


def test_levels_switch_features_and_their_gradients_off(make_field, points):
    field = make_field(levels=2)
    before = field.sdf(points), field.sdf_gradients(points)[1], field.colour(points, points)
    sum(answer.sum() for answer in before).backward()
    coarse = sum(GRID.rows[:2])
    assert (field.layer.table.grad[coarse:] == 0).all() and field.layer.table.grad[:coarse].any()
    assert (field.layer.weight.grad[:, 4:] == 0).all() and field.layer.weight.grad[:, :4].any()
    with torch.no_grad():
        field.layer.table[coarse:] += 1
    after = field.sdf(points), field.sdf_gradients(points)[1], field.colour(points, points)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    field.levels = 4
    assert not torch.allclose(field.sdf(points), before[0])


def test_cells_away_from_the_surface_hold_no_matter(generator):
    field = HashSdfField(HashSdfConfig(radius=0.5), LaplaceDensity(0.002), generator)
    points = torch.tensor([[0.0, 0.0, z] for z in (0.0, 0.35, 0.5, 0.65, 0.9)])
    assert field.may_hold_matter(points, 0.01).tolist() == [False, False, True, False, False]
    assert field.may_hold_matter(points, 0.05).tolist() == [True, True, True, False, False]
