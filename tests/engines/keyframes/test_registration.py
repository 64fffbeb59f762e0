# SPDX-License-Identifier: Apache-2.0
"""Registration: noise of poses falls, what cannot be told stays, one wrong pose harms nobody."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.baked_scene import load_baked_scene
from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe, with_T_world_camera
from recon_node.engines.keyframes.registration import register
from recon_node.engines.keyframes.small_motion import rotation_of, rotation_vector
from recon_node.engines.transforms import invert, transform_points
from recon_node.synthetic_camera import SyntheticCamera

SENSOR = {"noise": 0.0015, "ragged": 3}


def noise_of(rng, translation=0.003, rotation=1.0):
    """A small motion (4, 4): sigmas along and about each axis [m], [deg]."""
    D = np.eye(4)
    D[:3, :3] = rotation_of(np.radians(rotation) * rng.standard_normal(3))
    D[:3, 3] = translation * rng.standard_normal(3)
    return D


def disturbed(keyframes, rng, **sigmas):
    """The keyframes, every camera moved by the noise of a pose."""
    return [
        with_T_world_camera(k, k.view.camera.T_world_camera @ noise_of(rng, **sigmas))
        for k in keyframes
    ]


def poses(keyframes):
    return np.stack([k.view.camera.T_world_camera for k in keyframes])


def error(T, true, points):
    """RMS displacement [m] of an object's points (N, 3) between the first camera and the others."""
    squares = []
    for T_i, true_i in zip(T[1:], true[1:], strict=True):
        seen = transform_points(invert(true_i), points)
        placed = transform_points(invert(T[0]) @ T_i, seen)
        squares.append((placed - transform_points(invert(true[0]) @ true_i, seen)) ** 2)
    return np.sqrt(np.mean(np.sum(squares, axis=-1)))


@pytest.mark.parametrize("name", ["bracket", "mug", "box"])
def test_without_noise_the_cameras_are_found(scene, arc, rng, name):
    keyframes = [scene(name).keyframe(T) for T in arc(4)]
    result = register(disturbed(keyframes, rng))
    # What a pixel spans on the object. The box can slide that far along its faces: the points
    # next to an outline have no normal and take no part.
    assert error(result.T_world_cameras, arc(4), scene(name).mesh.vertices) < 1.4e-3


@pytest.mark.parametrize("name", ["bracket", "mug", "box"])
@pytest.mark.parametrize(("count", "span"), [(2, 45), (4, 120), (8, 120)])
def test_the_noise_of_poses_falls_five_times(scene, arc, rng, name, count, span):
    true, points = arc(count, span), scene(name).mesh.vertices
    keyframes = [scene(name).keyframe(T, **SENSOR, seed=i) for i, T in enumerate(true)]
    noisy = disturbed(keyframes, rng)
    result = register(noisy)
    before, after = error(poses(noisy), true, points), error(result.T_world_cameras, true, points)
    assert before > 10e-3
    assert after < before / 5
    np.testing.assert_array_equal(result.T_world_cameras[0], poses(noisy)[0])
    assert 0.2e-3 < result.rms < 1e-3
    assert result.overlaps[0, 1] > 0.4 and not result.overlaps.diagonal().any()


def test_a_ball_is_put_in_one_place_and_its_turn_stays_near_the_given_one(scene, arc, rng):
    true = arc(4)
    keyframes = [scene("sphere").keyframe(T, **SENSOR, seed=i) for i, T in enumerate(true)]
    noisy = disturbed(keyframes, rng)
    after = register(noisy).T_world_cameras
    centre = np.array([[0.0, 0.0, 0.041]])
    assert error(after, true, centre) < error(poses(noisy), true, centre) / 10
    points = scene("sphere").mesh.vertices
    assert error(after, true, points) < error(poses(noisy), true, points) / 5
    turns = [T[:3, :3] @ U[:3, :3].T for T, U in zip(after, true, strict=True)]
    assert max(np.degrees(np.arccos((np.trace(R) - 1) / 2)) for R in turns) < 4


def plain(keyframe):
    """The keyframe with a picture that is grey all over."""
    view = keyframe.view
    return replace(keyframe, view=replace(view, image=np.full_like(view.image, 128)))


def turns_of(T, true):
    """Errors of the cameras' turns but the first one's, once that one is right (N-1, 3) [deg]."""
    placed = true[0] @ invert(T[0]) @ T[1:]
    pairs = zip(placed, true[1:], strict=True)
    return np.degrees([rotation_vector(a[:3, :3] @ b[:3, :3].T) for a, b in pairs])


