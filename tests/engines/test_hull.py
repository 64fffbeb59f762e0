# SPDX-License-Identifier: Apache-2.0
"""The hull engine on balls, walls and hairlines: closed, placed, coloured, honest about itself."""

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptyMaskError, InvalidInputError
from recon_node.engines.hull import HullEngine
from recon_node.engines.reconstruction import Provenance, ScaleSource, Stage
from recon_node.engines.transforms import Similarity, look_at, transform_points

BALL = np.array([0.05, -0.03, 0.6])  # centre, camera frame [m]
RADIUS = 0.05  # [m]
WIDTH, HEIGHT = 160, 120


def camera(T_world_camera=None) -> Camera:
    K = np.array([[150.0, 0, 80], [0, 150.0, 60], [0, 0, 1]])
    return Camera(K, WIDTH, HEIGHT, np.eye(4) if T_world_camera is None else T_world_camera)


def ball_view(*, with_depth: bool, T_world_camera=None) -> View:
    """A ball, red on its left half and green on its right, before blue."""
    cam = camera(T_world_camera)
    rays = cam.rays(cam.pixel_grid().reshape(-1, 2))
    along = rays @ BALL
    under_root = along**2 - BALL @ BALL + RADIUS**2
    mask = under_root > 0
    distances = np.where(mask, along - np.sqrt(np.maximum(under_root, 0)), np.nan)
    depth = (distances * rays[:, 2]).astype(np.float32).reshape(HEIGHT, WIDTH)
    is_left = distances * rays[:, 0] < BALL[0]
    image = np.where(is_left[:, None], (200, 20, 20), (20, 200, 20))
    image = np.where(mask[:, None], image, (20, 20, 250)).astype(np.uint8)
    return View(
        image.reshape(HEIGHT, WIDTH, 3),
        mask.reshape(HEIGHT, WIDTH),
        cam,
        depth if with_depth else None,
    )


def mask_view(mask: np.ndarray, depth: np.ndarray | None = None) -> View:
    return View(np.full((HEIGHT, WIDTH, 3), 128, np.uint8), mask, camera(), depth)


def world_mesh(reconstruction):
    return reconstruction.mesh.transformed(reconstruction.T_world_object)


def test_a_ball_with_depth_is_metric_and_in_place():
    result = HullEngine().reconstruct([ball_view(with_depth=True)], object_id="ball")
    mesh = world_mesh(result)
    assert (result.object_id, result.stage, result.engine) == ("ball", Stage.HULL, "hull")
    assert result.scale_source is ScaleSource.DEPTH
    assert 0 < result.scale_sigma < 0.1
    np.testing.assert_allclose(mesh.extents[:2], 2 * RADIUS, rtol=0.05)
    distances = np.linalg.norm(mesh.vertices - BALL, axis=1)
    assert distances.max() < 1.3 * RADIUS
    front = mesh.vertices[mesh.sigma < 0.05 * mesh.extents.max()]  # measured
    # A measured vertex is within 0.05 of half the cube, and pixels have corners.
    np.testing.assert_allclose(np.linalg.norm(front - BALL, axis=1), RADIUS, atol=0.1 * RADIUS)
    assert np.median(front[:, 2]) < BALL[2]


@pytest.mark.parametrize("with_depth", [True, False])
def test_the_mesh_is_closed_outward_and_described(with_depth):
    mesh = HullEngine().reconstruct([ball_view(with_depth=with_depth)]).mesh
    assert mesh.is_watertight
    assert mesh.volume > 0
    for array in (mesh.colors, mesh.provenance, mesh.sigma):
        assert len(array) == len(mesh.vertices)
    assert mesh.sigma.min() > 0
    assert set(mesh.provenance) == {Provenance.HALLUCINATED, Provenance.SEEN_ONCE}
    measured = mesh.sigma < 0.05 * mesh.extents.max()
    assert measured.any() == with_depth
    assert np.all(mesh.provenance[measured] == Provenance.SEEN_ONCE)


def test_without_depth_the_outline_projects_back_onto_the_mask():
    view = ball_view(with_depth=False)
    result = HullEngine().reconstruct([view])
    assert result.scale_source is ScaleSource.NONE
    assert result.scale_sigma == np.inf
    pixels = view.camera.project(world_mesh(result).vertices)
    rows, columns = np.nonzero(view.mask)
    np.testing.assert_allclose(pixels.min(axis=0), (columns.min(), rows.min()), atol=1.5)
    np.testing.assert_allclose(pixels.max(axis=0), (columns.max() + 1, rows.max() + 1), atol=1.5)
    assert np.linalg.norm(result.T_world_object[:3, 3]) == pytest.approx(1.0)


def test_thickness_without_depth_is_the_shorter_side_of_the_outline():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[50:70, 50:110] = True
    extents = np.sort(HullEngine().reconstruct([mask_view(mask)]).mesh.extents)
    # 20 of 150 px and 60 of 150 px at the distance 1, and what the near end is larger by
    assert extents[0] == pytest.approx(20 / 150, rel=0.03)
    assert extents[1] == pytest.approx(20 / 150, rel=0.12)
    assert extents[2] == pytest.approx(60 / 150, rel=0.12)


