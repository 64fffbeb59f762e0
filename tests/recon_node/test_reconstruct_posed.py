# SPDX-License-Identifier: Apache-2.0
"""`recon reconstruct --cameras`: several pictures of the same objects from known places."""

import json

import numpy as np
import pytest
from PIL import Image, ImageSequence

FILES = {"mesh.ply", "mesh.glb", "preview.png", "result.json"}


def names(folder):
    """Everything in a folder."""
    return {path.name for path in folder.iterdir()}


def result_of(folder):
    """The content of its result.json."""
    return json.loads((folder / "result.json").read_text())


def place_of(document):
    """Where the object is in the world [m]."""
    return np.array(document["T_world_object"])[:3, 3]


@pytest.mark.parametrize("cameras", ["cameras.json", "transforms.json"])
def test_folder_with_cameras(posed_folder, recon, tmp_path, cameras):
    """Make one metric mesh where the object is, from either file."""
    out = tmp_path / "out"
    run = recon("reconstruct", posed_folder, "--cameras", posed_folder / cameras,
                "-e", "hull", "-o", out)  # fmt: skip
    assert (run.code, run.err) == (0, "")
    assert names(out) == FILES
    document = result_of(out)
    assert (document["object_id"], document["scale_source"]) == ("block", "DEPTH")
    np.testing.assert_allclose(place_of(document), (0.2, -0.1, 0.3), atol=0.03)
    assert document["input"]["keyframe_count"] == 3
    assert document["input"]["cameras"] == str(posed_folder / cameras)


def test_pictures_masks_and_depths_by_name(posed_folder, recon, tmp_path):
    """Take the files of the command line, in the order of the pictures."""
    document = json.loads((posed_folder / "cameras.json").read_text())
    for frame in document["frames"]:
        del frame["mask"], frame["depth"]
    (tmp_path / "bare.json").write_text(json.dumps(document | {"depth_unit_m": 1.0}))
    files = {
        kind: [posed_folder / f"{kind}_{number}.png" for number in (2, 0)]
        for kind in ("rgb", "mask", "depth")
    }
    run = recon("reconstruct", *files["rgb"], "--mask", *files["mask"], "--depth", *files["depth"],
                "--depth-unit", "0.0005", "--cameras", tmp_path / "bare.json",
                "-e", "hull", "-o", tmp_path / "out")  # fmt: skip
    assert (run.code, run.err) == (0, "")
    document = result_of(tmp_path / "out")
    assert document["input"]["images"] == [str(path) for path in files["rgb"]]
    np.testing.assert_allclose(place_of(document), (0.2, -0.1, 0.3), atol=0.03)


def without_depth(posed_folder, count=3):
    """Makes the folder's cameras.json one of so many pictures without depth."""
    path = posed_folder / "cameras.json"
    document = json.loads(path.read_text())
    document["frames"] = document["frames"][:count]
    for frame in document["frames"]:
        frame.pop("depth", None)
    path.write_text(json.dumps(document))
    return path


def test_without_depth_the_scale_is_triangulated(posed_folder, recon, tmp_path):
    """Take metres from the places of the cameras, and keep unknown what one camera cannot say."""
    run = recon("reconstruct", posed_folder, "--cameras", without_depth(posed_folder),
                "-e", "hull", "-o", tmp_path / "three")  # fmt: skip
    assert (run.code, run.err) == (0, "")
    document = result_of(tmp_path / "three")
    assert document["scale_source"] == "TRIANGULATION" and document["unit"] == "m"
    assert 0 < document["scale_sigma"] < 0.1
    np.testing.assert_allclose(place_of(document), (0.2, -0.1, 0.3), atol=0.03)
    run = recon("reconstruct", posed_folder, "--cameras", without_depth(posed_folder, 1),
                "-e", "hull", "-o", tmp_path / "one")  # fmt: skip
    assert run.code == 0
    assert result_of(tmp_path / "one")["scale_source"] == "NONE"


