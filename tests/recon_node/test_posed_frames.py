# SPDX-License-Identifier: Apache-2.0
"""Files that say where pictures were taken from, ours and transforms.json: right and wrong ones."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recon_node.engines.errors import EmptyMaskError, InvalidInputError, UnknownNameError
from recon_node.engines.transforms import rotation_between
from recon_node.posed_frames import load_posed_scene, with_images, within_folder
from recon_node.posed_views import read_posed_objects
from recon_node.transforms_file import with_other_camera_axes


@pytest.fixture
def ours(posed_folder):
    """The folder's cameras.json as a dictionary, and what writes and loads it."""
    return Document(posed_folder / "cameras.json")


@pytest.fixture
def theirs(posed_folder):
    """The folder's transforms.json, likewise."""
    return Document(posed_folder / "transforms.json")


class Document:
    """A JSON file to be changed and loaded."""

    def __init__(self, path):
        self.path = path
        self.fields = json.loads(path.read_text())

    def load(self):
        self.path.write_text(json.dumps(self.fields))
        return load_posed_scene(self.path)


def test_ours_holds_what_was_written(ours, posed_folder, posed_views):
    """Read places, intrinsics and files of every frame; what all share stands once."""
    scene = ours.load()
    assert scene.name == posed_folder.name and len(scene.frames) == 3
    for number, (frame, view) in enumerate(zip(scene.frames, posed_views(3), strict=True)):
        assert frame.image == posed_folder / f"rgb_{number}.png"
        assert frame.depth_unit == 0.0005
        assert np.array_equal(frame.camera.K, view.camera.K)
        np.testing.assert_allclose(frame.camera.T_world_camera, view.camera.T_world_camera)


def test_theirs_gives_the_same_cameras(ours, theirs):
    """Turn OpenGL's camera axes into ours, and read both depth scales as metres a unit."""
    for one, other in zip(ours.load().frames, theirs.load().frames, strict=True):
        np.testing.assert_allclose(
            one.camera.T_world_camera, other.camera.T_world_camera, atol=1e-12
        )
        assert np.array_equal(one.camera.K, other.camera.K)
        assert (one.image, one.mask, one.depth) == (other.image, other.mask, other.depth)
        assert other.depth_unit == 0.0005


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_camera_axes_go_there_and_back(numbers):
    """Undo the change of axes by itself; a point up and behind for one is down and ahead."""
    T = np.eye(4)
    T[:3, :3] = rotation_between((1.0, 0.5, 0.2), np.array(numbers[:3]) + (0, 0, 4))
    T[:3, 3] = numbers[3:]
    turned = with_other_camera_axes(T)
    np.testing.assert_allclose(with_other_camera_axes(turned), T, atol=1e-15)
    np.testing.assert_allclose(turned @ [1, 2, 3, 1], T @ [1, -2, -3, 1], atol=1e-12)


def test_objects_have_the_pixels_of_their_files(ours, theirs, posed_views):
    """Read the first view whole and a keyframe of each, with mask and depth in metres."""
    for document in (ours, theirs):
        (item,) = read_posed_objects(document.load())
        views = posed_views(3)
        assert len(item.keyframes) == 3
        assert np.array_equal(item.view.image, views[0].image)
        assert np.array_equal(item.view.mask, views[0].mask)
        np.testing.assert_allclose(item.view.depth, views[0].depth, atol=0.00026)
        for keyframe, view in zip(item.keyframes, views, strict=True):
            assert keyframe.view.mask.sum() == view.mask.sum()


def test_blender_scene_without_size_and_endings(theirs, posed_folder, posed_views):
    """Read camera_angle_x, a path without its ending, and the mask from the transparency."""
    view = posed_views(3)[0]
    for name in ("w", "h", "fl_x", "fl_y", "cx", "cy", "depth_unit_scale_factor"):
        del theirs.fields[name]
    theirs.fields["camera_angle_x"] = 2 * np.arctan(0.5 / 1.4)
    alpha = (255 * view.mask).astype(np.uint8)
    Image.fromarray(np.dstack([view.image, alpha])).save(posed_folder / "r_0.png")
    matrix = theirs.fields["frames"][0]["transform_matrix"]
    theirs.fields["frames"] = [{"file_path": "./r_0", "transform_matrix": matrix}]
    scene = theirs.load()
    np.testing.assert_allclose(scene.frames[0].camera.focal, 1.4 * 96)
    assert scene.frames[0].camera.centre.tolist() == [48.0, 48.0]
    (item,) = read_posed_objects(scene)
    assert np.array_equal(item.view.mask, view.mask) and item.view.depth is None


