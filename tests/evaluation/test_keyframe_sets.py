# SPDX-License-Identifier: Apache-2.0
"""Keyframes of a known object: they see what is there, and their faults are as large as said."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, transform_points
from recon_node.evaluation.keyframe_sets import KeyframeScene
from recon_node.evaluation.sensor_faults import PERFECT, POSE, SENSOR, ragged_mask
from recon_node.kernels.ray_cast import RayCaster

SIDES = (0.12, 0.08, 0.06)  # [m]


@dataclass(frozen=True, eq=False)
class Sky:
    """Even light from everywhere, and a sun at 45 degrees."""

    sun_direction: np.ndarray = field(
        default_factory=lambda: np.array([0.7071068, 0.0, 0.7071068], np.float32)
    )
    sun: np.ndarray = field(default_factory=lambda: np.full(3, 0.8, np.float32))

    def irradiance_at(self, normals: np.ndarray) -> np.ndarray:
        return np.full((len(normals), 3), 0.5, np.float32)


def _crate() -> KeyframeScene:
    box = trimesh.creation.box(extents=SIDES)
    mesh = Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32))
    return KeyframeScene("crate", mesh, Sky())


@pytest.fixture(scope="module")
def scene() -> KeyframeScene:
    return _crate()


def angle(R: np.ndarray) -> float:
    return float(np.rad2deg(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))))


def test_depth_and_pose_agree_with_the_mesh_in_the_world(scene):
    """Unproject each measured pixel of the mask: it lies on the true surface in the world."""
    caster = RayCaster(scene.mesh.vertices, scene.mesh.faces)
    for view in scene.keyframes(2, PERFECT).views:
        known = view.mask & np.isfinite(view.depth)
        pixels = view.camera.pixel_grid()[known]
        points = view.camera.unproject(pixels, view.depth[known])
        world = transform_points(view.camera.T_world_camera, points)
        distances = caster.closest(world).distances
        assert known.sum() > 5000
        # Outline pixels whose centre misses the object measure the table behind it.
        assert np.mean(distances < 1e-5) > 0.98


def test_views_are_spread_over_the_arc_and_filled(scene):
    centre = 0.5 * (scene.mesh.vertices.min(0) + scene.mesh.vertices.max(0))
    for count in (2, 4):
        views = scene.keyframes(count, PERFECT).views
        away = np.stack([view.camera.T_world_camera[:3, 3] - centre for view in views])
        turned = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
        np.testing.assert_allclose(np.rad2deg(np.diff(turned)), 120 / (count - 1), atol=1e-3)
        raised = np.rad2deg(np.arcsin(away[:, 2] / np.linalg.norm(away, axis=1)))
        np.testing.assert_allclose(raised, np.resize([25, 40], count), atol=1e-3)
        for view in views:
            rows, columns = np.nonzero(view.mask)
            assert 0.4 * 256 < max(np.ptp(rows), np.ptp(columns)) < 0.75 * 256
            assert min(rows.min(), columns.min()) > 0
            assert max(rows.max(), columns.max()) < 255


def test_first_view_and_all_else_are_the_same_again(scene):
    again = _crate()
    for faults in (PERFECT, SENSOR):
        first = scene.keyframes(2, faults).views
        for view, other in zip(first, again.keyframes(2, faults).views, strict=True):
            np.testing.assert_array_equal(view.image, other.image)
            np.testing.assert_array_equal(view.mask, other.mask)
            np.testing.assert_array_equal(view.depth, other.depth)
            assert (view.camera.T_world_camera == other.camera.T_world_camera).all()
        np.testing.assert_array_equal(first[0].depth, scene.keyframes(4, faults).views[0].depth)


def test_pose_errors_are_as_long_as_said_but_for_the_first_view(scene):
    keyframes = scene.keyframes(4, POSE)
    errors = [
        invert(true) @ view.camera.T_world_camera
        for true, view in zip(keyframes.true_poses, keyframes.views, strict=True)
    ]
    np.testing.assert_allclose(errors[0], np.eye(4), atol=1e-12)
    for error in errors[1:]:
        assert np.linalg.norm(error[:3, 3]) == pytest.approx(3e-3)
        assert angle(error[:3, :3]) == pytest.approx(1.0, abs=1e-6)


def test_depth_noise_is_that_of_the_model(scene):
    true, noisy = (scene.keyframes(2, faults).views[0] for faults in (PERFECT, SENSOR))
    error = (noisy.depth - true.depth)[true.mask & np.isfinite(noisy.depth)]
    sigma = 1e-3 + 1.1e-3 * np.nanmedian(true.depth[true.mask]) ** 2
    assert np.std(error) == pytest.approx(sigma, rel=0.15)
    assert 0.5 < np.isfinite(noisy.depth[true.mask]).mean() < 0.99


def test_ragged_outline_moves_in_and_out_by_up_to_three_pixels(rng):
    rows, columns = np.mgrid[:128, :128] + 0.5
    radius = np.hypot(rows - 64, columns - 64)
    ragged = ragged_mask(radius < 40, SENSOR, rng=rng)
    assert not ragged[radius > 43.8].any() and ragged[radius < 36.2].all()
    assert ragged[radius > 41.5].any() and not ragged[radius < 38.5].all()


def test_held_out_pictures_show_the_object_before_white(scene):
    shot = scene.held_out()[3]
    picture = shot.on_white()
    assert picture.shape == (128, 128, 3)
    assert (picture[shot.coverage == 0] == 1).all()
    inside = shot.coverage == 1
    np.testing.assert_allclose(picture[inside], shot.image[inside] / 255, atol=1e-6)
    assert len(np.unique(shot.image[inside], axis=0)) >= 3  # faces differ in light


def test_the_light_stays_while_the_camera_moves(scene):
    """The top of the box is in the sun from everywhere: one colour in all views."""
    highest = scene.mesh.vertices[:, 2].max()
    colours = []
    for view in scene.keyframes(4, PERFECT).views:
        pixels = view.camera.pixel_grid().reshape(-1, 2)
        points = view.camera.unproject(pixels, view.depth.ravel())
        heights = transform_points(view.camera.T_world_camera, points)[:, 2]
        top = (np.abs(heights - highest) < 1e-4) & view.mask.ravel()
        colours.append(np.median(view.image.reshape(-1, 3)[top], axis=0))
    np.testing.assert_allclose(colours, np.tile(colours[0], (4, 1)), atol=1)
