# SPDX-License-Identifier: Apache-2.0
"""Scale from further views: found where cameras stand apart, and not claimed where they do not."""

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import Camera, View
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.triangulated_scale import triangulated_scale, with_scale
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import look_at

MIDDLE = np.array([0.2, -0.1, 0.3])  # of the object of `posed_views` [m]


def without_depth(view):
    """The view as a camera without depth takes it."""
    return View(view.image, view.mask, view.camera)


def perfect_result(view, scale):
    """The true block and knob, grown around the view's camera by a factor."""
    block = trimesh.creation.box((0.08, 0.06, 0.10))
    knob = trimesh.creation.icosphere(radius=0.022).apply_translation((0.03, 0.03, 0.05))
    solid = trimesh.util.concatenate([block, knob])
    centre = view.camera.T_world_camera[:3, 3]
    T_world_object = np.eye(4)
    T_world_object[:3, 3] = centre + scale * (MIDDLE - centre)
    vertices = (scale * solid.vertices).astype(np.float32)
    return Reconstruction(
        object_id="block",
        version=1,
        parent_version=None,
        stage=Stage.INSTANT,
        mesh=Mesh(vertices, solid.faces.astype(np.int32)),
        T_world_object=T_world_object,
        scale_source=ScaleSource.NONE,
        scale_sigma=np.inf,
        engine="compact",
        view_count=1,
    )


@pytest.mark.parametrize("factor", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("count", [2, 4])
def test_scale_of_the_true_shape_is_found(posed_views, count, factor):
    """Undo a wrong size of the true shape within a percent or two, whatever the factor."""
    views = [without_depth(view) for view in posed_views(count, arc=60.0)]
    found = triangulated_scale(perfect_result(views[0], factor), views)
    assert found.scale * factor == pytest.approx(1, abs=0.02)
    assert abs(np.log(found.scale * factor)) < found.sigma < 0.1
    assert found.agreement > 0.9


@pytest.mark.parametrize(("count", "arc"), [(2, 20.0), (2, 60.0), (5, 120.0)])
def test_scale_of_a_guessed_shape_is_close(posed_views, count, arc):
    """Place an extruded silhouette, made without depth, where the block is, within two sigma."""
    views = [without_depth(view) for view in posed_views(count, arc=arc)]
    result = HullEngine().reconstruct([views[0]])
    assert result.scale_source is ScaleSource.NONE
    found = triangulated_scale(result, views)
    placed = with_scale(result, views[0], found)
    assert placed.scale_source is ScaleSource.TRIANGULATION
    assert placed.scale_sigma == found.sigma
    vertices = placed.mesh.transformed(placed.T_world_object).vertices
    middle = 0.5 * (vertices.min(0) + vertices.max(0))
    eye = views[0].camera.T_world_camera[:3, 3]
    ratio = np.linalg.norm(middle - eye) / np.linalg.norm(MIDDLE - eye)
    assert abs(np.log(ratio)) < 2 * found.sigma


def test_growing_leaves_the_own_view_as_it_was(posed_views):
    """Keep every vertex on its ray of the first camera, and sigma in proportion."""
    views = [without_depth(view) for view in posed_views(2)]
    before = HullEngine().reconstruct([views[0]])
    after = with_scale(before, views[0], triangulated_scale(before, views))
    T_camera_world = np.linalg.inv(views[0].camera.T_world_camera)
    pixels = []
    for result in (before, after):
        vertices = result.mesh.transformed(T_camera_world @ result.T_world_object).vertices
        pixels.append(views[0].camera.project(vertices))
    np.testing.assert_allclose(pixels[0], pixels[1], atol=0.01)
    ratio = after.mesh.extents[0] / before.mesh.extents[0]
    np.testing.assert_allclose(after.mesh.sigma, before.mesh.sigma * ratio, rtol=1e-4)


def test_parallel_rays_tell_nothing(posed_views):
    """Answer None where the cameras stand together, or are the same."""
    near = [without_depth(view) for view in posed_views(2, arc=2.0)]
    result = HullEngine().reconstruct([near[0]])
    assert triangulated_scale(result, near) is None
    assert triangulated_scale(result, [near[0], near[0]]) is None


def test_more_baseline_means_less_sigma(posed_views):
    """Trust wide angles and more views more."""
    sigmas = []
    for count, arc in ((2, 6.0), (2, 30.0), (3, 60.0)):
        views = [without_depth(view) for view in posed_views(count, arc=arc)]
        sigmas.append(triangulated_scale(perfect_result(views[0], 1.0), views).sigma)
    assert sigmas[0] > sigmas[1] > sigmas[2]


def test_rays_that_meet_behind_a_camera(posed_views):
    """Answer None where the places are so wrong that the object would be behind a camera."""
    first, second = (without_depth(view) for view in posed_views(2, arc=40.0))
    eye = first.camera.T_world_camera[:3, 3]
    away = look_at(eye + (0.3, 0.3, 0), eye + (0.9, 0.3, 0), (0, 0, 1))
    turned = Camera(second.camera.K, second.camera.width, second.camera.height, away)
    views = [first, View(second.image, second.mask, turned)]
    assert triangulated_scale(perfect_result(first, 1.0), views) is None
