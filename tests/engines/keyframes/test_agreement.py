# SPDX-License-Identifier: Apache-2.0
"""Agreement: errors of poses are told from an object that moved or is another one."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.agreement import Agreement, agree, agreement
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe, with_T_world_camera
from recon_node.engines.keyframes.small_motion import rotation_of

SENSOR = {"noise": 0.0015, "ragged": 3}
SIGMAS = {"sigma_translation": 0.003, "sigma_rotation": np.radians(1.0)}


def pair(scene, arc, name, *, span=50, moved=None, noise=None):
    """Two keyframes, the object moved between them, the second camera by noise (3,) [deg]."""
    a, b = arc(2, span)
    a = scene(name).keyframe(a, **SENSOR, seed=1)
    b = scene(name).keyframe(b, **SENSOR, seed=2, moved=moved)
    if noise is not None:
        turn = np.eye(4)
        turn[:3, :3] = rotation_of(np.radians(noise))
        b = with_T_world_camera(b, b.view.camera.T_world_camera @ turn)
    return a, b


def place(x=0.0, y=0.0, turn=0.0):
    T = np.eye(4)
    T[:3, :3] = rotation_of(np.array([0, 0, np.radians(turn)]))
    T[:2, 3] = x, y
    return T


@pytest.mark.parametrize("name", ["bracket", "mug", "box", "sphere"])
@pytest.mark.parametrize("span", [20, 60, 100])
def test_the_same_object_agrees(scene, arc, name, span):
    a, b = pair(scene, arc, name, span=span)
    found = agreement(a, b)
    assert found.compared > 200 and found.contradiction < 0.1
    assert found == agreement(b, a)
    assert agree(a, b, **SIGMAS) is True


@pytest.mark.parametrize("name", ["bracket", "mug", "sphere"])
def test_errors_of_poses_are_no_contradiction(scene, arc, name):
    a, b = pair(scene, arc, name, noise=np.array([1.5, -2.0, 1.0]))
    assert agreement(a, b).contradiction > 0.15
    assert agree(a, b, **SIGMAS) is True
    exact = {"sigma_translation": 0.001, "sigma_rotation": np.radians(0.2)}
    assert agree(a, b, **exact) is False  # poses so good do not err by that much


@pytest.mark.parametrize("name", ["bracket", "mug", "box", "sphere"])
@pytest.mark.parametrize("moved", [place(0.1), place(-0.07, 0.08), place(0, 0.2)])
def test_an_object_that_moved_contradicts(scene, arc, name, moved):
    assert agree(*pair(scene, arc, name, moved=moved), **SIGMAS) is False


@pytest.mark.parametrize(("name", "turn"), [("bracket", 60), ("bracket", 180), ("box", 45)])
def test_an_object_that_turned_contradicts(scene, arc, name, turn):
    assert agree(*pair(scene, arc, name, moved=place(turn=turn)), **SIGMAS) is False


def test_another_object_contradicts(scene, arc):
    a, b = arc(2, 30)
    a, b = scene("bracket").keyframe(a), scene("mug").keyframe(b)
    assert agree(a, b, **SIGMAS) is False


def test_without_depth_nothing_can_be_said(scene, arc):
    a, b = pair(scene, arc, "mug")
    a, b = (Keyframe(View(k.view.image, k.view.mask, k.view.camera), k.known) for k in (a, b))
    assert agreement(a, b) == Agreement(0, 0) and np.isnan(agreement(a, b).contradiction)
    assert agree(a, b, **SIGMAS) is None


def plate(*, left=130, depth=1.0, bar=None):
    """A square plate of 60 px across the view at a depth, before a wall at 2 m."""
    camera = Camera(np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]), 320, 240)
    mask = np.zeros((240, 320), bool)
    mask[90:150, left : left + 60] = True
    z = np.where(mask, depth, 2.0).astype(np.float32)
    if bar is not None:
        z[:, bar] = 0.5
        mask[:, bar] = False
    return make_keyframe(View(np.zeros((240, 320, 3), np.uint8), mask, camera, z))


def test_what_contradicts_and_what_is_not_compared():
    a = plate()
    assert agreement(a, plate()).contradicted == 0
    # Farther away: looked through by the one, hidden from the other.
    behind = agreement(a, plate(depth=1.05))
    assert behind.confirmed == 0 and 400 < behind.contradicted < 600
    # Beside: what is more than 8 mm (4 px) out of the mask, in both directions.
    beside = agreement(a, plate(left=160))
    assert 0.35 < beside.contradiction < 0.55
    # Far beside: not even in the part of the picture that was kept.
    assert agreement(a, plate(left=250)).contradiction == 1
    # Where depth is missing the mask decides, in one direction.
    b = plate(left=136).view
    blind = Keyframe(replace(b, depth=np.full_like(b.depth, np.nan)), np.ones_like(b.mask))
    one_way = agreement(a, blind)
    assert 200 < one_way.compared <= 500 and one_way.contradiction < 0.1
    # Behind a bar nothing can be said.
    barred = agreement(a, plate(bar=slice(150, 190)))
    assert barred.contradicted == 0
    assert barred.compared < 0.9 * agreement(a, plate()).compared


def enlarged(keyframe, times):
    """The keyframe of an object so many times as large, from so many times as far."""
    view = keyframe.view
    T = view.camera.T_world_camera.copy()
    T[:3, 3] *= times
    camera = replace(view.camera, T_world_camera=T)
    return replace(keyframe, view=replace(view, depth=times * view.depth, camera=camera))


@pytest.mark.parametrize("name", ["bracket", "mug"])
def test_far_objects_agree_within_their_pixels(scene, arc, name):
    """Take exact poses for exact where a pixel is wider than the tolerance, as of a far chair."""
    a, b = (enlarged(scene(name).keyframe(T), np.float32(25)) for T in arc(2, 60))
    assert agreement(a, b).contradiction > 0.15
    exact = {"sigma_translation": 1e-6, "sigma_rotation": 1e-6}
    assert agree(a, b, **exact) is True
    T = b.view.camera.T_world_camera.copy()
    T[:3, 3] += 0.6
    assert agree(a, with_T_world_camera(b, T), **exact) is False
