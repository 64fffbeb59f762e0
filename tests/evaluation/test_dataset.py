# SPDX-License-Identifier: Apache-2.0
"""Reading the evaluation format."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.errors import InvalidInputError
from recon_node.evaluation.dataset import Picture, load_objects


@pytest.fixture
def crate(evaluation_folder):
    return load_objects(evaluation_folder)[0]


@pytest.fixture
def copy(evaluation_folder, tmp_path):
    """A copy of the object's folder, to be damaged."""
    return shutil.copytree(evaluation_folder / "crate", tmp_path / "crate")


def test_one_folder_or_a_folder_of_folders(evaluation_folder):
    for directory in (evaluation_folder, evaluation_folder / "crate"):
        (found,) = load_objects(directory)
        assert (found.name, found.longest, found.view_count) == ("crate", 0.10, 2)


def test_views_carry_pictures_and_metric_depth(crate):
    view = crate.view(1, Picture.CLUTTER, with_depth=True)
    assert view.image[0, 0].tolist() == [60, 60, 60]
    assert crate.view(1, Picture.PLAIN, with_depth=False).image[0, 0].tolist() == [230, 230, 230]
    np.testing.assert_array_equal(np.isfinite(view.depth), view.mask)
    distance = np.linalg.norm(crate.T_camera_object[1][:3, 3])
    assert 0.7 * distance < np.nanmin(view.depth) < np.nanmax(view.depth) < 1.2 * distance
    assert crate.view(0, Picture.PLAIN, with_depth=False).depth is None


def test_views_do_not_tell_where_the_object_is(crate):
    np.testing.assert_array_equal(crate.camera.T_world_camera, np.eye(4))


def test_depth_of_a_view_lies_on_the_true_mesh(crate):
    view = crate.view(0, Picture.PLAIN, with_depth=True)
    pixels = view.camera.pixel_grid()[view.mask]
    seen = view.camera.unproject(pixels, view.depth[view.mask])
    T = crate.T_camera_object[0]
    in_object = (seen - T[:3, 3]) @ T[:3, :3]
    assert crate.solid.caster.closest(in_object).distances.max() < 2e-5


def test_truth_is_read_when_asked_for(crate):
    assert crate.surface.points.shape == (4000, 3)
    assert crate.occupancy.volume == pytest.approx(0.10 * 0.06 * 0.04, rel=0.05)
    # (100 - 2 d) (60 - 2 d) (40 - 2 d) is half of the volume at a depth d of 5.9 mm
    assert crate.thickness == pytest.approx(4 * 0.059, abs=0.02)
    assert not crate.is_thin


def test_a_folder_without_objects_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="holds no evaluation object"):
        load_objects(tmp_path)
    with pytest.raises(InvalidInputError, match="is not a folder"):
        load_objects(tmp_path / "missing")


@pytest.mark.parametrize("key", ["K", "depth_unit_m", "views", "width"])
def test_a_missing_key_names_the_file(copy, key):
    cameras = json.loads((copy / "cameras.json").read_text())
    del cameras[key]
    (copy / "cameras.json").write_text(json.dumps(cameras))
    with pytest.raises(InvalidInputError, match=f"crate cannot be read.*{key}"):
        load_objects(copy)


@pytest.mark.parametrize("damage", ["", "{", "[]"])
def test_a_damaged_json_names_the_file(copy, damage):
    (copy / "meta.json").write_text(damage)
    with pytest.raises(InvalidInputError, match="crate cannot be read"):
        load_objects(copy)


def test_a_missing_picture_names_the_file(copy):
    (copy / "bg_001.png").unlink()
    (found,) = load_objects(copy)
    with pytest.raises(InvalidInputError, match="bg_001.png cannot be read"):
        found.view(1, Picture.CLUTTER, with_depth=False)
    assert found.view(1, Picture.PLAIN, with_depth=True).mask.any()


def test_a_picture_of_another_size_names_the_view(copy):
    Image.new("L", (10, 10)).save(copy / "mask_000.png")
    (found,) = load_objects(copy)
    with pytest.raises(InvalidInputError, match="view 0 of .*crate is unusable.*10x10"):
        found.view(0, Picture.PLAIN, with_depth=False)


def test_a_missing_truth_names_the_file(copy):
    np.savez(copy / "gt.npz", surf_points=np.zeros((3, 3)))
    (copy / "mesh.ply").write_text("no mesh")
    (found,) = load_objects(copy)
    with pytest.raises(InvalidInputError, match="gt.npz cannot be read.*vol_points"):
        _ = found.occupancy
    with pytest.raises(InvalidInputError, match="mesh.ply cannot be read"):
        _ = found.solid