def test_intrinsics_of_a_frame_come_before_those_of_all(theirs):
    """Take fl_x of the frame where it has one."""
    theirs.fields["frames"][1]["fl_x"] = 99.0
    frames = theirs.load().frames
    assert [frame.camera.focal[0] for frame in frames] == pytest.approx([134.4, 99.0, 134.4])


def test_applied_scale_is_taken_out(theirs):
    """Bring places back to the unit they had before the exporter scaled them."""
    before = theirs.load().frames[1].camera.T_world_camera[:3, 3]
    theirs.fields["applied_scale"] = 0.5
    np.testing.assert_allclose(theirs.load().frames[1].camera.T_world_camera[:3, 3], 2 * before)


def test_images_are_chosen_in_order(ours, posed_folder):
    """Keep the pictures that were named, in that order; by name where the path differs."""
    scene = with_images(ours.load(), [posed_folder / "rgb_2.png", posed_folder / "rgb_0.png"])
    assert [frame.image.name for frame in scene.frames] == ["rgb_2.png", "rgb_0.png"]
    elsewhere = posed_folder / ".." / "other" / "rgb_1.png"
    assert with_images(ours.load(), [elsewhere]).frames[0].image == elsewhere
    with pytest.raises(InvalidInputError, match=r"no camera for image .*rgb_7.*'rgb_\d.png'"):
        with_images(ours.load(), [posed_folder / "rgb_7.png"])
    with pytest.raises(InvalidInputError, match="given twice"):
        with_images(ours.load(), [posed_folder / "rgb_1.png"] * 2)


def test_a_folder_chooses_the_pictures_in_it(ours, posed_folder, tmp_path):
    """Keep what lies in the folder or below, and fail where nothing does."""
    assert len(within_folder(ours.load(), posed_folder.parent).frames) == 3
    (posed_folder / "train").mkdir()
    ours.fields["frames"][1]["image"] = "train/rgb_1.png"
    (frame,) = within_folder(ours.load(), posed_folder / "train").frames
    assert frame.image.name == "rgb_1.png"
    with pytest.raises(InvalidInputError, match=r"none of the 3 pictures .* lies in folder"):
        within_folder(ours.load(), posed_folder / "test")


