# SPDX-License-Identifier: Apache-2.0
"""The baked table against the frames that were path traced, and small scenes worked out by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon_node.baked_scene import TABLE_FILE, BakedScene, Plane, load_baked_scene
from recon_node.camera_file import load_camera
from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.transforms import look_at

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FRAMES = ("frame_1", "frame_2", "frame_3")


@pytest.fixture(scope="module")
def table() -> BakedScene:
    """The scene that comes with the package."""
    return load_baked_scene()


def _camera(name: str) -> Camera:
    poses = json.loads((EXAMPLES / "table" / "poses.json").read_text())["T_world_camera"]
    camera = load_camera(EXAMPLES / "table" / "camera.yaml")
    return Camera(camera.K, camera.width, camera.height, np.array(poses[name]))


def _picture(name: str) -> np.ndarray:
    with Image.open(EXAMPLES / "table" / name) as image:
        return np.asarray(image)


@pytest.mark.parametrize("name", FRAMES)
def test_looks_like_the_traced_frame(table, name):
    """Find the labels of the example's frame, its colours up to highlights, its depth to noise."""
    color, labels, depth = table.render(_camera(name))
    assert np.count_nonzero(labels != _picture(f"{name}_mask.png")) <= 5
    difference = color.astype(int) - _picture(f"{name}.jpg")
    assert np.abs(difference).mean() < 6
    assert np.abs(difference[labels > 0]).mean() < 16  # baked surfaces do not mirror
    measured = _picture(f"{name}_depth.png") / 1000
    known = (measured > 0) & (labels > 0)
    assert np.median(np.abs(measured - depth)[known]) < 0.002  # the stereo model's own error


def test_table_top_lies_in_its_plane(table):
    """Lift the depth beside the objects into the world: z = 0 on the table, the floor below."""
    camera = _camera("frame_1")
    _, labels, depth = table.render(camera)
    points = camera.unproject(camera.pixel_grid().reshape(-1, 2), depth.ravel().astype(float))
    height = points @ camera.T_world_camera[2, :3] + camera.T_world_camera[2, 3]
    in_front = (labels.ravel() == 0) & (np.arange(len(height)) > 300 * camera.width)
    assert np.abs(height[in_front]).max() < 1e-5
    assert height.min() > -0.7401 and np.isfinite(depth).all()


def test_file_is_small():
    """Keep the package light."""
    assert TABLE_FILE.stat().st_size < 2_000_000


def _wall(texture: np.ndarray, *, bounded: bool) -> Plane:
    """The plane z = 0 with texels of 0.1 m, seen from z > 0."""
    side = 0.05 * texture.shape[0]
    x, y, _ = np.eye(3)
    return Plane(np.array([-side, -side, 0]), x, y, 0.1, Image.fromarray(texture), bounded)


@pytest.mark.parametrize("bounded", [True, False])
def test_plane_is_where_rays_meet_it(rng, bounded):
    """Compare texels and depth of an oblique plane with rays, one by one."""
    texture = np.kron(rng.integers(0, 256, (3, 3, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    plane = _wall(texture, bounded=bounded)
    T = look_at((0.5, -0.9, 1.0), (0.1, 0.05, 0), (0, 0, 1))
    camera = Camera(np.array([[40.0, 0, 20], [0, 40, 15], [0, 0, 1]]), 40, 30, T)
    rows, columns = slice(4, 30), slice(3, 38)
    depth, picture = plane.depth(camera, rows, columns), plane.picture(camera, rows, columns)
    is_inside = []
    for row, column in np.ndindex(26, 35):
        pixel = np.array([[column + 3.5, row + 4.5]])
        ray = T[:3, :3] @ camera.unproject(pixel, np.ones(1))[0]
        t = -T[2, 3] / ray[2]
        texel = (T[:2, 3] + t * ray[:2] + 0.6) / 0.1
        inside = bool(((texel >= 0) & (texel < 12)).all())
        is_inside.append(inside)
        expected = t if t > 0 and (inside or not bounded) else np.inf
        assert depth[row, column] == pytest.approx(expected, rel=1e-5)
        u, v = texel.astype(int)
        if inside and (np.abs(texel % 4 - 2) < 1).all():  # within a flat patch of 4 texels
            np.testing.assert_array_equal(picture[row, column], texture[v, u])
    assert 100 < sum(is_inside) < 800


def test_patch_colours_are_bilinear():
    """See the colours of a triangle's patch at its corners and half way between them."""
    colors = np.uint8([[0, 0, 0], [200, 0, 0], [0, 100, 0], [0, 100, 0]])  # last row: one corner
    scene = BakedScene(
        vertices=np.float32([[-1, -1, 0.1], [1, -1, 0.1], [-1, 1, 0.1]]),
        faces=np.int32([[0, 1, 2]]),
        face_labels=np.uint8([7]),
        patch_shapes=np.int32([[2, 2]]),
        patch_colors=colors,
        planes=(_wall(np.full((90, 90, 3), 50, np.uint8), bounded=False),),
    )
    T = np.diag([1.0, -1.0, -1.0, 1.0])  # from above, image-right is +x, image-down is -y
    T[2, 3] = 2.1
    camera = Camera(np.array([[100.0, 0, 150], [0, 100, 150], [0, 0, 1]]), 300, 300, T)
    color, labels, depth = scene.render(camera)
    assert depth[150, 140] == pytest.approx(2.0) and labels[150, 140] == 7
    assert depth[10, 290] == pytest.approx(2.1) and labels[10, 290] == 0
    np.testing.assert_array_equal(color[10, 290], [50, 50, 50])
    # 50 px are 1 m at depth 2: the corner (-1, -1) is near the pixel (100, 200).
    np.testing.assert_allclose(color[197, 103], [12, 2, 0], atol=6)
    np.testing.assert_allclose(color[197, 150], [100, 3, 0], atol=6)
    np.testing.assert_allclose(color[150, 103], [6, 50, 0], atol=6)


def test_camera_among_the_objects(table):
    """Take a picture from between the objects, with some of them behind."""
    T = look_at((0.0, 0.05, 0.10), (0.05, 0.16, 0.12), (0, 0, 1))
    K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])
    color, labels, depth = table.render(Camera(K, 80, 60, T))
    assert set(np.unique(labels)) >= {3} and (depth > 0).all() and color.std() > 10


def test_damaged_file_is_refused(tmp_path):
    """Say how to make the file again."""
    path = tmp_path / "table_scene.npz"
    path.write_bytes(TABLE_FILE.read_bytes()[:5000])
    with pytest.raises(InvalidInputError, match="make it with python examples/bake_table.py"):
        load_baked_scene(path)
    with pytest.raises(InvalidInputError, match="cannot read the scene"):
        load_baked_scene(tmp_path / "none.npz")


@pytest.mark.slow
def test_baking_again_gives_the_same_file(tmp_path):
    """Bake roughly, twice, and compare bytes; triangles are those of the committed file."""
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for out in outs:
        command = [sys.executable, "examples/bake_table.py", "--samples", "1", "--out", str(out)]
        run = subprocess.run(command, cwd=EXAMPLES.parent, env=os.environ, capture_output=True)
        assert run.returncode == 0, run.stderr
    assert outs[0].read_bytes() == outs[1].read_bytes()
    with np.load(outs[0]) as again, np.load(TABLE_FILE) as committed:
        for name in ("vertices", "faces", "face_labels", "patch_shapes", "planes"):
            np.testing.assert_array_equal(again[name], committed[name])
