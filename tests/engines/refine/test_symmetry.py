# SPDX-License-Identifier: Apache-2.0
"""Mirror planes: those that an object has, and none of an object without."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.refine.symmetry import MirrorPlane, mirror_planes
from recon_node.engines.transforms import Similarity, look_at
from recon_node.kernels.ray_cast import RayCaster

BOX = Similarity(0.1, np.eye(3), np.zeros(3))
TRUNCATION = 0.06


def seen(solid, angles):
    """Keyframes of a solid around the origin from azimuths [degree]."""
    caster = RayCaster(solid.vertices, solid.faces, signed=False)
    keyframes = []
    for angle in np.radians(angles):
        eye = 0.4 * np.array([np.cos(angle) * 0.85, np.sin(angle) * 0.85, 0.53])
        T = look_at(eye, (0, 0, 0), (0, 0, 1))
        camera = Camera(np.array([[160.0, 0, 64], [0, 160.0, 64], [0, 0, 1]]), 128, 128, T)
        rays = camera.rays(camera.pixel_grid().reshape(-1, 2))
        hits = caster.cast(np.broadcast_to(eye, rays.shape), rays @ T[:3, :3].T)
        mask = (hits.faces >= 0).reshape(128, 128)
        z = np.where(hits.faces >= 0, hits.distances * rays[:, 2], np.nan).reshape(128, 128)
        image = np.full((128, 128, 3), 90, np.uint8)
        keyframes.append(make_keyframe(View(image, mask, camera, z.astype(np.float32))))
    return keyframes


@pytest.fixture
def wedge() -> trimesh.Trimesh:
    """A solid that is its own mirror image in y = 0 and in no other plane."""
    corners = [
        (-0.06, -0.05, -0.05),
        (0.07, -0.03, -0.05),
        (0.04, -0.01, 0.02),
        (-0.05, -0.02, 0.06),
    ]
    both = np.array(corners + [(x, -y, z) for x, y, z in corners])
    return trimesh.convex.convex_hull(both)


@pytest.fixture
def lump() -> trimesh.Trimesh:
    """A solid without any symmetry."""
    points = np.random.default_rng(5).normal(size=(14, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return trimesh.convex.convex_hull(points * (0.08, 0.05, 0.065))


@pytest.mark.parametrize("angles", [(0, 60, 120), (-60, 0, 60)])
def test_the_plane_of_a_symmetric_object_is_found(wedge, angles, rng):
    planes = mirror_planes(seen(wedge, angles), BOX, truncation=TRUNCATION, rng=rng)
    assert len(planes) >= 1
    assert abs(planes[0].normal[1]) > np.cos(np.radians(4))
    assert abs(planes[0].offset) < 0.02
    assert planes[0].amiss < 0.04 < 0.5 < planes[0].met


def test_an_object_without_symmetry_has_no_plane(lump, rng):
    assert mirror_planes(seen(lump, (0, 60, 120)), BOX, truncation=TRUNCATION, rng=rng) == []


def test_without_depth_there_is_no_plane(wedge, rng, posed_views):
    keyframe = seen(wedge, (0,))[0]
    view = View(keyframe.view.image, keyframe.view.mask, keyframe.view.camera)
    assert mirror_planes([make_keyframe(view)], BOX, truncation=TRUNCATION, rng=rng) == []


coordinates = st.tuples(*3 * [st.floats(-1, 1)])


@given(point=coordinates, normal=coordinates, offset=st.floats(-1, 1))
def test_mirroring_twice_changes_nothing_and_keeps_distances(point, normal, offset):
    normal = np.add(normal, (0, 0, 2.0))
    plane = MirrorPlane(normal / np.linalg.norm(normal), offset, 1.0, 0.0)
    points = np.array([point, (0.2, -0.4, 0.1)])
    once = plane.mirror(points)
    np.testing.assert_allclose(plane.mirror(once), points, atol=1e-9)
    np.testing.assert_allclose(plane.normal @ (points + once).T / 2, offset, atol=1e-9)
    np.testing.assert_allclose(
        np.linalg.norm(once[0] - once[1]), np.linalg.norm(points[0] - points[1]), atol=1e-9
    )
