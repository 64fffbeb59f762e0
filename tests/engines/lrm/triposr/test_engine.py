# SPDX-License-Identifier: Apache-2.0
"""The triposr engine with a small network of the family, which sees a bumpy ball in everything.

That tests everything but what public weights know: the path from a file to a mesh in metres.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from recon_node.engines import load_engine
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptyMaskError, EmptySurfaceError, InvalidInputError
from recon_node.engines.lrm.triposr.engine import TripoSREngine
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction, ScaleSource, Stage
from recon_node.engines.transforms import look_at, transform_points
from recon_node.kernels.ray_cast import RayCaster

on_a_sphere = pytest.mark.parametrize("solid", ["sphere"], indirect=True)


@pytest.fixture(scope="module")
def engine(triposr_file) -> TripoSREngine:
    return load_engine("triposr", backend="torch", weights=triposr_file)


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


@on_a_sphere
def test_the_result_says_what_it_is(result, engine, triposr_file):
    assert (result.object_id, result.engine, result.stage) == ("thing", "triposr", Stage.INSTANT)
    assert (result.version, result.parent_version, result.view_count) == (1, None, 1)
    assert result.scale_source is ScaleSource.DEPTH
    assert result.warnings == ()
    assert result.weights_note == engine.weights_note
    assert str(triposr_file) in engine.weights_note and "licence not known" in engine.weights_note
    seconds = {"crop_s", "backend_s", "surface_s", "colour_s"}
    assert set(result.metrics) == seconds | {"total_s", "truncated"}


@on_a_sphere
def test_the_mesh_is_closed_outward_and_annotated(result, unscaled):
    for mesh in (result.mesh, unscaled.mesh):
        assert mesh.is_watertight
        assert mesh.volume > 0
        assert len(mesh.colors) == len(mesh.provenance) == len(mesh.sigma) == len(mesh.vertices)


@on_a_sphere
def test_place_and_size_are_right_in_metres(result, solid):
    """The network's ball has bumps of 3 % of its size."""
    mesh = in_world(result)
    longest = solid.mesh.extents.max()
    np.testing.assert_allclose(mesh.extents, solid.mesh.extents, rtol=0.06)
    offset = middle_of(mesh.vertices) - middle_of(solid.mesh.vertices)
    assert np.linalg.norm(offset) < 0.08 * longest


@on_a_sphere
def test_the_visible_side_lies_on_the_measured_surface(result, solid):
    mesh = in_world(result)
    seen = mesh.vertices[mesh.provenance == Provenance.SEEN_ONCE]
    caster = RayCaster(solid.mesh.vertices, solid.mesh.faces)
    distances = caster.closest(seen).distances
    assert len(seen) > 0.1 * len(mesh.vertices)
    assert np.median(distances) < 0.02 * solid.mesh.extents.max()


@on_a_sphere
def test_seen_colours_are_the_objects(result, solid):
    seen = result.mesh.colors[result.mesh.provenance == Provenance.SEEN_ONCE].astype(float)
    share = seen / solid.color
    assert np.percentile(share, 2) > 0.5
    assert np.percentile(share, 98) < 1.1


@on_a_sphere
def test_without_depth_the_outline_is_the_masks(unscaled, solid, T_world_camera):
    assert unscaled.scale_source is ScaleSource.NONE
    assert unscaled.scale_sigma == np.inf
    eye = T_world_camera[:3, 3]
    assert np.linalg.norm(unscaled.T_world_object[:3, 3] - eye) == pytest.approx(1)
    view = solid.view(T_world_camera)
    points = transform_points(np.linalg.inv(T_world_camera), in_world(unscaled).vertices)
    pixels = view.camera.project(points)
    rows, columns = np.nonzero(view.mask)
    sides = np.ptp(columns) + 1, np.ptp(rows) + 1
    np.testing.assert_allclose(np.ptp(pixels, axis=0), sides, atol=0.06 * sides[0])


@on_a_sphere
def test_a_moved_camera_moves_the_result_with_it(engine, solid, result, T_world_camera):
    view = solid.view(T_world_camera)
    T_there_here = look_at(eye=(3, -2, 1), target=(0, 1, 0), up=(0.2, 0.1, 1))
    camera = view.camera
    moved = Camera(camera.K, camera.width, camera.height, T_there_here @ T_world_camera)
    there = engine.reconstruct([View(view.image, view.mask, moved, view.depth)])
    np.testing.assert_allclose(there.mesh.vertices, result.mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(
        there.T_world_object, T_there_here @ result.T_world_object, atol=1e-9
    )


@on_a_sphere
def test_what_lies_behind_the_object_changes_nothing(engine, solid, result, T_world_camera, rng):
    """The background is grey before anything is blended with it."""
    view = solid.view(T_world_camera)
    noise = rng.integers(0, 256, view.image.shape, np.uint8)
    other = dataclasses.replace(view, image=np.where(view.mask[..., None], view.image, noise))
    again = engine.reconstruct([other])
    np.testing.assert_array_equal(again.mesh.vertices, result.mesh.vertices)
    np.testing.assert_array_equal(again.mesh.colors, result.mesh.colors)


@on_a_sphere
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


@on_a_sphere
def test_bad_input_is_refused(engine, solid, T_world_camera):
    with pytest.raises(InvalidInputError, match="triposr engine was given no view"):
        engine.reconstruct([])
    view = solid.view(T_world_camera)
    with pytest.raises(EmptyMaskError):
        engine.reconstruct([View(view.image, np.zeros_like(view.mask), view.camera)])


@on_a_sphere
def test_a_network_that_sees_nothing_has_an_error_of_its_own(
    triposr_state, solid, T_world_camera, tmp_path
):
    blind = {name: tensor.clone() for name, tensor in triposr_state.items()}
    blind["decoder.layers.4.bias"][0] -= 100
    torch.save(blind, tmp_path / "blind.ckpt")
    engine = load_engine("triposr", backend="torch", weights=tmp_path)
    with pytest.raises(EmptySurfaceError):
        engine.reconstruct([solid.view(T_world_camera)])


@pytest.mark.slow
@on_a_sphere
def test_onnxruntime_exports_once_and_gives_the_same_mesh(
    triposr_file, solid, T_world_camera, tmp_path, monkeypatch, caplog
):
    """Be as exact as torch in float32, which torch leaves for bfloat16 where a CPU has that."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine = load_engine("triposr", weights=triposr_file)
    mesh = engine.reconstruct([solid.view(T_world_camera)]).mesh
    exact = BackendOptions(precision="fp32")
    in_torch = load_engine("triposr", backend="torch", weights=triposr_file, options=exact)
    reference = in_torch.reconstruct([solid.view(T_world_camera)]).mesh
    distances = RayCaster(reference.vertices, reference.faces).closest(mesh.vertices).distances
    assert distances.max() < 1e-4 * reference.extents.max()
    caplog.clear()
    (exported,) = tmp_path.rglob("encoder.onnx")
    for weights in (triposr_file, exported.parent, exported.with_name("triposr.safetensors")):
        again = load_engine("triposr", weights=Path(weights))
        assert again.backend == engine.backend
    assert not [record for record in caplog.records if "exporting" in record.getMessage()]
