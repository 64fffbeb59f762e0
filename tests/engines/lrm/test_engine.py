# SPDX-License-Identifier: Apache-2.0
"""The compact engine with the weights that are shipped: whole, in place, of the right colour."""

import numpy as np
import pytest

from recon_node.engines import load_engine
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.camera import Camera, View
from recon_node.engines.crop import crop_view
from recon_node.engines.errors import EmptyMaskError, EmptySurfaceError, InvalidInputError
from recon_node.engines.lrm.engine import CompactEngine
from recon_node.engines.lrm.field import CompactField, network_input
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import look_at, transform_points
from recon_node.kernels.ray_cast import RayCaster


@pytest.fixture(scope="module")
def engine() -> CompactEngine:
    return load_engine("compact")


@pytest.fixture(scope="module")
def result(engine, solid, T_world_camera) -> Reconstruction:
    """Of the solid with depth."""
    return engine.reconstruct([solid.view(T_world_camera)], object_id="thing")


@pytest.fixture(scope="module")
def unscaled(engine, solid, T_world_camera) -> Reconstruction:
    """Of the solid without depth."""
    return engine.reconstruct([solid.view(T_world_camera, with_depth=False)])


def in_world(result: Reconstruction) -> Mesh:
    return result.mesh.transformed(result.T_world_object)


def middle_of(points: np.ndarray) -> np.ndarray:
    return (points.min(axis=0) + points.max(axis=0)) / 2


def test_the_result_says_what_it_is(result):
    assert (result.object_id, result.engine, result.stage) == ("thing", "compact", Stage.INSTANT)
    assert (result.version, result.parent_version, result.view_count) == (1, None, 1)
    assert result.scale_source is ScaleSource.DEPTH
    assert 0 < result.scale_sigma < 0.1
    assert result.warnings == ()
    seconds = {"crop_s", "backend_s", "surface_s", "colour_s"}
    assert set(result.metrics) == seconds | {"total_s", "truncated"}
    assert result.metrics["truncated"] == 0
    assert sum(result.metrics[name] for name in seconds) == pytest.approx(result.metrics["total_s"])


def test_the_mesh_is_closed_outward_and_annotated(result, unscaled):
    for mesh in (result.mesh, unscaled.mesh):
        assert mesh.is_watertight
        assert mesh.volume > 0
        assert len(mesh.colors) == len(mesh.provenance) == len(mesh.sigma) == len(mesh.vertices)
        assert 0 < mesh.sigma.min() and mesh.sigma.max() < 0.2 * mesh.extents.max()


def overlap(mesh: Mesh, solid, rng: np.random.Generator) -> float:
    """IoU with the solid, both in the world."""
    both = np.concatenate([mesh.vertices, solid.mesh.vertices])
    points = rng.uniform(both.min(axis=0), both.max(axis=0), (20_000, 3))
    ours = RayCaster(mesh.vertices, mesh.faces).signed_distance(points) < 0
    theirs = solid.contains(points)
    return float((ours & theirs).sum() / (ours | theirs).sum())


def test_the_mesh_overlaps_the_solid_in_metres_more_than_its_hull(
    result, solid, T_world_camera, rng
):
    """The first weights reach 0.77 and 0.81; the hull 0.52 and 0.68."""
    hull = load_engine("hull").reconstruct([solid.view(T_world_camera)])
    reached = overlap(in_world(result), solid, rng)
    assert reached > 0.65
    assert reached > overlap(in_world(hull), solid, rng) + 0.05


def test_place_and_size_are_right_in_metres(result, solid):
    mesh = in_world(result)
    longest = solid.mesh.extents.max()
    offset = middle_of(mesh.vertices) - middle_of(solid.mesh.vertices)
    # What is hidden is guessed: half of each side of the box, up to a bulge of the mesh.
    assert np.linalg.norm(offset) < 0.2 * longest
    np.testing.assert_allclose(mesh.extents, solid.mesh.extents, rtol=0.4)


def test_the_visible_side_lies_on_the_measured_surface(result, solid):
    mesh = in_world(result)
    seen = mesh.vertices[mesh.provenance == Provenance.SEEN_ONCE]
    caster = RayCaster(solid.mesh.vertices, solid.mesh.faces)
    distances = caster.closest(seen).distances
    assert np.median(distances) < 0.01 * solid.mesh.extents.max()


def test_what_faces_the_camera_is_seen_and_what_turns_away_is_not(result, unscaled, T_world_camera):
    for mesh in (in_world(result), in_world(unscaled)):
        to_eye = T_world_camera[:3, 3] - mesh.vertices
        to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
        facing = np.sum(mesh.vertex_normals() * to_eye, axis=1)
        assert (mesh.provenance[facing > 0.4] == Provenance.SEEN_ONCE).mean() > 0.9
        assert (mesh.provenance[facing < 0] == Provenance.HALLUCINATED).all()
        seen, guessed = (mesh.sigma[mesh.provenance == p] for p in (1, 0))
        assert seen.mean() < guessed.mean()


def test_seen_colours_are_the_objects_in_its_light(result, unscaled, solid):
    for mesh in (result.mesh, unscaled.mesh):
        seen = mesh.colors[mesh.provenance == Provenance.SEEN_ONCE].astype(float)
        # Lit from 0.6 to 1, and never the grey of the wall.
        share = seen / solid.color
        assert np.percentile(share, 2) > 0.5
        assert np.percentile(share, 98) < 1.1


