# SPDX-License-Identifier: Apache-2.0
"""`recon evaluate`: what it prints and writes; the scores themselves are tested elsewhere."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image


@pytest.fixture
def eval_folder(ball, tmp_path, rng):
    """A folder in the evaluation format with the ball as its one object, seen once."""
    folder = tmp_path / "eval" / "ball"
    folder.mkdir(parents=True)
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=ball.radius)
    sphere.export(folder / "mesh.ply")
    directions = rng.normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = rng.uniform(-1.1, 1.1, (4000, 3)) * ball.radius
    np.savez(
        folder / "gt.npz",
        surf_points=(ball.radius * directions).astype(np.float32),
        surf_normals=directions.astype(np.float32),
        vol_points=points.astype(np.float32),
        vol_occ=(np.linalg.norm(points, axis=1) < ball.radius).astype(np.uint8),
    )
    for name in ("rgb", "bg"):
        Image.fromarray(ball.image).save(folder / f"{name}_000.png")
    Image.fromarray((255 * ball.mask).astype(np.uint8)).save(folder / "mask_000.png")
    units = np.round(np.nan_to_num(ball.depth) / 1e-5).astype(np.uint16)
    Image.fromarray(units).save(folder / "depth_000.png")
    T_cam_obj = np.eye(4)
    T_cam_obj[2, 3] = ball.distance
    cameras = {
        "width": ball.camera.width,
        "height": ball.camera.height,
        "K": ball.camera.K.tolist(),
        "depth_unit_m": 1e-5,
        "views": [{"azimuth_deg": 0, "elevation_deg": 0, "T_cam_obj": T_cam_obj.tolist()}],
    }
    (folder / "cameras.json").write_text(json.dumps(cameras))
    (folder / "meta.json").write_text(json.dumps({"longest_m": 2 * ball.radius}))
    return folder.parent


def test_table_and_json(eval_folder, recon, tmp_path):
    """Print the table, and write the figures under the keys of the format."""
    run = recon(
        "evaluate", eval_folder, "--engine", "hull", "--json", tmp_path / "a" / "out.json"
    )
    assert (run.code, run.err) == (0, "")
    assert "IoU, mean" in run.out
    document = json.loads((tmp_path / "a" / "out.json").read_text())
    assert set(document["summary"]) == {"depth", "rgb"}
    depth = document["summary"]["depth"]
    assert depth["count"] == 2 and len(document["objects"]) == 4
    assert 0.35 < depth["iou_mean"] < 1


def test_one_kind_of_picture(eval_folder, recon, tmp_path):
    """Take the plain pictures only, on request."""
    run = recon(
        "evaluate", eval_folder, "-e", "hull", "--pictures", "plain", "--json", tmp_path / "o.json"
    )
    assert run.code == 0
    rows = json.loads((tmp_path / "o.json").read_text())["objects"]
    assert {row["picture"] for row in rows} == {"plain"}


def test_triposr_is_scored_like_any_engine(eval_folder, recon, triposr_file, tmp_path):
    """Take weights that the user brings; the network sees a ball in everything."""
    run = recon(
        *("evaluate", eval_folder, "-e", "triposr", "-b", "torch", "--weights", triposr_file),
        *("--pictures", "plain", "--json", tmp_path / "out.json"),
    )
    assert run.code == 0, run.err
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["engine"] == "triposr" and document["failures"] == []
    assert document["summary"]["depth"]["iou_mean"] > 0.7


def test_worst_are_drawn(eval_folder, recon, tmp_path):
    """Draw the sheet of the worst."""
    run = recon(
        "evaluate", eval_folder, "-e", "hull", "--pictures", "plain", "--worst", tmp_path / "w.png"
    )
    assert run.code == 0
    with Image.open(tmp_path / "w.png") as sheet:
        assert min(sheet.size) > 100


@pytest.mark.parametrize(
    "options, message",
    [
        (["--engine", "hul"], "unknown engine 'hul'"),
        (["--engine", "hull", "--limit", "0"], "limit"),
        (["--engine", "hull", "--json", "/proc/recon/out.json"], "cannot write /proc/recon"),
    ],
)
def test_bad_option(options, message, eval_folder, recon):
    """Exit with 2 and one line."""
    run = recon("evaluate", eval_folder, *options)
    assert run.code == 2
    (error,) = run.errors
    assert message in error


def test_folder_of_something_else(recon, tmp_path):
    """Say what the folder should hold, and write no figures."""
    run = recon("evaluate", tmp_path, "-e", "hull", "--json", tmp_path / "out.json")
    assert run.code == 2
    assert "cameras.json" in run.errors[0]
    assert not (tmp_path / "out.json").exists()
