# SPDX-License-Identifier: Apache-2.0
"""TSDF fusion of exact views lies on the true surface, in the world, with the object's colours."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptySurfaceError, InvalidInputError
from recon_node.engines.transforms import look_at
from recon_node.evaluation.tsdf_fusion import fuse_tsdf
from recon_node.kernels.ray_cast import RayCaster

RADIUS, CENTRE = 0.05, np.array([0.3, -0.2, 0.1])  # [m], world
SIDE = 96  # [px]


@pytest.fixture(scope="module")
def views() -> list[View]:
    """Four pictures of an orange ball before nothing."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    caster = RayCaster(ball.vertices + CENTRE, ball.faces)
    K = np.array([[130.0, 0, SIDE / 2], [0, 130.0, SIDE / 2], [0, 0, 1]])
    views = []
    for azimuth in np.deg2rad([0, 40, 80, 120]):
        eye = CENTRE + 0.2 * np.array([np.cos(azimuth), np.sin(azimuth), 0.6])
        camera = Camera(K, SIDE, SIDE, look_at(eye, CENTRE, (0, 0, 1)))
        pixels = camera.pixel_grid().reshape(-1, 2)
        rays = camera.unproject(pixels, np.ones(len(pixels))) @ camera.T_world_camera[:3, :3].T
        hits = caster.cast(np.broadcast_to(eye, rays.shape), rays)
        depth = np.where(hits.faces >= 0, hits.distances, np.nan).reshape(SIDE, SIDE)
        image = np.full((SIDE, SIDE, 3), (200, 120, 40), np.uint8)
        views.append(View(image, ~np.isnan(depth), camera, depth.astype(np.float32)))
    return views


def test_fused_surface_lies_on_the_ball(views):
    mesh = fuse_tsdf(views)
    distances = np.linalg.norm(mesh.vertices - CENTRE, axis=1) - RADIUS
    voxel = 2 * RADIUS / 96
    assert np.abs(np.median(distances)) < 0.2 * voxel
    assert np.quantile(np.abs(distances), 0.9) < voxel  # the rest hangs over at the outlines
    assert np.median(np.abs(mesh.colors.astype(int) - (200, 120, 40))) <= 1
    outward = np.sum(mesh.face_normals() * (mesh.vertices[mesh.faces[:, 0]] - CENTRE), axis=1)
    assert np.mean(outward > 0) > 0.99


def test_what_no_view_saw_stays_open(views):
    """From 0 to 120 degrees of azimuth at 31 of elevation the far lower side is hidden."""
    mesh = fuse_tsdf(views)
    assert not mesh.is_watertight
    hidden = np.array([np.cos(np.deg2rad(240)), np.sin(np.deg2rad(240)), -0.6])
    hidden = CENTRE + RADIUS * hidden / np.linalg.norm(hidden)
    assert np.linalg.norm(mesh.vertices - hidden, axis=1).min() > 0.5 * RADIUS


def test_views_without_depth_are_refused(views):
    with pytest.raises(InvalidInputError, match="no depth.*give depth images"):
        fuse_tsdf([views[0], replace(views[1], depth=None)])


def test_views_of_nothing_are_refused(views):
    unknown = np.full((SIDE, SIDE), np.nan, np.float32)
    with pytest.raises(EmptySurfaceError, match="no depth is known within the masks"):
        fuse_tsdf([replace(view, depth=unknown) for view in views])
