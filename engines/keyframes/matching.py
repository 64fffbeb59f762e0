# SPDX-License-Identifier: Apache-2.0
"""Points of keyframes drawn to what other keyframes saw: surfaces, outlines, colours, the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.luminance import LuminanceMap
from recon_node.engines.keyframes.outline import Outline
from recon_node.engines.keyframes.surface_map import SurfaceMap
from recon_node.engines.keyframes.surroundings import MeasuredPlane

NOISE = 0.0015  # of a measured point along its normal [m]
_WORTH = 0.05  # of a point: neighbours share their errors, so they are no independent evidence
_OUTLINE_WORTH = 0.015  # of a point outside a mask: masks are worse than depth
_SMALLEST_COSINE = 0.5  # between the normals of two points that are one
_SAME_PLANE = 0.94  # cosine between the normals of planes that are one
_MIDDLE_SIGMA = 0.35  # of the middle of an object as a keyframe guesses it, of its radius


@dataclass(frozen=True, eq=False)
class Pulls:
    """What draws points [world].

    Attributes:
        sources: i64 (M,), what each point belongs to.
        rows: f64 (M, 6), derivative of the distance by a shift and a turn about the centre.
        distances: f64 (M,) [m], signed: from a tangent plane, out of an outline, or to where the
            picture is as bright.
        weights: f64 (M,), one over the squared sigma of the distance [1 / m^2].
        is_surface: bool (M,), drawn to the surface of the object.
    """

    sources: np.ndarray
    rows: np.ndarray
    distances: np.ndarray
    weights: np.ndarray
    is_surface: np.ndarray

    @classmethod
    def of(
        cls,
        sources: np.ndarray,
        arms: np.ndarray,
        gradients: np.ndarray,
        distances: np.ndarray,
        weights: np.ndarray | float,
        *,
        to_surface: bool = False,
    ) -> Pulls:
        """Pulls of one kind.

        Args:
            sources: (M,), what each point belongs to.
            arms: (M, 3) [m, world], from the centre to the point.
            gradients: (M, 3) [world], derivative of the distance by the place of the point.
            distances: (M,) [m].
            weights: (M,) or one for all [1 / m^2].
            to_surface: whether they are drawn to the object's surface.
        """
        rows = np.hstack([gradients, np.cross(arms, gradients)])
        weights = np.broadcast_to(weights, len(rows))
        return cls(sources, rows, distances, weights, np.full(len(rows), to_surface))

    @classmethod
    def joined(cls, kinds: Sequence[Pulls]) -> Pulls:
        """Pulls of several kinds, one after the other."""
        columns = ("sources", "rows", "distances", "weights", "is_surface")
        return cls(*(np.concatenate([getattr(kind, name) for kind in kinds]) for name in columns))

    def equations(self, chosen: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations A (6, 6), b (6,) of the chosen ones, outliers left out by degrees.

        The weight `(s^2 / (s^2 + d^2))^2` is that of Geman and McClure (1987) at the scale s [m].
        """
        rows, distances = self.rows[chosen], self.distances[chosen]
        robust = (scale**2 / (scale**2 + distances**2)) ** 2
        weighted = rows * (robust * self.weights[chosen])[:, None]
        return weighted.T @ rows, weighted.T @ distances


class MeasuredObject:
    """What one keyframe measured of the object.

    Attributes:
        camera: the camera of the keyframe.
        outline: of the mask.
        points: f64 (M, 3) [m, camera], a sample of the surface.
        normals: f64 (M, 3) unit, towards the camera.
        logarithms: f64 (M,), of the luminance that the picture has there.
        middle: f64 (3,) [m, camera], where the object's middle may be; NaN without points. The
            mean of what a camera sees of a ball lies two thirds of its radius in front of its
            centre, and the outline has that radius.
        middle_sigma: of the middle [m].
    """

    def __init__(self, keyframe: Keyframe, *, samples: int) -> None:
        self.camera = keyframe.view.camera
        self._surface, self.outline = SurfaceMap.of(keyframe), Outline.of(keyframe)
        self._luminance = LuminanceMap.of(keyframe.view)
        chosen = self._surface.samples(samples)
        self.points = self._surface.points.reshape(-1, 3)[chosen]
        self.normals = self._surface.normals.reshape(-1, 3)[chosen]
        self.logarithms = self._luminance.values[..., 0].ravel()[chosen]
        self.middle, self.middle_sigma = np.full(3, np.nan), np.nan
        if len(self.points):
            mean = self.points.mean(axis=0)
            pixels = np.isfinite(self._surface.normals[..., 0]).sum()
            radius = np.sqrt(pixels / np.pi / self.camera.focal.prod()) * mean[2]
            self.middle = mean * (1 + 2 / 3 * radius / np.linalg.norm(mean))
            self.middle_sigma = _MIDDLE_SIGMA * radius

    def pulls(
        self,
        points: np.ndarray,
        normals: np.ndarray,
        sources: np.ndarray,
        *,
        T_world_camera: np.ndarray,
        centre: np.ndarray,
        reach: float,
        logarithms: np.ndarray | None = None,
    ) -> Pulls:
        """How the keyframe draws points of others, by projecting them into its picture.

        Args:
            points: (N, 3) [m, world].
            normals: (N, 3) unit.
            sources: (N,), what each belongs to.
            T_world_camera: (4, 4), of this keyframe [m].
            centre: (3,) [m, world], of motions.
            reach: of a pull [m].
            logarithms: (N,), of the luminance of the points in their own pictures; without them
                colours say nothing.
        """
        R = T_world_camera[:3, :3]
        local = (points - T_world_camera[:3, 3]) @ R
        index, pixels = pixels_of(self.camera, local)
        met = self._surface.points.reshape(-1, 3)[pixels]
        planes = self._surface.normals.reshape(-1, 3)[pixels]
        offsets = local[index] - met
        chosen = ((normals[index] @ R) * planes).sum(1) > _SMALLEST_COSINE
        chosen &= (offsets**2).sum(1) < reach**2  # both false for NaN
        arms = points - centre
        met, planes, offsets = index[chosen], planes[chosen], offsets[chosen]
        kinds = [
            Pulls.of(
                sources[met],
                arms[met],
                planes @ R.T,
                (planes * offsets).sum(1),
                _WORTH / NOISE**2,
                to_surface=True,
            )
        ]
        outside, gradients, distances = self.outline.pulls(local, index, pixels, reach)
        kinds.append(
            Pulls.of(
                sources[outside],
                arms[outside],
                gradients @ R.T,
                distances,
                _OUTLINE_WORTH / NOISE**2,
            )
        )
        if logarithms is not None:
            gradients, distances, weights = self._luminance.pulls(
                local[met], logarithms[met], sources[met]
            )
            weights = _WORTH * weights
            kinds.append(Pulls.of(sources[met], arms[met], gradients @ R.T, distances, weights))
        return Pulls.joined(kinds)


