# SPDX-License-Identifier: Apache-2.0
"""`recon reconstruct` with input that works: what it writes, where, and what it says."""

import json
import shutil

import numpy as np
import pytest
import trimesh
from PIL import Image

from recon_node.mesh_page import load_mesh

FILES = {"mesh.ply", "mesh.glb", "preview.png", "result.json"}


def names(folder):
    """Everything in a folder."""
    return {path.name for path in folder.iterdir()}


def result_of(folder):
    """The content of its result.json."""
    return json.loads((folder / "result.json").read_text())


def test_depth_gives_a_metric_mesh(ball, recon):
    """Place a mesh of the ball's size where the ball is."""
    run = recon(*ball.command())
    assert (run.code, run.err) == (0, "")
    out = ball.folder / "out"
    assert names(out) == FILES
    document = result_of(out)
    assert document["scale_source"] == "DEPTH" and document["watertight"]
    assert document["input"]["depth"] == ball.path("depth.png")
    mesh = trimesh.load(out / "mesh.ply", process=False)
    T = np.array(document["T_world_object"])
    placed = np.asarray(mesh.vertices) @ T[:3, :3].T + T[:3, 3]
    np.testing.assert_allclose(placed[:, :2].mean(0), 0, atol=0.004)
    assert placed[:, 2].min() == pytest.approx(ball.distance - ball.radius, abs=0.004)
    assert np.ptp(placed[:, 0]) == pytest.approx(2 * ball.radius, rel=0.06)
    assert document["extents_mm"] == pytest.approx(1000 * mesh.extents, rel=1e-4)


def test_summary_names_size_and_place(ball, recon):
    """Print what was made, how large it is, how long it took and where it lies."""
    run = recon(*ball.command())
    line = run.out.splitlines()[-1]
    assert line.split()[:2] == ["ball", "hull"]
    assert " mm " in line and " ms " in line and line.rstrip().endswith(ball.path("out"))


def test_glb_shows_the_side_towards_the_camera(ball, recon):
    """Put the lit, seen side of the ball at glTF's front, +z, in its own colours."""
    recon(*ball.command())
    mesh = load_mesh(ball.folder / "out" / "mesh.glb")
    depth = mesh.vertices[:, 2]
    front = depth > depth.min() + 0.8 * np.ptp(depth)
    red, _, blue = mesh.colors[front].astype(float).mean(0)
    assert red > 1.5 * blue


def test_no_depth_no_camera(ball, recon):
    """Make a shape of unknown scale, with one warning that the result repeats."""
    run = recon(*ball.command(depth=None, camera=None))
    assert run.code == 0
    (warning,) = run.warnings
    assert "60 degrees" in warning and "--camera" in warning
    document = result_of(ball.folder / "out")
    assert document["extents_mm"] is None
    assert any("60 degrees" in text for text in document["warnings"])
    assert "scale unknown" in run.out


