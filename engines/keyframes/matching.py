# SPDX-License-Identifier: Apache-2.0
"""Points of keyframes drawn to the surfaces and into the outlines that other keyframes saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon_node.engines.camera import Camera
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.outline import Outline
from recon_node.engines.keyframes.surface_map import SurfaceMap

NOISE = 0.0015  # of a measured point along its normal [m]
_WORTH = 0.05  # of a point: neighbours share their errors, so they are no independent evidence
_OUTLINE_WORTH = 0.015  # of a point outside a mask: masks are worse than depth
_SMALLEST_COSINE = 0.5  # between the normals of two points that are one
_MIDDLE_SIGMA = 0.35  # of the middle of an object as a keyframe guesses it, of its radius


@dataclass(frozen=True, eq=False)
class Pulls:
    """What draws points [world].

    Attributes:
        sources: i64 (M,), what each point belongs to.
        rows: f64 (M, 6), derivative of the distance by a shift and a turn about the centre.
        distances: f64 (M,) [m], signed: from a tangent plane, or out of an outline.
        weights: f64 (M,), one over the squared sigma of the distance [1 / m^2].
        is_surface: bool (M,), drawn to a surface.
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
        to_surface: tuple[np.ndarray, np.ndarray, np.ndarray],
        to_outline: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> Pulls:
        """Pulls of both kinds: each which points, i64 (K,), gradients (K, 3) and distances (K,).

        Args:
            sources: (N,), what each of all points belongs to.
            arms: (N, 3) [m, world], from the centre.
            to_surface: drawn to a surface.
            to_outline: drawn into an outline.
        """
        index, gradients, distances = (
            np.concatenate(both) for both in zip(to_surface, to_outline, strict=True)
        )
        is_surface = np.arange(len(index)) < len(to_surface[0])
        worth = np.where(is_surface, _WORTH, _OUTLINE_WORTH)
        rows = np.hstack([gradients, np.cross(arms[index], gradients)])
        return cls(sources[index], rows, distances, worth / NOISE**2, is_surface)

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
        middle: f64 (3,) [m, camera], where the object's middle may be; NaN without points. The
            mean of what a camera sees of a ball lies two thirds of its radius in front of its
            centre, and the outline has that radius.
        middle_sigma: of the middle [m].
    """

    def __init__(self, keyframe: Keyframe, *, samples: int) -> None:
        self.camera = keyframe.view.camera
        self._surface, self.outline = SurfaceMap.of(keyframe), Outline.of(keyframe)
        self.points, self.normals = self._surface.samples(samples)
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
    ) -> Pulls:
        """How the keyframe draws points of others, by projecting them into its picture.

        Args:
            points: (N, 3) [m, world].
            normals: (N, 3) unit.
            sources: (N,), what each belongs to.
            T_world_camera: (4, 4), of this keyframe [m].
            centre: (3,) [m, world], of motions.
            reach: of a pull [m].
        """
        R = T_world_camera[:3, :3]
        local = (points - T_world_camera[:3, 3]) @ R
        index, pixels = pixels_of(self.camera, local)
        met = self._surface.points.reshape(-1, 3)[pixels]
        planes = self._surface.normals.reshape(-1, 3)[pixels]
        offsets = local[index] - met
        chosen = ((normals[index] @ R) * planes).sum(1) > _SMALLEST_COSINE
        chosen &= (offsets**2).sum(1) < reach**2  # both false for NaN
        planes, offsets = planes[chosen], offsets[chosen]
        to_surface = index[chosen], planes @ R.T, (planes * offsets).sum(1)
        outside, gradients, distances = self.outline.pulls(local, index, pixels, reach)
        to_outline = outside, gradients @ R.T, distances
        return Pulls.of(sources, points - centre, to_surface, to_outline)


class MeasuredObjects:
    """The same object as all keyframes measured it."""

    def __init__(self, keyframes: Sequence[Keyframe], *, samples: int) -> None:
        self.items = [MeasuredObject(keyframe, samples=samples) for keyframe in keyframes]
        self.counts = np.array([len(item.points) for item in self.items])
        self._sources = np.repeat(np.arange(len(self.items)), self.counts)

    def in_world(self, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All points and normals f64 (N, 3) [m, world], the cameras at T (K, 4, 4)."""
        placed = [
            (item.points @ T_i[:3, :3].T + T_i[:3, 3], item.normals @ T_i[:3, :3].T)
            for item, T_i in zip(self.items, T, strict=True)
        ]
        points, normals = zip(*placed, strict=True)
        return np.concatenate(points), np.concatenate(normals)

    def pulls(self, T: np.ndarray, centre: np.ndarray, reach: float) -> list[Pulls]:
        """How each keyframe draws the points of all others, the cameras at T (K, 4, 4)."""
        points, normals = self.in_world(T)
        found = []
        for j, item in enumerate(self.items):
            others = self._sources != j
            found.append(
                item.pulls(
                    points[others],
                    normals[others],
                    self._sources[others],
                    T_world_camera=T[j],
                    centre=centre,
                    reach=reach,
                )
            )
        return found


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
