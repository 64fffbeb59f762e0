# SPDX-License-Identifier: Apache-2.0
"""Colour, provenance and sigma of surfaces before a camera: what hides what, what was measured."""

from dataclasses import replace

import manifold3d
import numpy as np
import pytest

from recon_node.engines.annotation import SigmaModel, annotate
from recon_node.engines.camera import Camera
from recon_node.engines.canonical import points_to_image
from recon_node.engines.crop import Crop, crop_camera
from recon_node.engines.reconstruction import Provenance, ScaleSource

SIGMA = SigmaModel(measured=0.01, seen=0.04, guessed=0.1)
SIZE = 64
Q = 0.2
RED, BLUE, GREEN = (220, 30, 30), (10, 10, 250), (20, 200, 20)


def box(center, sides, edge=0.05):
    """Vertices and faces of a box."""
    solid = manifold3d.Manifold.cube(sides, True).translate(center).refine_to_length(edge)
    mesh = solid.to_mesh()
    return np.asarray(mesh.vert_properties[:, :3], np.float64), np.asarray(mesh.tri_verts, np.int32)


def two_boxes():
    """A large box, a smaller one between it and the camera, and which vertices are the small."""
    large, large_faces = box((-0.3, 0.0, 0.0), (0.4, 1.2, 1.2))
    small, small_faces = box((0.4, 0.0, 0.0), (0.2, 0.6, 0.6))
    points = np.concatenate([large, small])
    return points, np.concatenate([large_faces, small_faces + len(large)]), len(large)


def crop_of(mask: np.ndarray, depth: np.ndarray | None = None) -> Crop:
    """A crop whose object is red before blue, with canonical depths."""
    camera = crop_camera(Q, SIZE, np.eye(4))
    return Crop(
        image=np.where(mask[..., None], RED, BLUE).astype(np.uint8),
        mask=mask.astype(np.float32),
        depth=depth,
        camera=camera,
        source_camera=Camera(camera.K, SIZE, SIZE),
        T_camera_crop=np.eye(4),
        tan_half_fov=Q,
        distance=2.0,
        scale_source=ScaleSource.NONE if depth is None else ScaleSource.DEPTH,
        truncated=False,
    )


def square_mask(half: float) -> np.ndarray:
    """Pixels whose image coordinates are within ±half."""
    axis = np.abs((np.arange(SIZE) + 0.5) * 2 / SIZE - 1) < half
    return axis[:, None] & axis


def annotated(points, faces, crop):
    return annotate(points, faces, crop, hidden_colors=lambda hidden: GREEN, sigma=SIGMA)


def test_what_lies_behind_or_faces_away_is_not_seen():
    points, faces, large_count = two_boxes()
    mesh = annotated(points, faces, crop_of(square_mask(0.75)))
    seen = mesh.provenance == Provenance.SEEN_ONCE
    inner = np.abs(points[:, 1:]).max(axis=1)
    is_large = np.arange(len(points)) < large_count
    large_front = is_large & np.isclose(points[:, 0], -0.1)
    small_front = ~is_large & np.isclose(points[:, 0], 0.5)
    assert seen[small_front & (inner < 0.29)].all()
    assert seen[large_front & (inner > 0.4) & (inner < 0.59)].all()
    assert not seen[large_front & (inner < 0.3)].any()  # in the small box's shadow
    assert not seen[points[:, 0] < -0.15].any()
    assert not seen[~is_large & np.isclose(points[:, 0], 0.3)].any()


def test_seen_vertices_take_the_picture_and_others_the_given_colour():
    points, faces, _ = two_boxes()
    asked = []

    def hidden_colors(hidden):
        asked.append(hidden)
        return np.full((len(hidden), 3), 300.0)  # clipped

    crop = crop_of(square_mask(0.75))
    mesh = annotate(points, faces, crop, hidden_colors=hidden_colors, sigma=SIGMA)
    seen = mesh.provenance == Provenance.SEEN_ONCE
    assert np.all(mesh.colors[seen] == RED)
    np.testing.assert_array_equal(np.concatenate(asked), points[np.all(mesh.colors == 255, axis=1)])
    assert not np.all(mesh.colors == BLUE, axis=1).any()


def test_a_measured_depth_decides_what_was_seen():
    points, faces = box((0.0, 0.0, 0.0), (0.4, 1.0, 1.0))
    front = np.isclose(points[:, 0], 0.2) & (np.abs(points[:, 1:]).max(axis=1) < 0.45)
    mask = square_mask(0.6)
    depth = np.full((SIZE, SIZE), 0.21, np.float32)
    depth[:, : SIZE // 2] = 0.6  # on the left the camera measured something else
    depth[: SIZE // 2] = np.nan  # and nothing above
    mesh = annotated(points, faces, crop_of(mask, depth))
    seen = mesh.provenance == Provenance.SEEN_ONCE
    u, v = points_to_image(points, Q).T
    left, right = u < -0.05, u > 0.05
    above, below = v < -0.05, v > 0.05
    assert seen[front & above].all()
    assert seen[front & below & right].all()
    assert not seen[front & below & left].any()
    relative = mesh.sigma / mesh.extents.max()
    np.testing.assert_allclose(relative[front & above], SIGMA.seen, rtol=1e-5)
    np.testing.assert_allclose(relative[front & below & right], SIGMA.measured, rtol=1e-5)
    np.testing.assert_allclose(relative[front & below & left], SIGMA.guessed, rtol=1e-5)
    np.testing.assert_allclose(relative[points[:, 0] < 0], SIGMA.guessed, rtol=1e-5)


def test_beside_the_mask_a_vertex_has_the_objects_colour_but_was_not_seen():
    points, faces = box((0.0, 0.0, 0.0), (0.2, 1.3, 1.3), edge=0.02)
    half = 0.6
    mesh = annotated(points, faces, crop_of(square_mask(half)))
    uv = np.abs(points_to_image(points, Q)).max(axis=1)
    front = np.isclose(points[:, 0], 0.1)
    beside = front & (uv > half + 2 / SIZE) & (uv < half + 4 / SIZE)
    assert beside.any()
    assert np.all(mesh.colors[beside] == RED)
    assert not mesh.provenance[beside].any()


@pytest.mark.parametrize("distance", [1.0, 2.0])
def test_lengths_are_metric(distance):
    points, faces = box((0.0, 0.0, 0.0), (0.4, 1.0, 0.8))
    mesh = annotated(points, faces, replace(crop_of(square_mask(0.5)), distance=distance))
    np.testing.assert_allclose(mesh.extents, distance * Q * np.array([0.4, 1.0, 0.8]), rtol=1e-5)