def test_label_image_makes_subfolders(ball, recon, tmp_path):
    """Write each object of a label image to its own folder."""
    labels = np.where(ball.mask, 1, 0).astype(np.uint8)
    labels[:, labels.shape[1] // 2 :] *= 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    run = recon(*ball.command(mask=tmp_path / "labels.png"))
    assert run.code == 0
    out = ball.folder / "out"
    assert names(out) == {"object_001", "object_002"}
    assert names(out / "object_001") == names(out / "object_002") == FILES
    assert result_of(out / "object_002")["object_id"] == "object_002"


def test_several_masks(ball, recon):
    """Take several masks after one option, and options after them."""
    mask = ball.path("mask.png")
    run = recon("reconstruct", ball.path("ball.png"), "-m", mask, mask, "-e", "hull",
                "-o", ball.path("out"))  # fmt: skip
    assert run.code == 0
    assert names(ball.folder / "out") == {"object_001", "object_002"}


def test_no_preview(ball, recon):
    """Leave the picture out on request."""
    assert recon(*ball.command(), "--no-preview").code == 0
    assert names(ball.folder / "out") == FILES - {"preview.png"}


def test_second_run_replaces_the_first(ball, recon):
    """Write over older results of the same name, and only those."""
    (ball.folder / "out").mkdir()
    (ball.folder / "out" / "mesh.ply").write_text("old")
    (ball.folder / "out" / "notes.txt").write_text("mine")
    assert recon(*ball.command()).code == 0
    assert names(ball.folder / "out") == FILES | {"notes.txt"}
    assert (ball.folder / "out" / "mesh.ply").read_bytes()[:4] == b"ply\n"


def test_full_mask_is_reported_as_truncated(ball, recon, tmp_path):
    """Reconstruct under a mask of all ones, and say that the object is cut off."""
    Image.fromarray(np.full(ball.mask.shape, 255, np.uint8)).save(tmp_path / "all.png")
    run = recon(*ball.command(mask=tmp_path / "all.png"))
    assert run.code == 0
    document = result_of(ball.folder / "out")
    assert document["metrics"]["truncated"] == 1
    assert any("border of the image" in text for text in document["warnings"])
    assert "border of the image" in run.err


def test_holes_in_depth_are_unknown(ball, recon, tmp_path):
    """Use the rest of a depth map that has NaN, inf and zeros in it."""
    depth = ball.depth.copy()
    depth[30:34] = np.inf
    depth[34:38] = 0
    np.save(tmp_path / "holes.npy", depth)
    assert recon(*ball.command(depth=tmp_path / "holes.npy")).code == 0
    assert result_of(ball.folder / "out")["scale_source"] == "DEPTH"


def test_depth_outside_the_mask_only(ball, recon, tmp_path):
    """Go on without depth, and say so, where none of it is on the object."""
    depth = np.where(ball.mask, np.nan, 1).astype(np.float32)
    np.save(tmp_path / "around.npy", depth)
    run = recon(*ball.command(depth=tmp_path / "around.npy"))
    assert run.code == 0
    assert result_of(ball.folder / "out")["scale_source"] == "NONE"
    assert "depth" in run.err


@pytest.fixture
def pictures(ball, tmp_path):
    """A folder with two scenes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("cup", "pan"):
        shutil.copy(ball.folder / "ball.png", folder / f"{name}.png")
        shutil.copy(ball.folder / "mask.png", folder / f"{name}_mask.png")
    shutil.copy(ball.folder / "depth.png", folder / "cup_depth.png")
    shutil.copy(ball.folder / "camera.json", folder / "camera.json")
    return folder


def test_folder(pictures, recon, tmp_path):
    """Reconstruct every picture of a folder into a folder of its own."""
    run = recon("reconstruct", pictures, "--engine", "hull", "-o", tmp_path / "out")
    assert run.code == 0
    assert names(tmp_path / "out") == {"cup", "pan"}
    assert result_of(tmp_path / "out" / "cup")["scale_source"] == "DEPTH"
    assert result_of(tmp_path / "out" / "pan")["scale_source"] == "NONE"


def test_folder_goes_on_after_a_failure(pictures, recon, tmp_path):
    """Report a bad scene in one line, finish the others, and exit with 2."""
    (pictures / "cup_mask.png").write_text("torn")
    run = recon("reconstruct", pictures, "--engine", "hull", "-o", tmp_path / "out")
    assert run.code == 2
    (error,) = run.errors
    assert error.startswith("recon: error: cup: cannot read mask")
    assert names(tmp_path / "out") == {"pan"}
    assert names(tmp_path / "out" / "pan") == FILES


def test_large_image(recon, tmp_path):
    """Reconstruct a small object in an 8K image with 8K mask and depth."""
    size = (7680, 4320)
    Image.new("RGB", size, (90, 120, 150)).save(tmp_path / "image.jpg")
    mask = np.zeros(size[::-1], np.uint8)
    mask[2000:2300, 3000:3400] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png", compress_level=1)
    Image.fromarray(np.where(mask, 800, 0).astype(np.uint16)).save(
        tmp_path / "depth.png", compress_level=1
    )
    run = recon(
        "reconstruct", tmp_path / "image.jpg", "--mask", tmp_path / "mask.png", "--depth",
        tmp_path / "depth.png", "--engine", "hull", "-o", tmp_path / "out",
    )  # fmt: skip
    assert run.code == 0
    focal = 3840 / np.tan(np.radians(30))
    _, width, height = result_of(tmp_path / "out")["extents_mm"]
    assert width == pytest.approx(800 * 400 / focal, rel=0.03)
    assert height == pytest.approx(800 * 300 / focal, rel=0.03)
