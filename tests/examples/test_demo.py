# SPDX-License-Identifier: Apache-2.0
"""`make demo`: the committed frames, the photograph's ways to be missing, and the run itself."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.depth_files import load_depth
from recon_node.mask_files import load_labels
from recon_node.scene_files import find_scenes, read_objects

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("frame_1", "frame_2", "frame_3")


def _python(code: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A fresh Python whose path begins with examples/, as that of `python examples/demo.py`."""
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)


def test_examples_are_small():
    """Keep a clone light: 3 MB in all."""
    files = [path for path in EXAMPLES.rglob("*") if "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 3_000_000


def test_frames_are_whole_scenes():
    """Find in every frame six objects, with camera and depth on most of each mask."""
    scenes = find_scenes(EXAMPLES / "table")
    assert [scene.name for scene in scenes] == list(NAMES)
    for scene in scenes:
        objects = list(read_objects(scene))
        assert [item.object_id for item in objects] == [f"object_00{n}" for n in range(1, 7)]
        for item in objects:
            assert item.view.camera.K[0, 0] == pytest.approx(320 / np.tan(np.radians(30)))
            assert np.isfinite(item.view.depth[item.view.mask]).mean() > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_table_lies_in_its_plane(name):
    """Lift the depth beside the objects into the world: the table's top is z = 0, within noise."""
    scene = next(s for s in find_scenes(EXAMPLES / "table") if s.name == name)
    camera = next(read_objects(scene)).view.camera
    depth = load_depth(scene.depth)
    on_table = (load_labels(scene.masks[0]).pixels == 0) & np.isfinite(depth)
    on_table[:200] = False  # beyond the table's edge there is floor
    points = camera.unproject(camera.pixel_grid()[on_table], depth[on_table])
    T_world_camera = np.array(
        json.loads((EXAMPLES / "table" / "poses.json").read_text())["T_world_camera"][name]
    )
    height = points @ T_world_camera[2, :3] + T_world_camera[2, 3]
    assert abs(np.median(height)) < 0.002
    assert np.percentile(np.abs(height), 80) < 0.008


def test_coffee_mask_is_one_object():
    """Read the mask as coverage of the one object in the photograph's size."""
    labels = load_labels(EXAMPLES / "coffee" / "coffee_mask.png")
    assert labels.is_binary and labels.size == (600, 400)
    ((_, mask),) = labels.masks()
    assert mask[200, 280] and not mask[20, 500] and not mask[390, 20]
    assert 0.45 < mask.mean() < 0.55


def test_committed_mask_is_that_of_its_script(tmp_path):
    """Draw the mask again, and find the committed file."""
    code = "import sys, draw_coffee_mask as d; d.coffee_mask().save(sys.argv[1])"
    assert _python(code, tmp_path, str(tmp_path / "again.png")).returncode == 0
    again = np.asarray(Image.open(tmp_path / "again.png"))
    np.testing.assert_array_equal(again, Image.open(EXAMPLES / "coffee" / "coffee_mask.png"))


def test_wheel_with_another_picture_is_refused(tmp_path):
    """Take no picture but the one that the mask was drawn on."""
    with zipfile.ZipFile(tmp_path / "scikit_image.whl", "w") as archive:
        archive.writestr("skimage/data/coffee.png", b"something else")
    code = """
import sys
from pathlib import Path
from coffee_picture import PictureUnavailable, _from_wheel
try:
    _from_wheel(Path(sys.argv[1]))
except PictureUnavailable as error:
    print(error)
"""
    run = _python(code, tmp_path, str(tmp_path / "scikit_image.whl"))
    assert "is not the picture the mask was drawn on" in run.stdout, run.stderr


@pytest.mark.slow
def test_demo_offline(tmp_path):
    """Run it all with the hull and no index: the table is done, the photograph is explained."""
    examples = tmp_path / "examples"
    shutil.copytree(EXAMPLES, examples, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (examples / "table").glob("frame_[23]*"):
        path.unlink()
    run = subprocess.run(
        [sys.executable, "examples/demo.py", "--engine", "hull", "--offline"],
        cwd=tmp_path,
        env=os.environ | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "left out: pip cannot download scikit-image==" in run.stdout
    assert "$ recon reconstruct examples/table -o out/table --engine hull" in run.stdout
    assert len(list((tmp_path / "out" / "table").rglob("preview.png"))) == 6
    with Image.open(tmp_path / "out" / "demo.png") as picture:
        panels = np.asarray(picture.convert("RGB"), np.float32)
    # All four panels hold something: none is one flat colour.
    height, width = panels.shape[0] // 2, panels.shape[1] // 2
    for y, x in np.ndindex(2, 2):
        assert panels[y * height :, x * width :][60 : height - 20, 20 : width - 20].std() > 10
