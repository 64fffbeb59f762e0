# SPDX-License-Identifier: Apache-2.0
"""Planes that mirror an object onto itself, as far as its keyframes can tell (Thrun and Wegbreit
2005, "Shape from symmetry"): what was seen on one side is the best guess of the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.plane import Plane
from recon_node.engines.refine.box import measured_points
from recon_node.engines.refine.measured_distances import measured_distances
from recon_node.engines.transforms import Similarity

LEAST_MET = 0.4  # share of the mirrored points that meet the measured surface
MOST_AMISS = 0.04  # share that may lie where a keyframe saw through
MOST_PLANES = 3
DIFFERENT = np.cos(np.radians(15.0))  # between the normals of two planes, or
APART = 0.05  # between their distances from the origin [box unit]
_AMISS_COSTS = 4.0  # as much as so many points that meet
_CLEAR = 0.02  # height above what the object stands on of a point that is its own [box unit]
_CELLS = 64  # of the lattice on which measured distances are looked up, along an axis
_POINTS = 1200
_NORMALS, _OFFSETS, _FARTHEST = 400, 13, 0.35  # tried first; offsets around the median point
_CANDIDATES, _ROUNDS, _FIRST_MOVE, _SHRINK = 8, 150, 0.1, 0.975
_NEARBY = 0.35  # truncations from the surface at which a mirror image counts 1 / e of one on it


@dataclass(frozen=True, eq=False)
class MirrorPlane:
    """Points p with normal · p = offset, in the box frame.

    Attributes:
        normal: Unit, f64 (3,).
        offset: Distance of the plane from the origin [box unit].
        met: Share of the measured points whose mirror images meet the measured surface.
        amiss: Share whose mirror images lie where a keyframe saw through.
        worth: What the search climbs: smooth in the place of the plane, more is better.
    """

    normal: np.ndarray
    offset: float
    met: float = 0.0
    amiss: float = 0.0
    worth: float = 0.0

    def mirror(self, points: np.ndarray) -> np.ndarray:
        """The mirror images of points f64 (N, 3) [box]."""
        return points - 2.0 * (points @ self.normal - self.offset)[:, None] * self.normal


def mirror_planes(
    keyframes: Sequence[Keyframe],
    S_world_box: Similarity,
    *,
    truncation: float,
    rng: np.random.Generator,
    support: Plane | None = None,
) -> list[MirrorPlane]:
    """Planes of symmetry that the keyframes support and do not contradict, the best first.

    A mirror image of a measured point meets the measured surface, lies hidden, or lies where a
    keyframe saw through. Planes with enough of the first and hardly any of the last are found
    among all directions, then moved at random to where they fit best.

    Args:
        keyframes: Views with depth; without any the answer is empty.
        S_world_box: Of the box.
        truncation: Of the measured distances [box unit].
        rng: Source of the points looked at, and of the moves.
        support: What the object stands on; points that a ragged mask took from it do not count.
    """
    measured = np.concatenate([measured_points(keyframe) for keyframe in keyframes])
    measured = S_world_box.inverse().apply(measured)
    if support is not None:
        measured = measured[support.heights(measured) > _CLEAR]
    if len(measured) < _POINTS:
        return []
    points = rng.choice(measured, _POINTS, replace=False)
    lattice = _Lattice(keyframes, S_world_box, truncation)
    middle = np.median(points, axis=0)
    tried = [
        _judged(points, lattice, normal, offset + normal @ middle)
        for normal in _half_sphere(_NORMALS)
        for offset in np.linspace(-_FARTHEST, _FARTHEST, _OFFSETS)
    ]
    found = [_moved(plane, points, lattice, rng) for plane in _distinct(tried, most=_CANDIDATES)]
    supported = [plane for plane in found if plane.met >= LEAST_MET and plane.amiss <= MOST_AMISS]
    return _distinct(supported, most=MOST_PLANES)


def _distinct(planes: Sequence[MirrorPlane], *, most: int) -> list[MirrorPlane]:
    """The best planes of which no two are nearly the same."""
    chosen: list[MirrorPlane] = []
    for plane in sorted(planes, key=_worth, reverse=True):
        if len(chosen) < most and all(_differ(plane, other) for other in chosen):
            chosen.append(plane)
    return chosen


class _Lattice:
    """Measured distances on a lattice over the box, in truncations; NaN where nothing was seen."""

    def __init__(self, keyframes: Sequence[Keyframe], S_world_box: Similarity, truncation: float):
        axis = np.linspace(-1, 1, _CELLS)
        places = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        scale = truncation * S_world_box.scale
        distances, worth = measured_distances(S_world_box.apply(places), keyframes, scale)
        self._values = np.where(worth > 0, distances / scale, np.nan).astype(np.float32)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Of the nearest lattice point, f32 (N,); 1, as in free space, outside of the box."""
        index = np.rint((points + 1) * (0.5 * (_CELLS - 1))).astype(np.int64)
        inside = ((index >= 0) & (index < _CELLS)).all(axis=1)
        index[~inside] = 0
        values = self._values[(index[:, 0] * _CELLS + index[:, 1]) * _CELLS + index[:, 2]]
        return np.where(inside, values, 1.0)


def _judged(
    points: np.ndarray, lattice: _Lattice, normal: np.ndarray, offset: float
) -> MirrorPlane:
    plane = MirrorPlane(normal, float(offset))
    said = lattice.at(plane.mirror(points))
    hidden = np.isnan(said)
    said = np.where(hidden, 0.0, said)
    near = np.where(hidden, 0.0, np.exp(-((said / _NEARBY) ** 2)))
    return replace(
        plane,
        met=float(((np.abs(said) < 0.5) & ~hidden).mean()),
        amiss=float((said > 0.75).mean()),
        worth=float(near.mean() - _AMISS_COSTS * np.clip(2 * said - 1, 0, 1).mean()),
    )


def _worth(plane: MirrorPlane) -> float:
    return plane.worth


def _moved(
    plane: MirrorPlane, points: np.ndarray, lattice: _Lattice, rng: np.random.Generator
) -> MirrorPlane:
    """The plane after small random moves that each made it better."""
    reach = _FIRST_MOVE
    for _ in range(_ROUNDS):
        normal = plane.normal + reach * rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        other = _judged(points, lattice, normal, plane.offset + 0.5 * reach * rng.normal())
        plane = max(plane, other, key=_worth)
        reach *= _SHRINK
    return plane


def _differ(plane: MirrorPlane, other: MirrorPlane) -> bool:
    cosine = float(plane.normal @ other.normal)
    offset = np.sign(cosine) * other.offset
    return abs(cosine) < DIFFERENT or abs(plane.offset - offset) > APART


def _half_sphere(count: int) -> np.ndarray:
    """Directions spread evenly over half of the sphere, f64 (N, 3)."""
    z = 1 - (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + 5**0.5) * (np.arange(count) + 0.5)
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