def test_the_floor_tells_the_tilt_and_the_texture_the_turn_of_a_ball(scene, arc, rng):
    """Know nothing of a grey ball's turn about the vertical; a patterned one's is seen."""
    true = arc(6)
    keyframes = [scene("sphere").keyframe(T, **SENSOR, seed=i) for i, T in enumerate(true)]
    noisy = disturbed(keyframes, rng, translation=0.015)
    before = turns_of(poses(noisy), true)
    grey, seen = (
        turns_of(register(each, sigma_translation=0.015).T_world_cameras, true)
        for each in ([plain(keyframe) for keyframe in noisy], noisy)
    )
    assert np.abs(before[:, :2]).max() > 2
    assert max(np.abs(each[:, :2]).max() for each in (grey, seen)) < 0.15
    assert np.abs(seen[:, 2]).max() < 0.6 < 1.2 < np.abs(grey[:, 2]).max()


def test_odometry_that_drifts_is_brought_back(scene, arc, rng):
    true, points = arc(6), scene("bracket").mesh.vertices
    keyframes, drift = [], np.eye(4)
    for i, T in enumerate(true):
        keyframe = scene("bracket").keyframe(T, **SENSOR, seed=i)
        keyframes.append(with_T_world_camera(keyframe, T @ drift))
        drift = drift @ noise_of(rng, rotation=0.5)
    before = error(poses(keyframes), true, points)
    after = error(register(keyframes).T_world_cameras, true, points)
    assert before > 5e-3 and after < before / 5


def test_one_wrong_pose_does_not_move_the_others(scene, arc, rng):
    true, points = arc(6), scene("bracket").mesh.vertices
    keyframes = [scene("bracket").keyframe(T, **SENSOR, seed=i) for i, T in enumerate(true)]
    noisy = disturbed(keyframes, rng)
    wrong = np.eye(4)
    wrong[:3, :3] = rotation_of(np.array([0.2, 0.2, 0.0]))
    wrong[:3, 3] = (0.08, -0.05, 0.04)
    noisy[2] = with_T_world_camera(noisy[2], true[2] @ wrong)
    result = register(noisy)
    others = [0, 1, 3, 4, 5]
    assert error(result.T_world_cameras[others], [true[i] for i in others], points) < 1.5e-3
    assert result.overlaps[2].max() < 0.3 < result.overlaps[others].max(1).min()


@pytest.mark.parametrize("label", [1, 2, 4, 6])
def test_objects_of_the_table_are_registered(rng, label):
    scene, camera = load_baked_scene(), SyntheticCamera()
    points = scene.vertices[np.unique(scene.faces[scene.face_labels == label])]
    frames = [camera.render(t) for t in (0.0, 2.0, 5.0)]
    keyframes = [make_keyframe(View(f.color, f.labels == label, f.camera, f.depth)) for f in frames]
    noisy = disturbed(keyframes, rng)
    before = error(poses(noisy), poses(keyframes), points)
    after = error(register(noisy).T_world_cameras, poses(keyframes), points)
    assert after < 2e-3 < before / 5


def test_the_same_keyframes_give_the_same_numbers(scene, arc, rng):
    keyframes = disturbed([scene("mug").keyframe(T, **SENSOR) for T in arc(3)], rng)
    a, b = register(keyframes), register(keyframes)
    np.testing.assert_array_equal(a.T_world_cameras, b.T_world_cameras)
    np.testing.assert_array_equal(a.overlaps, b.overlaps)


def test_keyframes_that_say_nothing_stay(scene, arc):
    keyframes = [scene("mug").keyframe(T) for T in arc(3)]
    blind = []
    for keyframe in keyframes:
        view = keyframe.view
        blind.append(Keyframe(View(view.image, view.mask, view.camera), keyframe.known))
    for given in (keyframes[:1], blind):
        result = register(given)
        np.testing.assert_array_equal(result.T_world_cameras, poses(given))
        assert np.isnan(result.rms) and not result.overlaps.any()


def test_nothing_cannot_be_registered(scene, arc):
    with pytest.raises(InvalidInputError, match="got 0 keyframes"):
        register([])
    with pytest.raises(InvalidInputError, match="sigmas above 0, got 1 keyframes, 0 m"):
        register([scene("mug").keyframe(arc(1)[0])], sigma_translation=0)
