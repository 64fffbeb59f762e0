# SPDX-License-Identifier: Apache-2.0
"""The keyframes of one object: few, good, from many sides, and of one mind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from recon_node.engines.keyframes.agreement import agree
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.quality import Refusal, assess
from recon_node.engines.option import check_options, option

_SAME_DIRECTION = np.radians(4.0)
_BETTER = 1.1  # weight of a keyframe / that of the one it takes the place of
_ASKED = 2  # members that a new keyframe is compared with


@dataclass(frozen=True)
class KeyframeConfig:
    """How many keyframes are kept, and how exact their poses are."""

    max_keyframes: int = option(
        12, "Keyframes kept of an object at most.", low=2, high=100, live=True
    )
    pose_sigma_translation: float = option(
        0.003, "Standard deviation of a camera's given place [m].", low=1e-5, high=1.0
    )
    pose_sigma_rotation: float = option(
        1.0, "Standard deviation of a camera's given direction [deg].", low=0.001, high=45.0
    )

    def __post_init__(self) -> None:
        check_options(self)


class Outcome(Enum):
    """What became of a keyframe."""

    ACCEPTED = "accepted"
    REPLACED = "replaced"  # taken, and another one given up
    REFUSED = "refused"
    MOVED = "moved"  # the object is elsewhere: only this keyframe and the one before are left


@dataclass(frozen=True)
class Verdict:
    """The answer to a keyframe.

    Attributes:
        outcome: what became of it.
        refusal: why it was refused, or None.
    """

    outcome: Outcome
    refusal: Refusal | None = None


@dataclass(frozen=True, eq=False)
class _Member:
    keyframe: Keyframe
    sharpness: float
    direction: np.ndarray  # f64 (3,) unit, in the world, from the camera to the object

    @classmethod
    def of(cls, keyframe: Keyframe, sharpness: float) -> _Member:
        camera = keyframe.view.camera
        middle = camera.pixel_grid()[keyframe.view.mask].mean(axis=0)
        direction = camera.T_world_camera[:3, :3] @ camera.rays(middle[None])[0]
        return cls(keyframe, sharpness, direction)


class KeyframeBuffer:
    """Keeps the keyframes of one object.

    A keyframe that contradicts the others is held aside: one alone has a wrong pose. If the next
    one contradicts them too and agrees with it, the object moved, and both begin a new buffer.

    The first keyframe stays until then: it is what the others' poses are corrected against.

    Attributes:
        config: May be replaced at any time.
        counts: How often each `Refusal` was given.
    """

    def __init__(self, config: KeyframeConfig) -> None:
        self.config = config
        self.counts: Counter[Refusal] = Counter()
        self._members: list[_Member] = []
        self._aside: _Member | None = None

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """Those kept, in the order they came."""
        return tuple(member.keyframe for member in self._members)

    @property
    def byte_count(self) -> int:
        """Memory of all that is held [bytes]."""
        aside = [] if self._aside is None else [self._aside]
        return sum(member.keyframe.byte_count for member in (*self._members, *aside))

    def offer(self, keyframe: Keyframe) -> Verdict:
        """What became of a keyframe; where it is kept, its weight is that of its quality.

        Args:
            keyframe: with the camera's given pose, not a corrected one.

        Returns:
            The verdict.
        """
        known = [member.sharpness for member in self._members]
        quality = assess(keyframe, float(np.median(known)) if known else None)
        if quality.refusal is not None:
            return self._refuse(quality.refusal)
        new = _Member.of(replace(keyframe, weight=quality.weight), quality.sharpness)
        if not self._contradicts(new):
            self._aside = None
            return self._choose(new)
        before, self._aside = self._aside, new
        if before is None or not self._agree(before, new):
            return self._refuse(Refusal.DISAGREES)
        self._members, self._aside = [before, new], None
        return Verdict(Outcome.MOVED)

    def clear(self) -> None:
        """Forgets all keyframes; the counts stay."""
        self._members, self._aside = [], None

    def _refuse(self, refusal: Refusal) -> Verdict:
        self.counts[refusal] += 1
        return Verdict(Outcome.REFUSED, refusal)

    def _agree(self, a: _Member, b: _Member) -> bool | None:
        return agree(
            a.keyframe,
            b.keyframe,
            sigma_translation=self.config.pose_sigma_translation,
            sigma_rotation=float(np.radians(self.config.pose_sigma_rotation)),
        )

    def _contradicts(self, new: _Member) -> bool:
        """Whether the members nearest in direction, of those that can tell, all say no."""
        answers = []
        for member in sorted(self._members, key=lambda member: -member.direction @ new.direction):
            answer = self._agree(member, new)
            if answer:
                return False
            answers += [answer] if answer is not None else []
            if len(answers) == _ASKED:
                break
        return len(answers) > 0

    def _choose(self, new: _Member) -> Verdict:
        """Takes the keyframe, then gives up one of the two nearest in direction while too many."""
        members = [*self._members, new]
        while len(members) > 1:
            a, b, angle = _nearest_two(members)
            if angle >= _SAME_DIRECTION and len(members) <= self.config.max_keyframes:
                break
            weight_a, weight_b = (members[place].keyframe.weight for place in (a, b))
            better = weight_b > (_BETTER if members[b] is new else 1.0) * weight_a
            del members[a if better and a > 0 else b]
        is_added = len(members) == len(self._members) + 1
        self._members = members
        if not any(member is new for member in members):
            return self._refuse(Refusal.REDUNDANT)
        return Verdict(Outcome.ACCEPTED if is_added else Outcome.REPLACED)


def _nearest_two(members: list[_Member]) -> tuple[int, int, float]:
    """The two members, a before b, that look from the most similar directions, and their angle."""
    directions = np.stack([member.direction for member in members])
    cosines = np.tril(directions @ directions.T, -1) - 2 * np.triu(np.ones((len(members),) * 2))
    b, a = np.unravel_index(cosines.argmax(), cosines.shape)
    return int(a), int(b), float(np.arccos(np.clip(cosines[b, a], -1, 1)))
