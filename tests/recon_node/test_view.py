# SPDX-License-Identifier: Apache-2.0
"""`recon view`: the page, and the browser it opens in."""

import base64
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from recon_node.engines.hull import HullEngine
from recon_node.mesh_files import R_GLTF_OBJECT, glb_bytes, ply_bytes


@pytest.fixture
def meshes(ball):
    """The hull of the ball as GLB and PLY, and the Mesh."""
    mesh = HullEngine().reconstruct([ball.view]).mesh
    (ball.folder / "mesh.glb").write_bytes(glb_bytes(mesh, name="ball"))
    (ball.folder / "mesh.ply").write_bytes(ply_bytes(mesh))
    return mesh


@pytest.fixture
def no_display(monkeypatch):
    """A machine with neither display nor a browser of the user's choice."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


def shown_array(page, name, dtype):
    """An array inside a page."""
    (encoded,) = re.findall(rf'const {name} = new \w+\(bytes\("([^"]+)"\)\)', page)
    return np.frombuffer(base64.b64decode(encoded), dtype)


@pytest.mark.parametrize("name", ["mesh.glb", "mesh.ply"])
def test_page_shows_the_mesh(name, meshes, ball, no_display, recon, tmp_path):
    """Write one page that holds the mesh, y up, in its colours."""
    assert recon("view", ball.path(name), "--html", tmp_path / "ball.html").code == 0
    page = (tmp_path / "ball.html").read_text()
    positions = shown_array(page, "positions", "<f4").reshape(-1, 3)
    np.testing.assert_allclose(positions, meshes.vertices @ R_GLTF_OBJECT.T, atol=1e-6)
    assert np.array_equal(shown_array(page, "faces", "<u4").reshape(-1, 3), meshes.faces)
    colors = shown_array(page, "colors", "u1").reshape(-1, 4)
    assert np.abs(colors[:, :3].astype(int) - meshes.colors).max() <= 1
    assert "$" not in re.sub(r"\$\{[^}]*\}", "", page)  # every place is filled in


def test_browser_opens_the_page(meshes, ball, tmp_path):
    """Hand the page to the browser that $BROWSER names."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-m", "recon_node", "view", ball.path("mesh.glb")]
        + ["--html", str(tmp_path / "ball.html")],
        env={**os.environ, "BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "opened").read_text().strip() == (tmp_path / "ball.html").as_uri()
    assert "is shown in the browser" in run.stdout


def test_page_needs_no_network(meshes, ball, no_display, recon, tmp_path):
    """Load no script or style from anywhere."""
    recon("view", ball.path("mesh.glb"), "--html", tmp_path / "ball.html")
    page = (tmp_path / "ball.html").read_text()
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=|https?:|import\b|fetch\(", page)


def test_without_a_browser(meshes, ball, no_display, recon, tmp_path):
    """Say how to look at the mesh where nothing can be opened, and keep the page."""
    run = recon("view", ball.path("mesh.glb"), "--html", tmp_path / "ball.html")
    assert run.code == 0
    assert "No display" in run.out and f"http.server -d {tmp_path}" in run.out
    assert (tmp_path / "ball.html").exists()


def test_temporary_page_is_alone(meshes, ball, no_display, recon, tmp_path, monkeypatch):
    """Put the page into a directory of its own, that can be served as it is."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    recon("view", ball.path("mesh.glb"))
    (folder,) = tmp_path.glob("recon_view_*")
    assert [path.name for path in folder.iterdir()] == ["mesh.html"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("no.glb", None, "there is no such file"),
        ("bad.glb", b"hello", "cannot read mesh"),
        ("bad.ply", b"", "cannot read mesh"),
        ("a.txt", b"", "is no mesh that can be shown; expected .glb, .ply"),
    ],
)
def test_bad_mesh(name, content, message, recon, tmp_path):
    """Exit with 2 and one line, and leave no page."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    run = recon("view", tmp_path / name, "--html", tmp_path / "page.html")
    assert run.code == 2
    (error,) = run.errors
    assert message in error and str(tmp_path / name) in error
    assert not (tmp_path / "page.html").exists()