def test_hidden_colours_are_those_of_the_network(result, solid, T_world_camera):
    crop = crop_view(solid.view(T_world_camera))
    inputs = network_input(crop)
    encoder, decoder = (
        load_backend("torch", network, WEIGHTS_DIRECTORY) for network in (ENCODER, DECODER)
    )
    hidden = result.mesh.provenance == Provenance.HALLUCINATED
    field = CompactField(decoder, inputs, encoder.run(inputs))
    points = result.mesh.vertices[hidden] / crop.S_world_canonical.scale
    errors = result.mesh.colors[hidden] - 255 * field.colours(points)
    # But for those at the outline, which show in the picture, where a depth says otherwise.
    assert hidden.mean() > 0.3
    assert (np.abs(errors).max(axis=1) < 1.5).mean() > 0.9


def test_a_moved_camera_moves_the_result_with_it(engine, solid, result, T_world_camera):
    """The same picture from elsewhere in the world: the mesh stays, its place moves rigidly."""
    view = solid.view(T_world_camera)
    T_there_here = look_at(eye=(3, -2, 1), target=(0, 1, 0), up=(0.2, 0.1, 1))
    camera = view.camera
    moved = Camera(camera.K, camera.width, camera.height, T_there_here @ T_world_camera)
    there = engine.reconstruct([View(view.image, view.mask, moved, view.depth)])
    np.testing.assert_allclose(there.mesh.vertices, result.mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(there.mesh.faces, result.mesh.faces)
    np.testing.assert_allclose(
        there.T_world_object, T_there_here @ result.T_world_object, atol=1e-9
    )


def test_the_objects_frame_is_the_cubes(result, T_world_camera):
    """x towards the camera, z up in the picture, the origin in the cube's middle."""
    T_camera_world = np.linalg.inv(T_world_camera)
    T_camera_object = T_camera_world @ result.T_world_object
    assert T_camera_object[2, 0] < -0.95  # against the viewing direction
    assert T_camera_object[1, 2] < -0.95  # against image down
    assert np.linalg.norm(middle_of(result.mesh.vertices)) < 0.5 * result.mesh.extents.max()


def test_twice_as_far_and_twice_as_large_is_twice_the_result(engine, solid, result, T_world_camera):
    view = solid.view(T_world_camera)
    doubled = engine.reconstruct([View(view.image, view.mask, view.camera, 2 * view.depth)])
    np.testing.assert_allclose(doubled.mesh.vertices, 2 * result.mesh.vertices, atol=2e-4)
    here, there = (
        transform_points(np.linalg.inv(T_world_camera), r.T_world_object[:3, 3][None])
        for r in (result, doubled)
    )
    np.testing.assert_allclose(there, 2 * here, atol=1e-6)


def test_without_depth_the_shape_stands_at_distance_one_on_the_outline(
    unscaled, solid, T_world_camera
):
    assert unscaled.scale_source is ScaleSource.NONE
    assert unscaled.scale_sigma == np.inf
    eye = T_world_camera[:3, 3]
    assert np.linalg.norm(unscaled.T_world_object[:3, 3] - eye) == pytest.approx(1)
    view = solid.view(T_world_camera)
    points = transform_points(np.linalg.inv(T_world_camera), in_world(unscaled).vertices)
    pixels = view.camera.project(points)
    rows, columns = np.nonzero(view.mask)
    size = np.ptp(columns)
    np.testing.assert_allclose(pixels.min(axis=0), (columns.min(), rows.min()), atol=0.12 * size)
    np.testing.assert_allclose(
        pixels.max(axis=0), (columns.max() + 1, rows.max() + 1), atol=0.12 * size
    )


def test_both_backends_give_the_same_mesh(solid, result, T_world_camera):
    other = load_engine("compact", backend="torch").reconstruct([solid.view(T_world_camera)])
    caster = RayCaster(result.mesh.vertices, result.mesh.faces)
    distances = caster.closest(other.mesh.vertices).distances
    assert distances.max() < 1e-5 * result.mesh.extents.max()
    assert other.mesh.volume == pytest.approx(result.mesh.volume, rel=1e-5)


def test_the_same_view_gives_the_same_mesh(engine, solid, result, T_world_camera):
    again = engine.reconstruct([solid.view(T_world_camera)])
    np.testing.assert_array_equal(again.mesh.vertices, result.mesh.vertices)
    np.testing.assert_array_equal(again.mesh.colors, result.mesh.colors)


def test_further_views_are_named_in_a_warning(engine, solid, T_world_camera):
    view = solid.view(T_world_camera)
    result = engine.reconstruct([view, view])
    assert result.view_count == 1
    assert any("first of 2 views" in warning for warning in result.warnings)


def test_an_object_cut_by_the_border_is_flagged(engine, solid, T_world_camera):
    whole = solid.view(T_world_camera)
    width = int(np.nonzero(whole.mask)[1].mean())
    camera = Camera(whole.camera.K, width, whole.camera.height, T_world_camera)
    image, mask, depth = (
        np.ascontiguousarray(array[:, :width]) for array in (whole.image, whole.mask, whole.depth)
    )
    result = engine.reconstruct([View(image, mask, camera, depth)])
    assert result.metrics["truncated"] == 1
    assert any("border" in warning for warning in result.warnings)
    assert result.mesh.is_watertight


def test_bad_input_is_refused(engine, solid, T_world_camera):
    with pytest.raises(InvalidInputError, match="given no view; give one"):
        engine.reconstruct([])
    view = solid.view(T_world_camera)
    with pytest.raises(EmptyMaskError):
        engine.reconstruct([View(view.image, np.zeros_like(view.mask), view.camera)])


def test_a_network_that_sees_nothing_has_an_error_of_its_own(blind_weights, solid, T_world_camera):
    blind = load_engine("compact", backend="torch", weights=blind_weights)
    with pytest.raises(EmptySurfaceError):
        blind.reconstruct([solid.view(T_world_camera)])