def test_labels_are_one_object_over_all_frames(ours, posed_folder, posed_views):
    """Give every value its views, also where a frame shows a single one of them."""
    for number, view in enumerate(posed_views(3)):
        labels = np.where(view.mask, 5, 0).astype(np.uint8)
        if number == 1:
            labels[labels.shape[0] // 2 :] *= 2
        Image.fromarray(labels).save(posed_folder / f"mask_{number}.png")
    five, ten = read_posed_objects(ours.load())
    assert (five.object_id, five.folder, len(five.keyframes)) == ("object_005", "object_005", 3)
    assert (ten.object_id, ten.label, len(ten.keyframes)) == ("object_010", 10, 1)


def test_frames_without_the_object_are_left_out(ours, posed_folder, caplog):
    """Go on without a picture whose mask is empty, and say so; fail where all are."""
    empty = Image.new("L", (96, 96))
    empty.save(posed_folder / "mask_0.png")
    (item,) = read_posed_objects(ours.load())
    assert len(item.keyframes) == 2 and "rgb_0.png is left out" in caplog.text
    for number in (1, 2):
        empty.save(posed_folder / f"mask_{number}.png")
    with pytest.raises(EmptyMaskError, match="none of the 3 pictures"):
        read_posed_objects(ours.load())


def _scaled(T):
    return (np.array(T) * [[1.2], [1.2], [1.2], [1.0]]).tolist()


OURS_WRONG = [
    (lambda d: d["frames"][1].update(maks="m.png"), r"frame 2 'maks'; .* did you mean 'mask'"),
    (lambda d: d.update(depth_unit=1), "did you mean 'depth_unit_m'"),
    (lambda d: d["frames"][0].pop("T_world_camera"), "frame 1 has no T_world_camera"),
    (lambda d: d.pop("K"), "frame 1 has no K"),
    (lambda d: d.update(width=0), "width is 0; expected pixels"),
    (lambda d: d.update(frames=[]), r"frames is \[\]; expected a list"),
    (lambda d: d.update(frames=[3]), "frame 1 is 3; expected named fields"),
    (lambda d: d["frames"][0].update(image=4), "image is 4; expected a text"),
    (
        lambda d: d["frames"][2].update(T_world_camera=_scaled(d["frames"][2]["T_world_camera"])),
        "frame 3: the rotation .* not orthonormal .* take scale and shear out",
    ),
    (
        lambda d: d["frames"][0].update(T_world_camera=[[1, 0], [0, 1]]),
        r"T_world_camera has shape \(2, 2\); expected 4 rows of 4",
    ),
    (lambda d: (d.pop("frames"), d.update(views=[])), "T_cam_obj.* but no frames"),
    (lambda d: d.pop("frames"), "has no frames; expected"),
]


@pytest.mark.parametrize(("spoil", "message"), OURS_WRONG)
def test_wrong_cameras_are_refused(ours, spoil, message):
    """Say which frame, what is wrong, and what is expected."""
    spoil(ours.fields)
    with pytest.raises(InvalidInputError, match=message):
        ours.load()


THEIRS_WRONG = [
    (lambda d: d.update(k1=0.01), r"lens distortion \(k1 = 0.01\).*undistort the pictures"),
    (lambda d: d["frames"][1].update(p2=-1e-3), "frame 2 has lens distortion"),
    (lambda d: d.update(camera_model="OPENCV_FISHEYE"), "'OPENCV_FISHEYE', but recon needs pinh"),
    (lambda d: d.update(is_fisheye=True), "is_fisheye is true"),
    (lambda d: (d.pop("fl_x"), d.pop("fl_y")), "neither fl_x nor camera_angle_x"),
    (lambda d: d.update(fl_x=-3), r"focal lengths -3\.0"),
    (lambda d: d["frames"][0].pop("transform_matrix"), "frame 1 has no transform_matrix"),
    (lambda d: d["frames"][1].pop("file_path"), "frame 2 has no file_path"),
    (lambda d: d.update(applied_scale=0), "applied_scale is 0"),
    (
        lambda d: d["frames"][0].update(
            transform_matrix=np.diag([1.0, 1, -1, 1]).tolist(),
        ),
        r"mirrors \(determinant -1\)",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), THEIRS_WRONG)
def test_wrong_transforms_are_refused(theirs, spoil, message):
    """Refuse what would give a wrong mesh, with the reason and what to do."""
    spoil(theirs.fields)
    with pytest.raises(InvalidInputError, match=message):
        theirs.load()


def test_files_that_do_not_fit(ours, posed_folder):
    """Name the file that is missing, of another size, or without a mask."""
    ours.fields["width"] = 97
    with pytest.raises(InvalidInputError, match="camera of its frame is 97x96, but image .* 96x96"):
        read_posed_objects(ours.load())
    ours.fields["width"] = 96
    (posed_folder / "depth_1.png").unlink()
    with pytest.raises(InvalidInputError, match=r"cannot read depth .*depth_1.png: there is no"):
        read_posed_objects(ours.load())
    for frame in ours.fields["frames"]:
        del frame["mask"], frame["depth"]
    with pytest.raises(InvalidInputError, match=r"no mask for image .*rgb_0.png"):
        read_posed_objects(ours.load())
    (posed_folder / "rgb_0.png").unlink()
    with pytest.raises(InvalidInputError, match=r"cannot read image .*rgb_0.png"):
        read_posed_objects(ours.load())


def test_unreadable_files(tmp_path):
    """Say that there is no such file, or no JSON."""
    with pytest.raises(InvalidInputError, match="there is no such file"):
        load_posed_scene(tmp_path / "cameras.json")
    with pytest.raises(InvalidInputError, match="it is a directory"):
        load_posed_scene(tmp_path)
    (tmp_path / "cameras.json").write_text("frames: 3")
    with pytest.raises(InvalidInputError, match="expected JSON"):
        load_posed_scene(tmp_path / "cameras.json")
    (tmp_path / "cameras.json").write_text("[1]")
    with pytest.raises(InvalidInputError, match="expected named fields"):
        load_posed_scene(tmp_path / "cameras.json")


def test_unknown_field_is_of_its_own_kind(ours):
    """Raise what every unknown name raises."""
    ours.fields["widht"] = 4
    with pytest.raises(UnknownNameError, match=r"cameras\.json.*did you mean 'width'"):
        ours.load()
