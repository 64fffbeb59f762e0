# SPDX-License-Identifier: Apache-2.0
"""Coverage of intervals whose coverage is known."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import Similarity
from recon_node.evaluation.sigma import interval_coverage_90
from recon_node.evaluation.solid import Solid


def noisy_sphere(scale: float, noise: float, sigma: float | None) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=4)
    radii = 1.0 + noise * np.random.default_rng(0).standard_normal((len(sphere.vertices), 1))
    count = len(sphere.vertices)
    return Mesh(
        vertices=(scale * radii * sphere.vertices).astype(np.float32),
        faces=np.asarray(sphere.faces, np.int32),
        sigma=None if sigma is None else np.full(count, scale * sigma, np.float32),
    )


TRUTH = Solid(noisy_sphere(1.0, 0.0, None))


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_honest_sigma_covers_nine_of_ten(scale, rng):
    S = Similarity(1.0 / scale, np.eye(3), np.zeros(3))
    mesh = Solid(noisy_sphere(scale, 0.02, 0.02))
    assert interval_coverage_90(mesh, TRUTH, S, rng=rng) == pytest.approx(0.9, abs=0.03)


def test_boastful_and_timid_sigma_are_told_apart(rng):
    identity = Similarity.identity()
    boastful, timid = (Solid(noisy_sphere(1.0, 0.02, sigma)) for sigma in (0.002, 0.2))
    assert interval_coverage_90(boastful, TRUTH, identity, rng=rng) < 0.3
    assert interval_coverage_90(timid, TRUTH, identity, rng=rng) == 1.0


def test_without_sigma_there_is_nothing_to_cover(rng):
    assert interval_coverage_90(TRUTH, TRUTH, Similarity.identity(), rng=rng) is None
