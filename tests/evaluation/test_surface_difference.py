# SPDX-License-Identifier: Apache-2.0
"""The distance of surfaces whose distance is known."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.evaluation.surface_difference import hausdorff_percentile


def ball(radius: float) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32))


def test_a_surface_lies_on_itself():
    assert hausdorff_percentile(ball(1.0), ball(1.0)) == pytest.approx(0.0, abs=1e-6)


def test_balls_differ_by_their_radii_both_ways():
    there, back = (
        hausdorff_percentile(*pair) for pair in ((ball(1), ball(1.1)), (ball(1.1), ball(1)))
    )
    assert there == back == pytest.approx(0.1, rel=0.02)  # the smaller triangles cut corners


def test_what_only_one_of_them_has_is_seen_whichever_comes_first():
    """A second ball that the other surface lacks: a tenth of the vertices, five units away."""
    small = trimesh.creation.icosphere(subdivisions=3, radius=0.3)
    small.apply_translation((6.0, 0, 0))
    both = trimesh.util.concatenate([trimesh.creation.icosphere(subdivisions=4), small])
    both = Mesh(both.vertices.astype(np.float32), both.faces.astype(np.int32))
    for pair in ((both, ball(1.0)), (ball(1.0), both)):
        assert hausdorff_percentile(*pair) == pytest.approx(5.0, abs=0.4)
        assert hausdorff_percentile(*pair, percent=50.0) < 0.01
