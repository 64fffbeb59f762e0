# SPDX-License-Identifier: Apache-2.0
"""The plane that an object stands on: where it is, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from recon_node.engines.camera import Camera, View
from recon_node.engines.hull import HullEngine
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.keyframes.plane import Plane
from recon_node.engines.mesh import Mesh
from recon_node.engines.refine.start_points import start_points
from recon_node.engines.refine.support_plane import support_plane
from recon_node.engines.transforms import Similarity, look_at
from recon_node.kernels.ray_cast import RayCaster

BOX = Similarity(0.1, np.eye(3), np.zeros(3))
TABLE = -0.05  # height [m]
SIDE = 128  # of the pictures [px]


def seen(solid, *, table=TABLE, noise=0.0):
    """Three keyframes of a solid on a horizontal table, or above it; `table` None: there is none.

    Args:
        solid: Around the origin [m].
        table: Height of the table [m].
        noise: Of depth, one standard deviation [m].
    """
    rng = np.random.default_rng(0)
    caster = RayCaster(solid.vertices, solid.faces, signed=False)
    keyframes = []
    for angle in np.radians((-50, 0, 50)):
        eye = 0.4 * np.array([np.cos(angle) * 0.85, np.sin(angle) * 0.85, 0.53])
        T = look_at(eye, (0, 0, 0), (0, 0, 1))
        K = np.array([[160.0, 0, SIDE / 2], [0, 160.0, SIDE / 2], [0, 0, 1]])
        camera = Camera(K, SIDE, SIDE, T)
        tangents = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(SIDE * SIDE))
        rays = tangents @ T[:3, :3].T
        hits = caster.cast(np.broadcast_to(eye, rays.shape), rays)
        z = np.where(hits.faces >= 0, hits.distances, np.inf)
        if table is not None:
            to_table = (table - eye[2]) / rays[:, 2]
            z = np.minimum(z, np.where(to_table > 0, to_table, np.inf))
        z = np.where(np.isfinite(z), z + noise * rng.standard_normal(len(z)), np.nan)
        mask = (hits.faces >= 0).reshape(SIDE, SIDE)
        depth = z.reshape(SIDE, SIDE).astype(np.float32)
        image = np.full((SIDE, SIDE, 3), 90, np.uint8)
        keyframes.append(make_keyframe(View(image, mask, camera, depth)))
    return keyframes


@pytest.fixture
def block() -> trimesh.Trimesh:
    """8 x 6 x 10 cm, on the table."""
    return trimesh.creation.box((0.08, 0.06, 0.10))


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_the_table_is_found(block, noise, rng):
    plane = support_plane(seen(block, noise=noise), BOX, rng=rng)
    assert plane.normal[2] > np.cos(np.radians(1.5))
    assert plane.offset == pytest.approx(TABLE / BOX.scale, abs=0.015)


def test_the_same_seed_finds_the_same_plane(block):
    first, second = (
        support_plane(seen(block), BOX, rng=np.random.default_rng(4)) for _ in range(2)
    )
    assert first.offset == second.offset and (first.normal == second.normal).all()


def test_a_plane_that_the_object_passes_through_is_none(block, rng):
    """A table over whose edge the object hangs, or with a hole, says nothing of what is below."""
    keyframes = []
    for keyframe in seen(block):
        view = keyframe.view
        nearer = view.depth - np.float32(0.05 / 0.53)  # the surroundings 5 cm higher
        depth = np.where(view.mask, view.depth, nearer)
        keyframes.append(replace(keyframe, view=replace(view, depth=depth)))
    assert support_plane(keyframes, BOX, rng=rng) is None


def test_rubble_is_no_plane(block, rng):
    keyframes = []
    for keyframe in seen(block):
        view = keyframe.view
        shift = np.random.default_rng(1).uniform(-0.15, 0.15, view.depth.shape)
        depth = np.where(view.mask, view.depth, view.depth + shift.astype(np.float32))
        keyframes.append(replace(keyframe, view=replace(view, depth=depth)))
    assert support_plane(keyframes, BOX, rng=rng) is None


def test_without_surroundings_there_is_none(block, rng):
    assert support_plane(seen(block, table=None), BOX, rng=rng) is None
    view = seen(block)[0].view
    without_depth = make_keyframe(View(view.image, view.mask, view.camera))
    assert support_plane([without_depth], BOX, rng=rng) is None


def test_of_an_object_without_depth_no_side_is_known(block, rng):
    """Tell nothing of a glass on a table, which the camera measures only around it."""
    view = seen(block)[0].view
    depth = np.where(view.mask, np.float32(np.nan), view.depth)
    assert support_plane([make_keyframe(replace(view, depth=depth))], BOX, rng=rng) is None


def test_points_below_are_lifted_to_the_plane_and_others_stay(rng):
    normal = np.array([0.6, 0.0, 0.8])
    plane = Plane(normal, -0.2)
    points = rng.uniform(-1, 1, (200, 3))
    lifted = plane.lifted(points)
    heights = plane.heights(points)
    np.testing.assert_allclose(plane.heights(lifted), np.maximum(heights, 0), atol=1e-12)
    np.testing.assert_array_equal(lifted[heights > 0], points[heights > 0])
    np.testing.assert_allclose(np.cross(points - lifted, normal), 0, atol=1e-12)


def test_nothing_of_a_start_is_below_the_table(block, rng):
    """Cut a start whose underside is 2 cm too low off where the table is."""
    keyframes = seen(block)
    start = HullEngine().reconstruct([keyframes[0].view])
    low = Mesh((block.vertices - (0, 0, 0.02)).astype(np.float32), block.faces.astype(np.int32))
    known = start_points(
        replace(start, mesh=low, T_world_object=np.eye(4)), keyframes, BOX, rng=rng
    )
    depths = TABLE / BOX.scale - known.points[:, 2]
    below = depths > 0.02
    assert below.sum() > 1000
    assert (known.sdf[below] > depths[below] - 0.02).all()
    inside = known.hidden & (np.abs(known.points + (0, 0, 0.1)) < (0.3, 0.2, 0.3)).all(axis=1)
    assert inside.sum() > 300 and (known.sdf[inside] < 0).all()
