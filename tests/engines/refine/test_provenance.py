# SPDX-License-Identifier: Apache-2.0
"""What keyframes saw of a mesh: its front once, its overlap twice, its back never."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance
from recon_node.engines.refine.box import refinement_box
from recon_node.engines.refine.provenance import SIGMA, annotated


@pytest.fixture
def block(keyframes, solid):
    """The true surface in the box, the keyframes, and the box."""
    views = keyframes(3)
    box = refinement_box(views[0].result, views)
    mesh = Mesh(solid.vertices.astype(np.float32), solid.faces.astype(np.int32))
    return mesh.transformed(box.inverse()), views, box


def shares(mesh):
    return np.bincount(mesh.provenance, minlength=3) / len(mesh.provenance)


def test_more_keyframes_see_more_and_see_it_again(block):
    mesh, views, box = block
    one, three = annotated(mesh, views[:1], box), annotated(mesh, views, box)
    assert shares(one)[Provenance.SEEN_TWICE] == 0
    assert 0.2 < shares(one)[Provenance.SEEN_ONCE] < 0.8
    assert shares(three)[Provenance.HALLUCINATED] <= shares(one)[Provenance.HALLUCINATED]
    assert shares(three)[Provenance.SEEN_TWICE] > 0.02


def test_the_far_side_is_hallucinated(block):
    mesh, views, box = block
    away = box.R.T @ views[0].view.camera.T_world_camera[:3, 2]
    one = annotated(mesh, views[:1], box)
    behind = mesh.vertex_normals() @ away > 0.3
    assert (one.provenance[behind] == Provenance.HALLUCINATED).all()


def test_a_surface_beside_the_depth_is_not_seen(block):
    mesh, views, box = block
    depth = views[0].view.depth + np.float32(0.1 * box.scale)
    farther = replace(views[0], view=replace(views[0].view, depth=depth))
    assert shares(annotated(mesh, [farther], box))[Provenance.HALLUCINATED] > 0.99


def test_without_depth_a_vertex_is_seen_less_surely(block):
    mesh, views, box = block
    flat = replace(views[0], view=replace(views[0].view, depth=None))
    told = annotated(mesh, [flat], box)
    seen = told.provenance > 0
    assert seen.any()
    np.testing.assert_allclose(told.sigma[seen], SIGMA.seen * mesh.extents.max(), rtol=1e-5)


def test_an_occluded_pixel_shows_nothing(block):
    mesh, views, box = block
    blind = replace(views[0], known=np.zeros_like(views[0].known))
    assert (annotated(mesh, [blind], box).provenance == Provenance.HALLUCINATED).all()
