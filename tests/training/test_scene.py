# SPDX-License-Identifier: Apache-2.0
"""Pictures of a ball against closed forms, and crops framed as the engines frame them."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines import canonical
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import CROP_SIZE, FILL, crop_view
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster
from recon_node.training.appearance import Light, Paint, irradiance_coefficients
from recon_node.training.collection import TrainingObject
from recon_node.training.scene import Scene, _framed, sample_pose
from recon_node.training.shapes.sampler import sample_shape

RADIUS = 0.5
SEEDS = range(40)


def ball_depth(scene: Scene, size: int) -> np.ndarray:
    """Depth along z of the ball in each pixel of the crop, inf off it, (size, size)."""
    axis = ((np.arange(size) + 0.5) * (2 / size) - 1) * scene.pose.tan_half_fov
    u, v = np.meshgrid(axis, axis)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1)
    middle = -scene.pose.R_crop_world @ scene.pose.eye
    along, squared = rays @ middle, (rays**2).sum(axis=-1)
    root = along**2 - squared * (middle @ middle - RADIUS**2)
    return np.where(root > 0, (along - np.sqrt(np.maximum(root, 0))) / squared, np.inf)


def even_light(radiance: float, sun: float = 0.0, direction=(0, 0, 1)) -> Light:
    environment = np.full((16, 32, 3), radiance, np.float32)
    return Light(
        environment,
        irradiance_coefficients(environment),
        turn=0.0,
        sun_direction=np.array(direction, np.float32),
        sun=np.full(3, sun, np.float32),
    )


def lit(scene: Scene, light: Light) -> Scene:
    """The scene in white, matt, under that light."""
    scene.light, scene.paint = light, Paint(np.full((len(scene.vertices), 3), 255, np.uint8))
    scene._shiny = 0.0
    return scene


def test_poses_look_at_the_object_from_where_robots_do(ball):
    poses = [sample_pose(ball.vertices, np.random.default_rng(seed)) for seed in SEEDS]
    for pose in poses:
        np.testing.assert_allclose(pose.R_crop_world @ pose.R_crop_world.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(pose.R_crop_world) > 0
        middle = -pose.R_crop_world @ pose.eye
        assert np.hypot(*middle[:2]) < 0.1 * middle[2]
    distances = np.array([np.linalg.norm(pose.eye) for pose in poses])
    elevations = np.degrees(np.arcsin([pose.eye[2] for pose in poses] / distances))
    assert 1.5 <= distances.min() < 2.5 < 6 < distances.max() <= 10
    assert -20 <= elevations.min() < 10 < 60 < elevations.max() <= 80
    upright = [pose.R_crop_world[1, 2] < 0 for pose in poses]  # image y runs down
    assert np.mean(upright) > 0.9


def test_crops_are_filled_as_designed_but_for_a_jitter(ball):
    fills, centres = [], []
    for seed in SEEDS:
        pose = sample_pose(ball.vertices, np.random.default_rng(seed))
        local = (ball.vertices - pose.eye) @ pose.R_crop_world.T
        uv = local[:, :2] / local[:, 2:] / pose.tan_half_fov
        low, high = uv.min(axis=0), uv.max(axis=0)
        fills.append((high - low).max() / 2)
        centres.append((low + high) / 2)
    np.testing.assert_allclose(fills, FILL, atol=0.06)
    np.testing.assert_allclose(centres, 0, atol=0.1)
    assert np.std(fills) > 0.003
    assert np.std(centres) > 0.005


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mask_and_depth_of_a_ball_are_its_closed_form(seed, ball_scene, rng):
    scene = ball_scene(seed)
    picture, expected = scene.picture(CROP_SIZE, rng), ball_depth(scene, CROP_SIZE)
    on, off = np.isfinite(expected), np.isinf(expected)
    assert (picture.mask != on).mean() < 0.002  # facets at the outline
    both = picture.mask & on
    # Where rays graze the ball a facet moves the hit along the ray by more than its own depth.
    np.testing.assert_allclose(picture.depth[both], expected[both], atol=0.03)
    assert np.median(np.abs(picture.depth[both] - expected[both])) < 5e-4
    assert np.isinf(picture.depth[off & ~picture.mask]).all()


def test_under_an_even_sky_a_white_ball_has_the_colour_of_the_light(ball_scene, rng):
    picture = lit(ball_scene(0), even_light(0.8)).picture(64, rng)
    colours = picture.image[picture.mask]
    np.testing.assert_allclose(colours, np.broadcast_to(picture.gain, colours.shape), rtol=2e-3)
    assert 0.35 <= picture.gain.mean() <= 0.9


def test_the_sun_lights_by_the_cosine_and_leaves_the_far_side_dark(ball_scene, rng):
    scene = ball_scene(0)
    direction = scene.pose.R_crop_world.T @ [0.8, 0.0, -0.6]  # from the right, behind the camera
    picture = lit(scene, even_light(0.0, sun=1.0, direction=direction)).picture(64, rng)
    depth = ball_depth(scene, 64)
    both = picture.mask & np.isfinite(depth)
    axis = ((np.arange(64) + 0.5) / 32 - 1) * scene.pose.tan_half_fov
    u, v = np.meshgrid(axis, axis)
    points = np.stack([u, v, np.ones_like(u)], axis=-1)[both] * depth[both, None]
    normals = (points + scene.pose.R_crop_world @ scene.pose.eye) / RADIUS
    cosine = np.maximum(normals @ [0.8, 0.0, -0.6], 0)
    brightness = picture.image[both].mean(axis=1)
    exposure = brightness.sum() / cosine.sum()
    assert 0.1 < (cosine == 0).mean() < 0.5
    np.testing.assert_allclose(brightness, exposure * cosine, atol=0.05 * exposure)


def test_what_stands_before_the_sun_casts_a_shadow(appearance, rng):
    """A roof over a floor: lit from above the floor is dark, lit from the side it is not.

    The sky gives 0.01 and the sun, under the cosine of 0.6, another 0.6.
    """
    sides = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    floor = np.column_stack([sides, np.full(4, -0.5)])
    roof = np.column_stack([sides, np.full(4, 0.5)])
    quad = np.array([[0, 1, 2], [0, 2, 3]])
    both = TrainingObject(
        np.concatenate([floor, roof]).astype(np.float32),
        np.concatenate([quad, quad + 4]).astype(np.int32),
        np.full((8, 3), 255, np.uint8),
        np.zeros(8, np.uint8),
        textured=True,
    )
    T = look_at(eye=(2.5, 0, 0), target=(0, 0, 0), up=(0, 0, 1))
    pose = _framed(both.vertices, T[:3, :3].T, T[:3, 3], np.zeros(3))
    for direction, is_lit in (((0, 0, 1), False), ((0.8, 0, 0.6), True)):
        scene = lit(Scene(both, pose, appearance, rng), even_light(0.01, 1.0, direction))
        picture = scene.picture(64, rng)
        lower = np.arange(64)[:, None] >= 32
        floor_light = np.median(picture.image[lower & picture.mask])
        roof_light = np.median(picture.image[~lower & picture.mask])  # its underside, never lit
        assert floor_light == pytest.approx((61 if is_lit else 1) * roof_light, rel=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_colours_near_the_surface_are_those_of_the_picture(seed, ball_scene, rng):
    """The label of a surface point, times the gain, is what an evenly lit picture shows."""
    scene = ball_scene(seed)
    scene.light, scene._shiny = even_light(1.0), 0.0
    picture, depth = scene.picture(64, rng), ball_depth(scene, 64)
    both = picture.mask & np.isfinite(depth)
    axis = ((np.arange(64) + 0.5) / 32 - 1) * scene.pose.tan_half_fov
    u, v = np.meshgrid(axis, axis)
    points = (np.stack([u, v, np.ones_like(u)], axis=-1) * depth[..., None])[both]
    labels = scene.colours(points, scene.caster.signed_closest(points)) * picture.gain
    assert np.median(np.abs(labels - picture.image[both])) < 5e-3


@pytest.mark.parametrize("family", ["mug", "carton", "shoe", "spanner"])
def test_training_frames_a_crop_as_the_engines_do(family, appearance):
    """The same object, camera and pixel give the same field of view, place, mask and depth."""
    rng = np.random.default_rng(8)
    shape = sample_shape(rng, family=family)
    obj = TrainingObject(shape.vertices, shape.faces, shape.colors, shape.parts, textured=False)
    eye = np.array([1.9, -1.2, 1.4])
    camera = Camera(  # looks beside the object, rolled a little
        np.array([[700.0, 0, 400], [0, 700.0, 300], [0, 0, 1]]),
        800,
        600,
        look_at(eye=eye, target=(0.2, 0.15, -0.1), up=(0.1, 0, 1)),
    )
    R_world_camera = camera.T_world_camera[:3, :3]
    pose = _framed(obj.vertices, R_world_camera.T, eye, jitter=np.zeros(3))
    picture = Scene(obj, pose, appearance, rng).picture(CROP_SIZE, rng)
    crop = crop_view(_plain_view(obj, camera))
    assert crop.tan_half_fov == pytest.approx(pose.tan_half_fov, rel=0.01)
    np.testing.assert_allclose(
        crop.camera.T_world_camera[:3, :3], pose.R_crop_world.T, atol=1.5 / 700
    )
    seen = crop.mask > 0.5
    assert (seen & picture.mask).sum() / (seen | picture.mask).sum() > 0.95
    nearest = np.percentile(picture.depth[picture.mask], 2)
    distance = canonical.distance_from_nearest(nearest, pose.tan_half_fov)
    assert crop.distance == pytest.approx(distance, rel=0.005)
    depth = canonical.depth_to_canonical(picture.depth, distance, pose.tan_half_fov)
    both = np.isfinite(crop.depth) & picture.mask
    assert both.mean() > 0.05
    errors = np.abs(crop.depth - depth)[both]
    assert np.median(errors) < 0.01
    assert np.percentile(errors, 90) < 0.06


def _plain_view(obj: TrainingObject, camera: Camera) -> View:
    """The object as a pinhole camera sees it."""
    rays = camera.unproject(camera.pixel_grid().reshape(-1, 2), np.ones(800 * 600))
    T = camera.T_world_camera
    directions = rays @ T[:3, :3].T
    origins = np.broadcast_to(T[:3, 3], directions.shape)
    hits = RayCaster(obj.vertices, obj.faces, signed=False).cast(origins, directions)
    mask = (hits.faces >= 0).reshape(600, 800)
    depth = np.where(mask, hits.distances.reshape(600, 800), np.nan).astype(np.float32)
    return View(np.full((600, 800, 3), 99, np.uint8), mask, camera, depth)


def test_backgrounds_are_lit_and_varied(ball_scene):
    kinds = set()
    for seed in range(12):
        scene = ball_scene(seed)
        picture = scene.picture(48, np.random.default_rng(seed))
        assert np.isfinite(picture.image).all() and picture.image.min() >= 0
        background = picture.image[~picture.mask]
        kinds.add("plain" if np.ptp(background, axis=0).max() == 0 else "varied")
    assert kinds == {"plain", "varied"}


def test_an_object_out_of_view_leaves_the_background(ball_scene, rng):
    scene = ball_scene(1)
    scene.pose = replace(scene.pose, tan_half_fov=1e-6)
    scene.vertices = scene.vertices + np.float32([5, 0, 0])
    scene.caster = RayCaster(scene.vertices, scene.faces)
    picture = scene.picture(32, rng)
    assert not picture.mask.any()
    assert np.isfinite(picture.image).all()
