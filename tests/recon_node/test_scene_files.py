# SPDX-License-Identifier: Apache-2.0
"""Scenes on disk: what belongs together, and what does not."""

import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from recon_node.engines.errors import InvalidInputError
from recon_node.scene_files import Scene, find_scenes, read_objects


@pytest.fixture
def scene(ball):
    """The ball with all its files."""
    return Scene(
        name="ball",
        image=ball.folder / "ball.png",
        masks=(ball.folder / "mask.png",),
        depth=ball.folder / "depth.png",
        camera=ball.folder / "camera.json",
    )


def test_view_holds_what_the_files_hold(scene, ball):
    """Read image, mask, depth and camera into one View."""
    (item,) = read_objects(scene)
    assert (item.object_id, item.folder) == ("ball", ".")
    assert np.array_equal(item.view.image, ball.image)
    assert np.array_equal(item.view.mask, ball.mask)
    assert np.array_equal(item.view.camera.K, ball.camera.K)
    np.testing.assert_allclose(item.view.depth, ball.depth, atol=0.00051)


def test_label_image_gives_objects(scene, ball, tmp_path):
    """Name the objects after their labels, each with its own mask of the one image."""
    labels = np.where(ball.mask, 3, 0).astype(np.uint8)
    labels[:, labels.shape[1] // 2 :] *= 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    items = list(read_objects(Scene("ball", scene.image, (tmp_path / "labels.png",))))
    assert [item.object_id for item in items] == ["object_003", "object_006"]
    assert [item.folder for item in items] == ["object_003", "object_006"]
    assert np.array_equal(items[0].view.mask | items[1].view.mask, ball.mask)
    assert not (items[0].view.mask & items[1].view.mask).any()


def test_several_masks_are_numbered(scene):
    """Count the objects of several masks in the order given."""
    items = list(read_objects(Scene("ball", scene.image, scene.masks * 2)))
    assert [item.object_id for item in items] == ["object_001", "object_002"]


def test_transparency_is_a_mask(scene, ball, tmp_path):
    """Take the mask from a cut-out."""
    alpha = (255 * ball.mask).astype(np.uint8)
    Image.fromarray(np.dstack([ball.image, alpha])).save(tmp_path / "cut.png")
    (item,) = read_objects(Scene("cut", tmp_path / "cut.png"))
    assert np.array_equal(item.view.mask, ball.mask)


def test_no_mask_at_all(scene):
    """Ask for a mask where there is none."""
    with pytest.raises(InvalidInputError, match="no mask for image .* give --mask MASK"):
        next(read_objects(Scene("ball", scene.image)))


def test_missing_camera_is_assumed(scene, caplog):
    """Assume 60 degrees, and say so."""
    with caplog.at_level(logging.WARNING, "recon_node"):
        (item,) = read_objects(Scene("ball", scene.image, scene.masks))
    assert item.view.camera.K[0, 0] == pytest.approx(48 / np.tan(np.radians(30)))
    assert "field of view of 60 degrees is assumed" in caplog.text


@pytest.mark.parametrize("what", ["mask", "depth", "camera"])
def test_size_mismatch(what, scene, tmp_path):
    """Name the file of another size, both sizes and the image."""
    Image.new("L", (50, 40), 255).save(tmp_path / "other_mask.png")
    Image.new("I;16", (50, 40), 500).save(tmp_path / "other_depth.png")
    camera = {"width": 50, "height": 40, "K": [50, 0, 25, 0, 50, 20, 0, 0, 1]}
    (tmp_path / "other_camera.json").write_text(json.dumps(camera))
    other = {
        "mask": {"masks": (tmp_path / "other_mask.png",)},
        "depth": {"depth": tmp_path / "other_depth.png"},
        "camera": {"camera": tmp_path / "other_camera.json"},
    }[what]
    mismatched = Scene(**{**vars(scene), **other})
    with pytest.raises(InvalidInputError, match=rf"{what} .* is 50x40, but image .* is 96x72"):
        next(read_objects(mismatched))


@pytest.fixture
def folder(ball, tmp_path):
    """Two scenes in the plain layout: cup has everything, pan only a mask."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for source, target in {
        "ball.png": "cup.png",
        "mask.png": "cup_mask.png",
        "depth.png": "cup_depth.png",
        "camera.json": "camera.json",
    }.items():
        shutil.copy(ball.folder / source, folder / target)
    Image.fromarray(ball.image).save(folder / "pan.jpg")
    shutil.copy(ball.folder / "mask.png", folder / "pan_mask.png")
    return folder


def test_plain_folder(folder):
    """Pair files by their names; one camera serves all."""
    cup, pan = find_scenes(folder)
    assert cup == Scene(
        "cup",
        folder / "cup.png",
        (folder / "cup_mask.png",),
        folder / "cup_depth.png",
        camera=folder / "camera.json",
    )
    assert (pan.name, pan.depth, pan.camera) == ("pan", None, folder / "camera.json")


def test_own_camera_comes_first(folder):
    """Prefer NAME_camera.yaml over the camera of all."""
    shutil.copy(folder / "camera.json", folder / "pan_camera.yaml")
    assert [scene.camera.name for scene in find_scenes(folder)] == [
        "camera.json",
        "pan_camera.yaml",
    ]


def test_picture_without_mask_is_left_out(folder, caplog):
    """Skip a picture without a mask, and say so; a damaged one too."""
    Image.new("RGB", (4, 4)).save(folder / "wall.png")
    (folder / "torn.png").write_text("")
    with caplog.at_level(logging.WARNING, "recon_node"):
        assert [scene.name for scene in find_scenes(folder)] == ["cup", "pan"]
    assert "wall.png is left out: it has no wall_mask.png" in caplog.text
    assert "torn.png is left out" in caplog.text


def test_two_pictures_of_one_name(folder, ball):
    """Refuse results that would overwrite each other."""
    Image.fromarray(ball.image).save(folder / "cup.jpg")
    with pytest.raises(InvalidInputError, match="two pictures called 'cup'; rename one"):
        find_scenes(folder)


def test_empty_folder(tmp_path):
    """Say what a folder should hold."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match=r"holds no scene; expected NAME\.png with NAME"):
        find_scenes(tmp_path / "empty")


def test_evaluation_folder(ball, tmp_path):
    """Read a folder in the evaluation format, its depth unit included."""
    folder = tmp_path / "mug"
    folder.mkdir()
    shutil.copy(ball.folder / "ball.png", folder / "rgb_000.png")
    shutil.copy(ball.folder / "ball.png", folder / "bg_000.png")
    shutil.copy(ball.folder / "mask.png", folder / "mask_000.png")
    stored = np.round(np.nan_to_num(ball.depth) / 1e-5).astype(np.uint16)
    Image.fromarray(stored).save(folder / "depth_000.png")
    cameras = {"width": 96, "height": 72, "K": ball.camera.K.tolist(), "depth_unit_m": 1e-5}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    (scene,) = find_scenes(folder)
    assert scene.name == "mug_000"
    (item,) = read_objects(scene)
    np.testing.assert_allclose(item.view.depth, ball.depth, atol=0.6e-5)


def test_damaged_evaluation_folder(tmp_path):
    """Report a cameras.json that is no JSON."""
    (tmp_path / "cameras.json").write_text("{")
    with pytest.raises(InvalidInputError, match=r"cannot read .*cameras\.json"):
        find_scenes(tmp_path)
