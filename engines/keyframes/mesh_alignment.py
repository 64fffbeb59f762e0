# SPDX-License-Identifier: Apache-2.0
"""Where the camera of a keyframe stood that came without a pose, told by the object's mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon_node.engines.errors import RegistrationError
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.matching import MeasuredObject
from recon_node.engines.keyframes.small_motion import cross_matrix, distance_from, moved
from recon_node.engines.mesh import Mesh
from recon_node.engines.surface_samples import sample_surface
from recon_node.kernels.ray_cast import RayCaster

SIGMA_TRANSLATION = 0.05  # of how far the camera went since the pose it starts from [m]
SIGMA_ROTATION = float(np.radians(10.0))
TOLERANCE = 0.01  # of a mesh guessed from one view [m]
SMALLEST_SUPPORT = 0.7  # of the measured points, on the mesh
SMALLEST_OVERLAP = 0.7  # of the mask and the mesh's outline, intersection over union
_SAMPLES = 2000  # points of the keyframe, and of the mesh
_FEWEST = 50  # points of the keyframe
_COARSE_ROUNDS, _MOST_ROUNDS = 3, 40
_FIRST_SCALE, _LAST_SCALE = 0.03, 0.004  # of the distances that count [m]
_SHRINK = 0.88  # of the scale, a round
_REACH = 3.0  # of a pull, in scales
_STILL = 2e-5  # a motion that ends the search [m], [rad]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A camera placed by the mesh.

    Attributes:
        T_world_camera: f64 (4, 4) [m].
        support: share of the keyframe's points that lie within the tolerance on the mesh.
        overlap: intersection over union of the mask and the mesh's outline.
    """

    T_world_camera: np.ndarray
    support: float
    overlap: float


def align_to_mesh(
    keyframe: Keyframe,
    mesh: Mesh,
    *,
    rng: np.random.Generator,
    sigma_translation: float = SIGMA_TRANSLATION,
    sigma_rotation: float = SIGMA_ROTATION,
) -> Alignment:
    """The camera from which the mesh looks as the keyframe measured it, searched from its camera.

    Points of the mesh are drawn to the measured surface and into the mask as in
    `registration.register`; here only the camera moves.

    Args:
        keyframe: with depth; its camera stands where the search starts, such as at the last pose.
        mesh: the object [m, world].
        rng: draws the points of the mesh.
        sigma_translation: of the start [m].
        sigma_rotation: of the start [rad].

    Returns:
        The camera, and how well it fits.

    Raises:
        RegistrationError: too little depth, or mesh and keyframe do not fit each other.
    """
    measured = MeasuredObject(keyframe, samples=_SAMPLES)
    if len(measured.points) < _FEWEST:
        raise RegistrationError(
            f"the camera cannot be placed: only {len(measured.points)} pixels of the mask have a "
            f"surface, but {_FEWEST} are needed; give the depth image, or the camera's pose"
        )
    surface = sample_surface(mesh, _SAMPLES, rng=rng)
    points, normals = surface.positions, surface.normals.astype(np.float64)
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    centre = (corners.min(axis=0) + corners.max(axis=0)).astype(np.float64) / 2
    given = keyframe.view.camera.T_world_camera
    T, scale = given, _FIRST_SCALE
    sources = np.zeros(len(points), np.int64)
    for number in range(_COARSE_ROUNDS + _MOST_ROUNDS):
        A, b = distance_from(T, given, centre, sigma_translation, sigma_rotation)
        if number < _COARSE_ROUNDS:
            _add_middle(A, b, measured, T, centre)
        else:
            pulls = measured.pulls(
                points, normals, sources, T_world_camera=T, centre=centre, reach=_REACH * scale
            )
            H, g = pulls.equations(slice(None), scale)
            A, b = A + H, b - g  # what draws the points forwards draws the camera back
        motion = np.linalg.solve(A, -b)
        T = moved(T, motion, centre)
        if scale == _LAST_SCALE and np.abs(motion).max() < _STILL:
            break
        if number >= _COARSE_ROUNDS:
            scale = max(_SHRINK * scale, _LAST_SCALE)
    return _checked(keyframe, mesh, T, measured.points @ T[:3, :3].T + T[:3, 3])


def _add_middle(
    A: np.ndarray, b: np.ndarray, measured: MeasuredObject, T: np.ndarray, centre: np.ndarray
) -> None:
    """Adds the distance of the middle that the keyframe guesses from the centre, in place."""
    off = T[:3, :3] @ measured.middle + T[:3, 3] - centre
    J = np.hstack([np.eye(3), -cross_matrix(off)])
    A += J.T @ J / measured.middle_sigma**2
    b += J.T @ off / measured.middle_sigma**2


def _checked(keyframe: Keyframe, mesh: Mesh, T: np.ndarray, points: np.ndarray) -> Alignment:
    """The alignment with the camera at T (4, 4) and the measured points (M, 3) in the world."""
    caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
    near = caster.closest(points.astype(np.float32), reach=2 * TOLERANCE).distances < TOLERANCE
    camera = keyframe.view.camera
    directions = camera.rays(camera.pixel_grid()[keyframe.known]) @ T[:3, :3].T
    origins = np.broadcast_to(T[:3, 3], directions.shape)
    seen = caster.cast(origins, directions).faces >= 0
    mask = keyframe.view.mask[keyframe.known]
    overlap = float((seen & mask).sum() / max((seen | mask).sum(), 1))
    if near.mean() < SMALLEST_SUPPORT or overlap < SMALLEST_OVERLAP:
        raise RegistrationError(
            f"the view does not fit the mesh: {near.mean():.0%} of its points lie on it and the "
            f"outlines overlap by {overlap:.0%}, but {SMALLEST_SUPPORT:.0%} and "
            f"{SMALLEST_OVERLAP:.0%} are needed; the camera went too far, or the object changed"
        )
    return Alignment(T, float(near.mean()), overlap)
