# SPDX-License-Identifier: Apache-2.0
"""Keyframes of a known object: what an arm sees on its way round it, and pictures to be judged by.

Cameras stand on an arc of 120 degrees, at 25 and 40 degrees of elevation in turn, 2.5 to 4 object
sizes away, and look at the object. Views held out of the keyframes stand between them.
"""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from recon_node.engines.camera import Camera, View
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import invert, look_at, transform_points
from recon_node.evaluation.pictured_object import Light, PicturedObject, Shot
from recon_node.evaluation.sensor_faults import (
    Faults,
    disturbed_pose,
    measured_depth,
    ragged_mask,
)

ARC = 120.0  # degrees of azimuth
ELEVATIONS = (25.0, 40.0)  # in turn [degree]
DISTANCES = (2.5, 4.0)  # to the object's centre / longest side
FILL = 0.65  # of the picture's side, by the object where it looks largest: 0.6 on average
KEYFRAME_SIDE = 256  # [px]
HELD_OUT_SIDE = 128  # [px]
HELD_OUT_AZIMUTHS = tuple(-60.0 + 120.0 / 7.0 * (i + 0.5) for i in range(7))  # between those of 8
HELD_OUT_ELEVATION = 32.5
FRAME_NS = 1_000_000_000  # between keyframes


@dataclass(frozen=True, eq=False)
class KeyframeSet:
    """Keyframes under one condition, and what is true of them.

    Attributes:
        views: In the order of the arc, each with the pose that the arm believes; the first one's
            is exact.
        true_poses: `T_world_camera` of each, f64 (K, 4, 4) [m].
        faults: The condition.
    """

    views: tuple[View, ...]
    true_poses: np.ndarray
    faults: Faults


class KeyframeScene:
    """An object somewhere in a world with z up, ready to be seen from an arc.

    Everything random is drawn from the name, so that the same name gives the same pictures, and
    the first view is the same whatever the number of views.

    Args:
        name: Of the object.
        mesh: In its own frame, z up [m].
        light: In the world's axes.
    """

    def __init__(self, name: str, mesh: Mesh, light: Light):
        self.name, self._seed = name, zlib.crc32(name.encode())
        rng = np.random.default_rng(self._seed)
        self.longest = float(mesh.extents.max())
        turn = rng.uniform(0.0, 2.0 * np.pi)
        self.T_world_object = np.eye(4)
        self.T_world_object[:2, :2] = [
            [np.cos(turn), -np.sin(turn)],
            [np.sin(turn), np.cos(turn)],
        ]
        self.T_world_object[:3, 3] = rng.uniform(-0.5, 0.5, 3)
        self.mesh = mesh.transformed(self.T_world_object)
        used = self.mesh.vertices[self.mesh.faces].reshape(-1, 3)
        self._centre = 0.5 * (used.min(axis=0) + used.max(axis=0)).astype(np.float64)
        self._points = used[:: max(1, len(used) // 4000)].astype(np.float64)
        self._start = rng.uniform(0.0, 360.0)  # azimuth of the arc's middle [degree]
        self._distance = rng.uniform(*DISTANCES) * self.longest
        table = rng.uniform(0.15, 0.6) * rng.uniform(0.7, 1.0, 3)
        self._object = PicturedObject(self.mesh, light, table=table)
        self._focal = self._fitting_focal()
        self._shots: dict[float, Shot] = {}

    def keyframes(self, count: int, faults: Faults) -> KeyframeSet:
        """`count` >= 2 keyframes evenly spread over the arc, its ends included."""
        views, taken = [], zip(_azimuths(count), self.shots(count), strict=True)
        for index, (azimuth, shot) in enumerate(taken):
            view = self._faulty(shot, azimuth, faults, exact_pose=index == 0)
            views.append(replace(view, stamp_ns=index * FRAME_NS))
        poses = [shot.camera.T_world_camera for shot in self.shots(count)]
        return KeyframeSet(tuple(views), np.stack(poses), faults)

    def shots(self, count: int) -> list[Shot]:
        """What the cameras of `count` keyframes see, without any fault; each is taken once."""
        for index, azimuth in enumerate(_azimuths(count)):
            if azimuth not in self._shots:
                camera = self._camera(azimuth, ELEVATIONS[index % 2], KEYFRAME_SIDE)
                self._shots[azimuth] = self._object.shoot(camera)
        return [self._shots[azimuth] for azimuth in _azimuths(count)]

    def held_out(self) -> list[Shot]:
        """What cameras between the keyframes see, without any fault."""
        cameras = (
            self._camera(azimuth, HELD_OUT_ELEVATION, HELD_OUT_SIDE)
            for azimuth in HELD_OUT_AZIMUTHS
        )
        return [self._object.shoot(camera) for camera in cameras]

    def _faulty(self, shot: Shot, azimuth: float, faults: Faults, *, exact_pose: bool) -> View:
        """The shot under a condition; the faults of a place on the arc are always the same."""
        rng = np.random.default_rng([self._seed, _whole(azimuth), 1])
        pose = disturbed_pose(shot.camera.T_world_camera, faults, rng=rng)
        return View(
            image=shot.image,
            mask=ragged_mask(shot.mask, faults, rng=rng),
            camera=shot.camera if exact_pose else replace(shot.camera, T_world_camera=pose),
            depth=measured_depth(shot, faults, rng=rng),
        )

    def _camera(self, azimuth: float, elevation: float, side: int) -> Camera:
        focal = self._focal * side
        K = np.array([[focal, 0.0, side / 2], [0.0, focal, side / 2], [0.0, 0.0, 1.0]])
        return Camera(K, side, side, self._pose(azimuth, elevation))

    def _pose(self, azimuth: float, elevation: float) -> np.ndarray:
        """`T_world_camera` of a place on the arc; it looks past the centre by about 2 %."""
        rng = np.random.default_rng([self._seed, _whole(azimuth), 0])
        distance = self._distance * rng.uniform(0.93, 1.07)
        target = self._centre + 0.02 * self.longest * rng.normal(size=3)
        turned, raised = np.deg2rad([self._start + azimuth, elevation])
        flat = np.cos(raised)
        away = np.array([flat * np.cos(turned), flat * np.sin(turned), np.sin(raised)])
        return look_at(self._centre + distance * away, target, (0.0, 0.0, 1.0))

    def _fitting_focal(self) -> float:
        """Focal length / picture side with which the object fills `FILL` where it looks largest."""
        spans = []
        for azimuth in np.linspace(-0.5 * ARC, 0.5 * ARC, 7):
            T_camera_world = invert(self._pose(float(azimuth), HELD_OUT_ELEVATION))
            points = transform_points(T_camera_world, self._points)
            spans.append(np.ptp(points[:, :2] / points[:, 2:], axis=0).max())
        return FILL / max(spans)


def _azimuths(count: int) -> list[float]:
    """Places of keyframes on the arc, from its middle [degree]."""
    return [round(float(azimuth), 6) for azimuth in np.linspace(-0.5 * ARC, 0.5 * ARC, count)]


def _whole(azimuth: float) -> int:
    """An azimuth >= -180 degrees as a number >= 0 that a generator can be seeded with."""
    return round(1e6 * (azimuth + 180.0))
