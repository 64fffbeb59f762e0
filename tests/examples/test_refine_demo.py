# SPDX-License-Identifier: Apache-2.0
"""`make demo-refine`: what it measures and draws, on meshes of the synthetic camera's own table."""

import sys
from pathlib import Path

import numpy as np
import pytest

from recon_node.baked_scene import load_baked_scene
from recon_node.engines import load_engine
from recon_node.engines.camera import View
from recon_node.engines.mesh import Mesh
from recon_node.synthetic_camera import CameraConfig, SyntheticCamera

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
APPLE = 5


@pytest.fixture(scope="module", autouse=True)
def examples():
    """Imports from examples/, as a script in there has them."""
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def truth(examples) -> Mesh:
    from surface_error import true_mesh

    return true_mesh(load_baked_scene(), APPLE)


@pytest.fixture(scope="module")
def hull() -> Mesh:
    """The hull of the apple as the camera sees it, in the world's frame."""
    frame = SyntheticCamera(CameraConfig()).render(0.0)
    view = View(
        image=frame.color, mask=frame.labels == APPLE, depth=frame.depth, camera=frame.camera
    )
    result = load_engine("hull").reconstruct([view], object_id="apple")
    return result.mesh.transformed(result.T_world_object)


def _versions(meshes: list[Mesh], truth: Mesh) -> list:
    from refine_picture import Version
    from surface_error import SurfaceError

    error = SurfaceError(truth)
    return [
        Version(
            number=1 + index,
            stage="refined" if index else "hull",
            view_count=1 + index,
            seconds=2.0 + 5 * index,
            chamfer=error.chamfer(mesh),
            mesh=mesh,
        )
        for index, mesh in enumerate(meshes)
    ]


def test_truth_is_what_the_camera_renders(truth):
    """Find the depth of every pixel of the apple on the true mesh, where the camera says it is."""
    from surface_error import SurfaceError

    frame = SyntheticCamera(CameraConfig(noise=0.0)).render(3.0)
    shown = frame.labels == APPLE
    camera = frame.camera
    points = camera.unproject(camera.pixel_grid()[shown], frame.depth[shown])
    T = frame.T_world_camera
    distances = SurfaceError(truth).distances(points @ T[:3, :3].T + T[:3, 3])
    assert len(distances) > 500 and distances.max() < 1e-4


def test_chamfer_is_a_distance(truth):
    """Measure zero on itself, and what a shift of a much smaller size than the apple must give."""
    from surface_error import SurfaceError

    error = SurfaceError(truth)
    assert error.chamfer(truth) < 1e-6
    shift = np.eye(4)
    shift[2, 3] = 0.002
    # A plane moved by d along z is d |n_z| away, and over a ball |n_z| is a half in the mean.
    assert error.chamfer(truth.transformed(shift)) == pytest.approx(0.001, rel=0.25)


def test_picture_shows_versions_getting_better(truth, hull):
    """Draw each version from two sides: all tiles differ, and the truth has no error."""
    import refine_picture

    halfway = Mesh((truth.vertices * 1.03).astype(np.float32), truth.faces)
    versions = _versions([hull, halfway, truth], truth)
    assert versions[0].chamfer > versions[2].chamfer
    sheet = np.asarray(refine_picture.draw_sequence(versions, truth, title="apple"), np.float32)
    step = refine_picture._TILE + refine_picture._GAP
    left = refine_picture._MARGIN + refine_picture._SIDE
    top = refine_picture._TITLE + refine_picture._HEAD
    size = refine_picture._TILE
    tiles = np.array(
        [
            [sheet[top + y * step :, left + x * step :][:size, :size] for x in range(4)]
            for y in range(4)
        ]
    )
    assert (tiles.std(axis=(2, 3, 4)) > 10).all()
    redness = tiles[2:, ..., 0].mean((2, 3)) - tiles[2:, ..., 2].mean((2, 3))  # (side, column)
    assert (redness[:, 0] > redness[:, 2] + 5).all()
    np.testing.assert_array_equal(tiles[2:, 2], tiles[2:, 3])


def test_columns_are_the_first_and_the_last(truth):
    """Keep the first version and spread the others over the refined ones, up to the last."""
    from refine_picture import chosen_versions

    versions = _versions([truth] * 12, truth)
    numbers = [version.number for version in chosen_versions(versions)]
    assert numbers == [1, 2, 5, 9, 12]
    assert [v.number for v in chosen_versions(versions[:1])] == [1]
    assert [v.number for v in chosen_versions(versions[:2])] == [1, 2]
