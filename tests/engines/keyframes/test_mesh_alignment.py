# SPDX-License-Identifier: Apache-2.0
"""A camera without a pose is placed by the mesh, or refused."""

import numpy as np
import pytest

from recon_node.engines.camera import View
from recon_node.engines.errors import RegistrationError
from recon_node.engines.keyframes.keyframe import Keyframe, with_T_world_camera
from recon_node.engines.keyframes.mesh_alignment import align_to_mesh
from recon_node.engines.transforms import invert, transform_points

SENSOR = {"noise": 0.0015, "ragged": 2}


@pytest.mark.parametrize("name", ["bracket", "mug", "box"])
def test_a_camera_is_found_from_the_one_before(scene, arc, rng, name):
    last, true = arc(12)[4:6]  # 11 degrees and 12 cm further
    keyframe = with_T_world_camera(scene(name).keyframe(true, **SENSOR), last)
    found = align_to_mesh(keyframe, scene(name).mesh, rng=rng)
    points = scene(name).mesh.vertices
    seen = transform_points(invert(true), points)
    off = transform_points(found.T_world_camera, seen) - points
    assert np.sqrt((off**2).sum(1).mean()) < 1.5e-3
    assert found.support > 0.95 and found.overlap > 0.85


def test_the_same_state_of_chance_gives_the_same_camera(scene, arc):
    keyframe = scene("mug").keyframe(arc(2)[0], **SENSOR)
    a, b = (
        align_to_mesh(keyframe, scene("mug").mesh, rng=np.random.default_rng(3)) for _ in range(2)
    )
    np.testing.assert_array_equal(a.T_world_camera, b.T_world_camera)


def test_another_object_is_refused(scene, arc, rng):
    keyframe = scene("bracket").keyframe(arc(3)[1])
    with pytest.raises(RegistrationError, match="does not fit the mesh: .* of its points"):
        align_to_mesh(keyframe, scene("mug").mesh, rng=rng)


def test_a_camera_gone_too_far_is_refused(scene, arc, rng):
    keyframe = scene("bracket").keyframe(arc(2)[0])
    far = with_T_world_camera(keyframe, arc(2, 260)[1])
    with pytest.raises(RegistrationError, match="the camera went too far"):
        align_to_mesh(far, scene("bracket").mesh, rng=rng)


def test_without_depth_there_is_nothing_to_align(scene, arc, rng):
    keyframe = scene("mug").keyframe(arc(1)[0])
    view = View(keyframe.view.image, keyframe.view.mask, keyframe.view.camera)
    with pytest.raises(RegistrationError, match="only 0 pixels of the mask have a surface"):
        align_to_mesh(Keyframe(view, keyframe.known), scene("mug").mesh, rng=rng)
