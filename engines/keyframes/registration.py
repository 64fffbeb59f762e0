# SPDX-License-Identifier: Apache-2.0
"""Where the cameras of keyframes really stood, told by the object that they all measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.matching import NOISE, MeasuredObjects
from recon_node.engines.keyframes.small_motion import cross_matrix, distance_from, moved
from recon_node.engines.transforms import invert

SIGMA_TRANSLATION = 0.003  # of a given pose [m]: a calibrated arm
SIGMA_ROTATION = float(np.radians(1.0))
_SAMPLES = 1000  # points of a keyframe
_COARSE_ROUNDS, _MOST_ROUNDS = 3, 24
_FIRST_SCALE, _LAST_SCALE = 0.02, 0.003  # of the distances that count [m]
_SHRINK = 0.85  # of the scale, a round
_REACH = 3.0  # of a pull, in scales
_STILL = 2e-5  # a motion that ends the search [m], [rad]


@dataclass(frozen=True, eq=False)
class Registration:
    """Corrected cameras; that of the first keyframe is the one given.

    Attributes:
        T_world_cameras: f64 (N, 4, 4) [m].
        overlaps: f64 (N, N): share of the points of keyframe i that lie on the surface of
            keyframe j, within three times the noise of depth; the diagonal is 0.
        rms: of the distances of those points from that surface [m]; NaN without any.
    """

    T_world_cameras: np.ndarray
    overlaps: np.ndarray
    rms: float


def register(
    keyframes: Sequence[Keyframe],
    *,
    sigma_translation: float = SIGMA_TRANSLATION,
    sigma_rotation: float = SIGMA_ROTATION,
) -> Registration:
    """The cameras with which what the keyframes saw fits together.

    Every point of a keyframe is projected into every other one and drawn to the tangent plane of
    the surface it meets there (projective association, Blais and Levine 1995; distance to the
    plane, Chen and Medioni 1992), or to the mask if it would be seen outside of it; points around
    the object to the plane that the others saw there; in the end also to where the other picture
    is as bright. All cameras at once:

        sum_ij sum_p rho(n_q . (p - q)) + sum_i |t_i|^2 / sigma_t^2 + |w_i|^2 / sigma_r^2

    with rho of Geman and McClure at a shrinking scale, and t and w the motion of each camera away
    from the given one. That prior keeps what the object cannot tell, such as the turn of a ball.
    At first only the middles of the object, as each keyframe guesses it, are brought together.
    All cameras may move; in the end everything is moved so that the first one is where it was.

    Args:
        keyframes: one or more; one without a depth is not moved by the others' surfaces.
        sigma_translation: of the given poses [m], > 0.
        sigma_rotation: of the given poses [rad], > 0.

    Returns:
        The registration; the same keyframes give the same numbers.

    Raises:
        InvalidInputError: no keyframe, or a sigma that is not positive.
    """
    if not keyframes or not min(sigma_translation, sigma_rotation) > 0:
        raise InvalidInputError(
            f"register needs keyframes and sigmas above 0, got {len(keyframes)} keyframes, "
            f"{sigma_translation} m and {sigma_rotation} rad"
        )
    given = np.stack([keyframe.view.camera.T_world_camera for keyframe in keyframes])
    objects = MeasuredObjects(keyframes, samples=_SAMPLES)
    if (objects.counts > 0).sum() < 2:
        return Registration(given, np.zeros((len(given), len(given))), float("nan"))
    T, centre = given, objects.in_world(given)[0].mean(axis=0)
    scale = _FIRST_SCALE
    for number in range(_COARSE_ROUNDS + _MOST_ROUNDS):
        A, b = _prior(T, given, centre, sigma_translation, sigma_rotation)
        if number < _COARSE_ROUNDS:
            _add_middles(A, b, objects, T, centre)
        else:
            _add_pulls(A, b, objects, T, centre, scale)
        motions = np.linalg.solve(A, -b).reshape(-1, 6)
        T = np.stack([moved(T_i, motion, centre) for T_i, motion in zip(T, motions, strict=True)])
        if scale == _LAST_SCALE and np.abs(motions).max() < _STILL:
            break
        if number >= _COARSE_ROUNDS:
            scale = max(_SHRINK * scale, _LAST_SCALE)
    overlaps, rms = _fit(objects, T, centre)
    corrected = given[0] @ invert(T[0]) @ T
    corrected[0] = given[0]
    return Registration(corrected, overlaps, rms)


def _prior(
    T: np.ndarray, given: np.ndarray, centre: np.ndarray, sigma_t: float, sigma_r: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations A (6N, 6N), b (6N,) of the distances from the given poses."""
    count = len(T)
    A, b = np.zeros((6 * count, 6 * count)), np.zeros(6 * count)
    for i in range(count):
        part = _part(i)
        A[part, part], b[part] = distance_from(T[i], given[i], centre, sigma_t, sigma_r)
    return A, b


def _add_middles(
    A: np.ndarray, b: np.ndarray, objects: MeasuredObjects, T: np.ndarray, centre: np.ndarray
) -> None:
    """Adds the distances between the middles that the keyframes guess, in place."""
    seen = np.flatnonzero(objects.counts)
    middles = {i: T[i, :3, :3] @ objects.items[i].middle + T[i, :3, 3] for i in seen}
    J = {i: np.hstack([np.eye(3), -cross_matrix(middles[i] - centre)]) for i in seen}
    for i in seen:
        for j in seen[seen > i]:
            variance = objects.items[i].middle_sigma ** 2 + objects.items[j].middle_sigma ** 2
            rows = np.zeros((3, len(b)))
            rows[:, _part(i)], rows[:, _part(j)] = J[i], -J[j]
            rows *= np.sqrt(2 / len(seen) / variance)  # each keyframe counts about once
            A += rows.T @ rows
            b += rows.T @ (middles[i] - middles[j]) * np.sqrt(2 / len(seen) / variance)


def _add_pulls(
    A: np.ndarray,
    b: np.ndarray,
    objects: MeasuredObjects,
    T: np.ndarray,
    centre: np.ndarray,
    scale: float,
) -> None:
    """Adds how the keyframes draw each other's points, in place; by colour at the last scale."""
    found = objects.pulls(T, centre, _REACH * scale, by_colour=scale == _LAST_SCALE)
    for j, pulls in enumerate(found):
        target = _part(j)
        for i in np.unique(pulls.sources):
            H, g = pulls.equations(pulls.sources == i, scale)
            source = _part(i)
            A[source, source] += H
            A[target, target] += H
            A[source, target] -= H
            A[target, source] -= H
            b[source] += g
            b[target] -= g


def _part(i: int) -> slice:
    """The unknowns of keyframe i."""
    return slice(6 * i, 6 * i + 6)


def _fit(objects: MeasuredObjects, T: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, float]:
    """`Registration.overlaps` and `Registration.rms`, the cameras at T (N, 4, 4)."""
    count = len(T)
    overlaps, distances = np.zeros((count, count)), []
    found = objects.pulls(T, centre, _REACH * _LAST_SCALE, by_colour=False)
    for j, pulls in enumerate(found):
        close = pulls.is_surface & (np.abs(pulls.distances) < 3 * NOISE)
        met = np.bincount(pulls.sources[close], minlength=count)
        overlaps[:, j] = met / np.maximum(objects.counts, 1)
        distances.append(pulls.distances[close])
    distances = np.concatenate(distances)
    return overlaps, float(np.sqrt(np.mean(distances**2))) if len(distances) else float("nan")