def test_a_hole_in_the_outline_stays_open_without_depth():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[30:90, 50:110] = True
    full = HullEngine().reconstruct([mask_view(mask)]).mesh
    mask[45:75, 65:95] = False
    ring = HullEngine().reconstruct([mask_view(mask)]).mesh
    assert ring.is_watertight
    assert ring.volume == pytest.approx(0.75 * full.volume, rel=0.05)


@pytest.mark.parametrize("with_depth", [True, False])
def test_colours_come_from_the_object_never_from_behind_it(with_depth):
    result = HullEngine().reconstruct([ball_view(with_depth=with_depth)])
    mesh = world_mesh(result)
    assert mesh.colors[:, 2].max() < 90
    towards_camera = np.sum(mesh.vertex_normals() * mesh.vertices, axis=1) < -0.5 * 0.6
    left = towards_camera & (mesh.vertices[:, 0] < (BALL[0] - 0.02) * mesh.vertices[:, 2] / 0.6)
    assert left.sum() > 0
    if with_depth:
        left = towards_camera & (mesh.vertices[:, 0] < BALL[0] - 0.02)
        right = towards_camera & (mesh.vertices[:, 0] > BALL[0] + 0.02)
        assert np.all(mesh.colors[left, 0] > mesh.colors[left, 1] + 100)
        assert np.all(mesh.colors[right, 1] > mesh.colors[right, 0] + 100)


def test_the_world_moves_with_the_camera():
    T_world_camera = look_at(eye=(1.0, 0.5, 0.8), target=(0, 0, 0), up=(0, 0, 1))
    here = HullEngine().reconstruct([ball_view(with_depth=True)])
    there = HullEngine().reconstruct([ball_view(with_depth=True, T_world_camera=T_world_camera)])
    expected = transform_points(T_world_camera, world_mesh(here).vertices)
    np.testing.assert_allclose(world_mesh(there).vertices, expected, atol=1e-5)
    assert Similarity.from_transform(there.T_world_object).scale == 1.0


def test_a_wall_seen_face_on_gets_a_thickness():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:80, 60:100] = True
    depth = np.where(mask, 0.5, np.nan).astype(np.float32)
    mesh = HullEngine().reconstruct([mask_view(mask, depth)]).mesh
    side = 40 / 150 * 0.5
    np.testing.assert_allclose(np.sort(mesh.extents), (0.1 * side, side, side), rtol=0.06)
    assert mesh.is_watertight


def test_holes_in_the_depth_do_not_cut_the_shape():
    view = ball_view(with_depth=True)
    depth = view.depth.copy()
    depth[:, : round(view.camera.project(BALL[None])[0, 0])] = np.nan
    holed = View(view.image, view.mask, view.camera, depth)
    full, half = (HullEngine().reconstruct([v]) for v in (view, holed))
    assert world_mesh(half).extents[0] == pytest.approx(world_mesh(full).extents[0], rel=0.05)


def test_mixed_pixels_do_not_stretch_the_hull():
    view = ball_view(with_depth=True)
    depth = view.depth.copy()
    rows, columns = np.nonzero(view.mask)
    depth[rows[::50], columns[::50]] = 2.0
    noisy = View(view.image, view.mask, view.camera, depth)
    assert HullEngine().reconstruct([noisy]).mesh.extents.max() < 2.5 * RADIUS


@pytest.mark.parametrize("depth_m", [None, 0.5])
def test_a_hairline_has_a_shape(depth_m):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60, 20:140] = True
    depth = None if depth_m is None else np.full(mask.shape, depth_m, np.float32)
    mesh = HullEngine().reconstruct([mask_view(mask, depth)]).mesh
    assert mesh.is_watertight
    assert mesh.volume > 0


@pytest.mark.parametrize("depth_m", [None, 0.5])
def test_a_mask_of_everything_works_and_is_flagged(depth_m):
    mask = np.ones((HEIGHT, WIDTH), bool)
    depth = None if depth_m is None else np.full(mask.shape, depth_m, np.float32)
    result = HullEngine().reconstruct([mask_view(mask, depth)])
    assert result.mesh.is_watertight
    assert result.metrics["truncated"] == 1.0
    assert any("border" in warning for warning in result.warnings)


def test_an_unusable_depth_is_not_used():
    view = ball_view(with_depth=True)
    empty = np.full_like(view.depth, np.nan)
    result = HullEngine().reconstruct([View(view.image, view.mask, view.camera, empty)])
    assert result.scale_source is ScaleSource.NONE
    assert result.warnings


def test_seconds_add_up():
    metrics = HullEngine().reconstruct([ball_view(with_depth=True)]).metrics
    parts = sum(metrics[name] for name in ("crop_s", "surface_s", "colour_s"))
    assert parts == pytest.approx(metrics["total_s"])


def test_further_views_are_named_in_a_warning():
    view = ball_view(with_depth=True)
    result = HullEngine().reconstruct([view, view])
    assert result.view_count == 1
    assert any("first of 2 views" in warning for warning in result.warnings)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInputError, match="no view"):
        HullEngine().reconstruct([])
    with pytest.raises(EmptyMaskError):
        HullEngine().reconstruct([mask_view(np.zeros((HEIGHT, WIDTH), bool))])
