# SPDX-License-Identifier: Apache-2.0
"""What is known before the optimisation: measured where it was seen, guessed where it was not."""

import numpy as np
import pytest
import torch

from recon_node.engines.fields.hash_sdf import HashSdfConfig, HashSdfField
from recon_node.engines.fields.surface_density import LaplaceDensity
from recon_node.engines.refine.box import measured_points, refinement_box
from recon_node.engines.refine.start_fit import StartFit
from recon_node.engines.refine.start_points import TRUNCATION, start_points
from recon_node.kernels.ray_cast import RayCaster


@pytest.fixture
def known(keyframes, rng):
    """Start points of three keyframes, and the box."""
    views = keyframes(3)
    box = refinement_box(views[0].result, views)
    return start_points(views[0].result, views, box, rng=rng), views, box


def test_seen_points_have_measured_distances(known):
    start, views, box = known
    measured = box.inverse().apply(np.concatenate([measured_points(view) for view in views]))
    distances = np.linalg.norm(start.points[:, None] - measured[::7], axis=2).min(axis=1)
    near = (distances < 0.02) & ~start.hidden
    assert near.sum() > 50
    assert np.abs(start.sdf[near]).mean() < 0.03
    assert (start.sdf[~start.hidden & (distances > 0.5)] > 0.9 * TRUNCATION).mean() > 0.9


def test_the_inside_is_hidden_and_the_air_is_not(known):
    start, _, box = known
    middle = box.inverse().apply(np.array([[0.2, -0.1, 0.3]]))[0]
    inside = np.linalg.norm(start.points - middle, axis=1) < 0.15
    assert start.hidden[inside].mean() > 0.9
    assert (start.sdf[inside] < 0).mean() > 0.9
    assert start.hidden.mean() < 0.6


def test_colours_are_those_of_the_nearest_surface(keyframes, rng):
    views = keyframes(1)
    box = refinement_box(views[0].result, views)
    start = start_points(views[0].result, views, box, rng=rng)
    mesh = views[0].result.mesh
    T = views[0].result.T_world_object
    world = (mesh.vertices @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    caster = RayCaster(world, mesh.faces)
    hits = caster.closest(box.apply(start.points[:100]).astype(np.float32))
    blended = (mesh.colors[mesh.faces[hits.faces]] * hits.barycentric[..., None]).sum(1) / 255
    np.testing.assert_allclose(start.colours[:100], blended, atol=0.02)


def test_a_field_is_fitted_to_the_start(known):
    start, _, _ = known
    generator = torch.Generator().manual_seed(0)
    field = HashSdfField(HashSdfConfig(), LaplaceDensity(), generator)
    fit = StartFit(field, start, generator)
    for _ in fit.steps():
        pass
    assert fit.error() < 0.005
    near = np.abs(start.sdf) < 0.02
    with torch.no_grad():
        colours = field.colour(torch.from_numpy(start.points[near]), torch.zeros(near.sum(), 3))
    assert np.abs(colours.numpy() - start.colours[near]).mean() < 0.08