class MeasuredObjects:
    """The same object as all keyframes measured it, and the plane around it."""

    def __init__(self, keyframes: Sequence[Keyframe], *, samples: int) -> None:
        self.items = [MeasuredObject(keyframe, samples=samples) for keyframe in keyframes]
        self.planes = [MeasuredPlane.of(keyframe, samples=samples) for keyframe in keyframes]
        self.counts = np.array([len(item.points) for item in self.items])
        self._sources = np.repeat(np.arange(len(self.items)), self.counts)
        self._logarithms = np.concatenate([item.logarithms for item in self.items])

    def in_world(self, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All points and normals f64 (N, 3) [m, world], the cameras at T (K, 4, 4)."""
        placed = [
            (item.points @ T_i[:3, :3].T + T_i[:3, 3], item.normals @ T_i[:3, :3].T)
            for item, T_i in zip(self.items, T, strict=True)
        ]
        points, normals = zip(*placed, strict=True)
        return np.concatenate(points), np.concatenate(normals)

    def pulls(
        self, T: np.ndarray, centre: np.ndarray, reach: float, *, by_colour: bool
    ) -> list[Pulls]:
        """How each keyframe draws the points of all others, the cameras at T (K, 4, 4).

        Args:
            T: (K, 4, 4) [m].
            centre: (3,) [m, world], of motions.
            reach: of a pull [m].
            by_colour: also to where the pictures are alike: only from nearby, as most textures
                are alike again a few millimetres on.
        """
        points, normals = self.in_world(T)
        found = []
        for j, item in enumerate(self.items):
            others = self._sources != j
            drawn = item.pulls(
                points[others],
                normals[others],
                self._sources[others],
                T_world_camera=T[j],
                centre=centre,
                reach=reach,
                logarithms=self._logarithms[others] if by_colour else None,
            )
            found.append(Pulls.joined([drawn, *self._plane_pulls(j, T, centre, reach)]))
        return found

    def _plane_pulls(
        self, j: int, T: np.ndarray, centre: np.ndarray, reach: float
    ) -> Iterator[Pulls]:
        """How the plane that keyframe j measured draws the points of the others' planes."""
        target = self.planes[j]
        if target is None:
            return
        normal = T[j, :3, :3] @ target.plane.normal
        offset = target.plane.offset + float(normal @ T[j, :3, 3])
        for i, source in enumerate(self.planes):
            if i == j or source is None:
                continue
            if normal @ T[i, :3, :3] @ source.plane.normal < _SAME_PLANE:
                continue
            points = source.points @ T[i, :3, :3].T + T[i, :3, 3]
            distances = points @ normal - offset
            near = np.abs(distances) < reach
            arms, gradients = points[near] - centre, np.tile(normal, (int(near.sum()), 1))
            sources = np.full(len(arms), i)
            yield Pulls.of(sources, arms, gradients, distances[near], _WORTH / NOISE**2)


def pixels_of(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the points (M, 3) [m, camera] fall into the picture, and into which flat pixel."""
    z = points[:, 2]
    in_front = z > 1e-6
    safe = np.where(in_front, z, 1.0)
    column = np.floor(points[:, 0] / safe * camera.K[0, 0] + camera.K[0, 2])
    row = np.floor(points[:, 1] / safe * camera.K[1, 1] + camera.K[1, 2])
    inside = in_front & (column >= 0) & (column < camera.width)
    inside &= (row >= 0) & (row < camera.height)
    index = np.flatnonzero(inside)
    return index, (row[index] * camera.width + column[index]).astype(np.int64)