def test_cameras_side_by_side_leave_the_scale_unknown(posed_folder, recon, tmp_path):
    """Say so where all pictures were taken from the same place."""
    path = without_depth(posed_folder)
    document = json.loads(path.read_text())
    document["frames"] = [document["frames"][0], dict(document["frames"][0])]
    path.write_text(json.dumps(document))
    run = recon("reconstruct", posed_folder, "--cameras", path, "-e", "hull", "-o", tmp_path / "o")
    assert run.code == 0 and "nearly the same side" in run.err
    assert result_of(tmp_path / "o")["scale_source"] == "NONE"


def test_wrong_depth_unit_is_noticed(posed_folder, recon, tmp_path):
    """Warn where depth and places disagree by a factor of two."""
    run = recon("reconstruct", posed_folder, "--cameras", posed_folder / "cameras.json",
                "--depth-unit", "0.001", "-e", "hull", "-o", tmp_path / "out")  # fmt: skip
    assert run.code == 0
    (warning,) = run.warnings
    assert "0.5" in warning and "times as far" in warning and "--depth-unit" in warning


def test_labels_make_a_folder_each(posed_folder, posed_views, recon, tmp_path):
    """Write every object of label images to its own folder."""
    for number, view in enumerate(posed_views(3)):
        labels = np.where(view.mask, 2, 0).astype(np.uint8)
        labels[labels.shape[0] // 2 :] *= 2
        Image.fromarray(labels).save(posed_folder / f"mask_{number}.png")
    run = recon("reconstruct", posed_folder, "--cameras", posed_folder / "cameras.json",
                "-e", "hull", "-o", tmp_path / "out")  # fmt: skip
    assert run.code == 0
    assert names(tmp_path / "out") == {"object_002", "object_004"}


def test_arguments_that_do_not_go_together(posed_folder, recon, tmp_path):
    """Explain in one line what to give instead."""
    cameras, mask = posed_folder / "cameras.json", posed_folder / "mask_0.png"
    pictures = [posed_folder / f"rgb_{number}.png" for number in (0, 1)]
    wrong = {
        "2 pictures are given without --cameras": pictures,
        "2 depth maps are given for one picture": [pictures[0], "-d", *pictures],
        "1 files are given with --mask for 2 pict": [*pictures, "--cameras", cameras, "-m", mask],
        "--camera and --cameras are both given": [
            *pictures, "--cameras", cameras, "--camera", cameras],
        "is a folder, where masks": [posed_folder, "--cameras", cameras, "-m", mask],
        "no camera for image": [mask, "--cameras", cameras],
        "there is no such file": [posed_folder, "--cameras", tmp_path / "no.json"],
    }  # fmt: skip
    for message, arguments in wrong.items():
        run = recon("reconstruct", *arguments, "-e", "hull", "-o", tmp_path / "out")
        assert (run.code, len(run.errors)) == (2, 1) and message in run.errors[0]
        assert not (tmp_path / "out").exists()


def test_folder_without_the_option_mentions_it(posed_folder, recon, tmp_path):
    """Reconstruct each picture for itself, and name the option that joins them."""
    for number in range(3):
        mask = posed_folder / f"mask_{number}.png"
        mask.rename(posed_folder / f"rgb_{number}_mask.png")
    run = recon("reconstruct", posed_folder, "-e", "hull", "-o", tmp_path / "out")
    assert run.code == 0 and "--cameras" in run.err
    assert {"rgb_0", "rgb_1", "rgb_2"} <= names(tmp_path / "out")


def test_turntable_turns(posed_folder, recon, tmp_path):
    """Write a film of frames that differ, which starts from the camera's side."""
    run = recon("reconstruct", posed_folder / "rgb_0.png", "--cameras",
                posed_folder / "cameras.json", "-e", "hull", "--turntable",
                "-o", tmp_path / "out")  # fmt: skip
    assert run.code == 0
    assert names(tmp_path / "out") == FILES | {"turntable.gif"}
    with Image.open(tmp_path / "out" / "turntable.gif") as film:
        frames = [np.asarray(f.convert("RGB")).astype(int) for f in ImageSequence.Iterator(film)]
    assert len(frames) == 30
    assert all(np.abs(a - b).max() > 40 for a, b in zip(frames, frames[1:], strict=False))
    assert np.abs(frames[-1] - frames[0]).mean() < np.abs(frames[15] - frames[0]).mean()
