# SPDX-License-Identifier: Apache-2.0
"""One object over its views: which are kept, where cameras without a pose stood, if it moved."""

from __future__ import annotations

import dataclasses
from enum import Enum

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.errors import ReconstructionError
from recon_node.engines.keyframes.agreement import agree
from recon_node.engines.keyframes.buffer import KeyframeBuffer, KeyframeConfig, Outcome, Verdict
from recon_node.engines.keyframes.keyframe import Keyframe, make_keyframe, with_T_world_camera
from recon_node.engines.keyframes.mesh_alignment import align_to_mesh
from recon_node.engines.keyframes.quality import Refusal
from recon_node.engines.reconstruction import Reconstruction

_MOST_ODD = 2  # views in a row that show the object elsewhere: it is elsewhere
_SEED = 0  # of the points that a mesh is placed by: the same views give the same cameras
_PLACED_TRANSLATION, _PLACED_ROTATION = 0.01, 4.0  # [m], [deg]: errors of cameras placed by a mesh


class Place(Enum):
    """What a view tells about the place of an object."""

    SAME = "same"  # it is where its keyframes show it, or there are none yet
    MOVED = "moved"  # it is elsewhere; the keyframes begin anew
    UNSURE = "unsure"  # the view is of no use, or it is the first that shows it elsewhere


class ObjectWatch:
    """Keeps the keyframes of an object in one frame, which is called the anchor.

    Where cameras have poses it is the frame of the results. Else it is the first camera: each
    camera after it is placed where the newest mesh looks as the camera measured it, so a camera
    that moves and an object that is turned before it are the same.

    Args:
        config: How many keyframes are kept.
        is_posed: Whether cameras have poses.

    Attributes:
        model: The newest mesh, in the anchor; may be replaced by a better one at any time.
        T_anchor_camera: f64 (4, 4) [m], of the newest view that shows the object where it was.
        trouble: Why the last view was of no use, or empty.
    """

    def __init__(self, config: KeyframeConfig, *, is_posed: bool):
        self._is_posed = is_posed
        self._buffer = KeyframeBuffer(config)
        self._odd = 0
        self.model: Reconstruction | None = None
        self.T_anchor_camera = np.eye(4)
        self.trouble = ""

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """Those kept."""
        return self._buffer.keyframes

    def offer(
        self, view: View, result: Reconstruction | None, config: KeyframeConfig
    ) -> tuple[Place, bool]:
        """Where a view shows the object, and whether it was kept as a keyframe.

        Args:
            view: Of the whole picture.
            result: The instant result of the view where there is one.
            config: How many keyframes are kept.
        """
        self._buffer.config = self._widened(config)
        try:
            given = make_keyframe(view, result)
        except ReconstructionError as error:
            self.trouble = str(error)
            return Place.UNSURE, False
        try:
            keyframe = self._placed(given)
        except ReconstructionError as error:
            self.trouble = str(error)
            return self._odd_one(given, is_held_aside=False)
        verdict = self._buffer.offer(keyframe)
        self.trouble = "" if verdict.refusal is None else f"the view is {verdict.refusal.value}"
        place = _place_of(verdict)
        if place is Place.UNSURE:
            if not self._shows_elsewhere(verdict, keyframe):
                self._odd = 0
                return Place.UNSURE, False
            return self._odd_one(given, is_held_aside=verdict.refusal is Refusal.DISAGREES)
        self._odd = 0
        self.T_anchor_camera = keyframe.view.camera.T_world_camera
        if keyframe.result is not None:
            self.model = keyframe.result
        return place, verdict.outcome in (Outcome.ACCEPTED, Outcome.REPLACED)

    def _widened(self, config: KeyframeConfig) -> KeyframeConfig:
        if self._is_posed:
            return config
        return dataclasses.replace(
            config,
            pose_sigma_translation=max(config.pose_sigma_translation, _PLACED_TRANSLATION),
            pose_sigma_rotation=max(config.pose_sigma_rotation, _PLACED_ROTATION),
        )

    def _placed(self, keyframe: Keyframe) -> Keyframe:
        """The keyframe in the anchor.

        Raises:
            RegistrationError: The mesh does not look like it from anywhere near the last camera.
        """
        if self._is_posed or self.model is None:
            return keyframe
        near = with_T_world_camera(keyframe, self.T_anchor_camera)
        mesh = self.model.mesh.transformed(self.model.T_world_object)
        placed = align_to_mesh(near, mesh, rng=np.random.default_rng(_SEED))
        return with_T_world_camera(near, placed.T_world_camera)

    def _shows_elsewhere(self, verdict: Verdict, keyframe: Keyframe) -> bool:
        """Whether a refused view contradicts the last keyframe, as far as it can tell."""
        if verdict.refusal is Refusal.DISAGREES:
            return True
        config = self._buffer.config
        return bool(self.keyframes) and (
            agree(
                self.keyframes[-1],
                keyframe,
                sigma_translation=config.pose_sigma_translation,
                sigma_rotation=float(np.radians(config.pose_sigma_rotation)),
            )
            is False
        )

    def _odd_one(self, given: Keyframe, *, is_held_aside: bool) -> tuple[Place, bool]:
        """What a view means that contradicts: alone nothing, after others that it was moved.

        The buffer itself finds out about those that it holds aside.
        """
        self._odd += 1
        if is_held_aside or self._odd < _MOST_ODD:
            return Place.UNSURE, False
        self._odd = 0
        self._buffer.clear()
        self.T_anchor_camera, self.model = given.view.camera.T_world_camera, given.result
        verdict = self._buffer.offer(given)
        return Place.MOVED, verdict.outcome is Outcome.ACCEPTED


def _place_of(verdict: Verdict) -> Place:
    if verdict.outcome is Outcome.MOVED:
        return Place.MOVED
    if verdict.outcome is Outcome.REFUSED and verdict.refusal is not Refusal.REDUNDANT:
        return Place.UNSURE
    return Place.SAME
