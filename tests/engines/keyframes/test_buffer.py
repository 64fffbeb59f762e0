# SPDX-License-Identifier: Apache-2.0
"""The buffer: spread, bounds, odd frames, and an object that moves."""

from dataclasses import replace

import numpy as np
import pytest

from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.keyframes.buffer import KeyframeBuffer, KeyframeConfig, Outcome, Verdict
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe, with_T_world_camera
from recon_node.engines.keyframes.quality import Refusal

ODD = Verdict(Outcome.REFUSED, Refusal.DISAGREES)


def azimuths(buffer):
    """Where the cameras of the buffer stand [deg]."""
    places = [k.view.camera.T_world_camera[:3, 3] for k in buffer.keyframes]
    return [round(float(np.degrees(np.arctan2(x, -y)))) for x, y, _ in places]


@pytest.fixture
def frames(scene, arc):
    """Function from azimuths [deg] to keyframes of the bracket."""

    def make(*places, **options):
        cameras = {round(a): T for a, T in zip(range(-60, 61), arc(121), strict=True)}
        options = {"noise": 0.0015, "ragged": 2, **options}
        return [scene("bracket").keyframe(cameras[a], **options, seed=100 + a) for a in places]

    return make


def offer(buffer, keyframes):
    return [buffer.offer(keyframe) for keyframe in keyframes]


def moved(x):
    T = np.eye(4)
    T[0, 3] = x
    return T


def test_views_from_many_sides_are_kept(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    verdicts = offer(buffer, frames(-40, -20, 0, 20, 40))
    assert {v.outcome for v in verdicts} == {Outcome.ACCEPTED}
    assert azimuths(buffer) == [-40, -20, 0, 20, 40]
    assert all(0 < k.weight <= 1 for k in buffer.keyframes)
    assert buffer.byte_count == sum(k.byte_count for k in buffer.keyframes) > 0
    assert not buffer.counts


def test_spread_decides_what_is_given_up(frames):
    buffer = KeyframeBuffer(KeyframeConfig(max_keyframes=4))
    verdicts = offer(buffer, frames(-40, -30, -20, 0, 20, 40))
    assert len(buffer.keyframes) == 4
    assert azimuths(buffer)[0] == -40  # the first one stays
    assert np.diff(sorted(azimuths(buffer))).min() >= 20
    assert [v.outcome for v in verdicts[:4]] == [Outcome.ACCEPTED] * 4
    assert [v.outcome for v in verdicts[4:]] == [Outcome.REPLACED] * 2


def test_memory_stays_bounded(frames):
    buffer = KeyframeBuffer(KeyframeConfig(max_keyframes=3))
    sizes = []
    for keyframe in frames(*range(-60, 61, 20)):
        buffer.offer(keyframe)
        sizes.append(buffer.byte_count)
    assert max(sizes) <= 4 * 160 * 160 * 9
    assert len(buffer.keyframes) == 3


def test_a_smaller_limit_is_kept_from_the_next_one_on(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    offer(buffer, frames(-40, -20, 0, 20))
    buffer.config = KeyframeConfig(max_keyframes=2)
    buffer.offer(frames(40)[0])
    assert len(buffer.keyframes) == 2 and azimuths(buffer)[0] == -40
    assert np.diff(azimuths(buffer)) >= 40


def test_the_same_view_again_is_redundant_unless_it_is_better(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    first, poor, good = frames(0, 20, 21)
    image = poor.view.image.astype(float)
    soft = (image + np.roll(image, 1, 1)) / 2  # the camera moved
    poor = replace(poor, view=replace(poor.view, image=soft.astype(np.uint8)))
    assert offer(buffer, [first, poor])[1].outcome is Outcome.ACCEPTED
    assert buffer.keyframes[1].weight < 0.9
    assert buffer.offer(good).outcome is Outcome.REPLACED
    assert azimuths(buffer) == [0, 21]
    again = frames(22, 1)
    assert offer(buffer, again) == [Verdict(Outcome.REFUSED, Refusal.REDUNDANT)] * 2
    assert buffer.counts == {Refusal.REDUNDANT: 2}


def test_refusals_are_counted_by_reason(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    buffer.offer(frames(0)[0])
    for value, reason in ((0, Refusal.DARK), (255, Refusal.SATURATED), (3, Refusal.DARK)):
        keyframe = frames(20)[0]
        bad = np.full_like(keyframe.view.image, value)
        bad = replace(keyframe, view=replace(keyframe.view, image=bad))
        assert buffer.offer(bad) == Verdict(Outcome.REFUSED, reason)
    assert buffer.counts == {Refusal.DARK: 2, Refusal.SATURATED: 1}
    assert azimuths(buffer) == [0]


def test_one_wrong_pose_is_held_aside(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    good = frames(-30, -10, 10, 30, 50)
    T = good[2].view.camera.T_world_camera.copy()
    T[:3, 3] += (0.15, 0.05, 0)
    wrong = with_T_world_camera(good[2], T)
    verdicts = offer(buffer, [*good[:2], wrong, *good[3:]])
    assert verdicts[2] == ODD
    assert azimuths(buffer) == [-30, -10, 30, 50]
    # A second one, later, is alone again.
    assert buffer.offer(wrong) == ODD
    assert buffer.counts == {Refusal.DISAGREES: 2}


def test_an_object_that_moved_begins_anew_with_the_second_frame(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    offer(buffer, frames(-40, -20, 0))
    after = frames(10, 25, 40, moved=moved(0.12))
    assert offer(buffer, after) == [
        ODD,
        Verdict(Outcome.MOVED),
        Verdict(Outcome.ACCEPTED),
    ]
    assert azimuths(buffer) == [10, 25, 40]


def test_a_wrong_first_pose_does_not_last(frames):
    good = frames(-30, -10, 10)
    T = good[0].view.camera.T_world_camera.copy()
    T[:3, 3] += (0.15, 0.05, 0)
    buffer = KeyframeBuffer(KeyframeConfig())
    offer(buffer, [with_T_world_camera(good[0], T), *good[1:]])
    assert azimuths(buffer) == [-10, 10]


def test_two_odd_frames_that_do_not_agree_change_nothing(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    offer(buffer, frames(-40, -20))
    odd = [*frames(0, moved=moved(0.12)), *frames(20, moved=moved(-0.12))]
    assert offer(buffer, odd) == [ODD, ODD]
    assert azimuths(buffer) == [-40, -20]
    buffer.clear()
    assert buffer.keyframes == () and buffer.byte_count == 0


def test_frames_without_depth_are_taken_at_their_word(frames):
    buffer = KeyframeBuffer(KeyframeConfig())
    for keyframe in frames(-20, 0, 20, moved=moved(0.1)) + frames(40):
        view = keyframe.view
        blind = Keyframe(View(view.image, view.mask, view.camera), keyframe.known)
        assert buffer.offer(blind).outcome is Outcome.ACCEPTED


def test_the_configuration_checks_itself():
    with pytest.raises(InvalidInputError, match="max_keyframes is 1; it must lie in"):
        KeyframeConfig(max_keyframes=1)


def test_what_is_kept_is_what_was_offered(scene, arc):
    view = scene("mug").view(arc(1)[0])
    buffer = KeyframeBuffer(KeyframeConfig())
    buffer.offer(make_keyframe(view))
    kept = buffer.keyframes[0].view
    np.testing.assert_array_equal(kept.camera.T_world_camera, view.camera.T_world_camera)
    np.testing.assert_array_equal(kept.image, make_keyframe(view).view.image)
