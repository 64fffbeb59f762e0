# SPDX-License-Identifier: Apache-2.0
"""The live view: its colours and its list, and the page itself in headless Chromium."""

import importlib.util
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from recon_node.engines.errors import MissingPackageError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, ScaleSource, Stage
from recon_node.live_view import COLORINGS, LiveView, colored, legend, objects_table
from recon_node.streams.object_store import ObjectStore, StoredObject

ROOT = Path(__file__).resolve().parents[2]
RADIUS = 0.05  # [m]

has_viser = importlib.util.find_spec("viser") is not None
needs_viser = pytest.mark.skipif(not has_viser, reason="needs viser (pip install '.[view]')")


def _photograph_module():
    spec = importlib.util.spec_from_file_location(
        "photograph_live_view", ROOT / "docs" / "figures" / "photograph_live_view.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


photograph = _photograph_module()
needs_browser = pytest.mark.skipif(
    photograph.CHROMIUM is None, reason="needs Chromium (apt install chromium)"
)


def _ball(
    object_id: str = "object_001", *, x: float = 0.0, scale_source: ScaleSource = ScaleSource.DEPTH
) -> Reconstruction:
    """A red ball at x [m] of which the half with x > 0 was seen; sigma from 0 to 20 mm over z."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    vertices = np.asarray(sphere.vertices, np.float32)
    mesh = Mesh(
        vertices,
        np.asarray(sphere.faces, np.int32),
        np.tile(np.uint8([200, 20, 20]), (len(vertices), 1)),
        (vertices[:, 0] > 0).astype(np.uint8),
        ((vertices[:, 2] + RADIUS) / (2 * RADIUS) * 0.02).astype(np.float32),
    )
    T_world_object = np.eye(4)
    T_world_object[0, 3] = x
    return Reconstruction(
        object_id=object_id,
        version=1,
        parent_version=None,
        stage=Stage.INSTANT,
        mesh=mesh,
        T_world_object=T_world_object,
        scale_source=scale_source,
        scale_sigma=0.01,
        engine="compact",
        view_count=1,
        metrics={"total_s": 0.0824},
    )


def test_colours_by_what_is_known():
    """Colour the ball by each of the three, and grey where the mesh does not know."""
    mesh = _ball().mesh
    np.testing.assert_array_equal(colored(mesh, "picture").colors, mesh.colors)
    by_provenance = colored(mesh, "provenance").colors
    assert (by_provenance[mesh.provenance == 1] == (64, 169, 155)).all()
    assert (by_provenance[mesh.provenance == 0] == (203, 207, 214)).all()
    by_sigma = colored(mesh, "sigma").colors
    assert (by_sigma[mesh.sigma > 0.0101] == (250, 215, 90)).all()  # at the end from 10 mm on
    assert (by_sigma[mesh.sigma.argmin()] == (36, 70, 140)).all()
    third = np.abs(mesh.sigma - 0.010 / 3).argmin()
    np.testing.assert_allclose(by_sigma[third], (60, 150, 160), atol=8)
    bare = Mesh(mesh.vertices, mesh.faces)
    for coloring in COLORINGS:
        assert (colored(bare, coloring).colors == 190).all()


def test_legend_tells_every_colouring():
    """Name the same colours that the meshes have."""
    assert "rgb(64,169,155)" in legend("provenance") and "completed" in legend("provenance")
    assert "10 mm" in legend("sigma") and "rgb(250,215,90)" in legend("sigma")
    assert "picture" in legend("picture")


def test_list_of_objects():
    """Tell id, version, engine, size, scale, latency and frame; a name is no HTML."""
    ball = StoredObject(_ball(), stamp_ns=0, frame_id="world", label=1)
    unknown = StoredObject(
        _ball("<b>ob", scale_source=ScaleSource.NONE), stamp_ns=0, frame_id="camera", label=2
    )
    words = re.sub(r"<[^>]*>", " ", objects_table([ball, unknown]))
    for fact in ("object_001", "version 1", "compact, instant", "100 x 100 x 100 mm"):
        assert fact in words
    for fact in ("scale from depth", "82 ms", "&lt;b&gt;ob", "scale unknown", "camera, world"):
        assert fact in words
    assert words.count(" mm") == 1  # no millimetres without a scale
    assert "No objects yet" in objects_table([])


def test_without_viser(monkeypatch):
    """Name the extra to install where viser is missing."""
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(MissingPackageError, match=r"pip install .*\[view\]"):
        LiveView(8097)


@needs_viser
def test_views_share_no_port(caplog, capsys):
    """Take the next port where one is in use, and log the address instead of printing a banner."""
    caplog.set_level("INFO", "recon_node")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    first = LiveView(port, host="127.0.0.1")
    second = LiveView(port, host="127.0.0.1")
    try:
        assert first.url == f"http://localhost:{port}" != second.url
        assert f"the live view is at {second.url}" in caplog.text
        assert capsys.readouterr().out == ""
    finally:
        first.close()
        second.close()


def _count(picture, condition) -> int:
    """Pixels left of the panel for which the condition holds; of red, green and blue."""
    pixels = np.asarray(picture, int)[:, :900]
    return int(condition(*(pixels[..., c] for c in range(3))).sum())


def _teal(r, g, b):
    return (g - r > 40) & (b - r > 30)


def _red(r, g, b):
    return (r - g > 80) & (r - b > 80)


def _yellow(r, g, b):
    return (r - b > 60) & (g - b > 40)


@pytest.mark.slow
@needs_viser
@needs_browser
def test_page_in_a_browser():
    """Watch an object come in its colours, change them, get a new version, and go."""
    store = ObjectStore()
    live_view = LiveView(8097, host="127.0.0.1")
    try:
        with photograph.Browser(live_view.url) as browser:

            def sees(condition) -> bool:
                return _count(browser.screenshot(), condition) > 2000

            def choose(coloring: str) -> None:
                place = "document.querySelector('input[aria-haspopup=listbox]')"
                browser.command("Runtime.evaluate", expression=f"{place}.click()")
                option = (
                    "[...document.querySelectorAll('[role=option]')]"
                    f".find(e => e.innerText == '{coloring}')"
                )
                photograph.wait_for(
                    lambda: browser.value(f"{option} !== undefined"), "no such colouring"
                )
                browser.command("Runtime.evaluate", expression=f"{option}.click()")

            photograph.wait_for(lambda: "No objects yet" in browser.text(), "no empty list")
            assert not sees(_teal) and not sees(_red)
            live_view.show(store.accept(_ball(), stamp_ns=0, frame_id="world", label=1))
            photograph.wait_for(lambda: "object_001" in browser.text(), "the list stays empty")
            photograph.wait_for(lambda: sees(_teal), "no seen surface")
            choose("picture")
            photograph.wait_for(lambda: sees(_red), "no colours of the picture")
            choose("sigma")
            photograph.wait_for(lambda: sees(_yellow) and not sees(_red), "no colours of sigma")
            live_view.show(store.accept(_ball(), stamp_ns=1, frame_id="world", label=1))
            photograph.wait_for(lambda: "version 2" in browser.text(), "no new version")
            alone = _count(browser.screenshot(), _yellow)
            live_view.show(
                store.accept(_ball("object_002", x=0.3), stamp_ns=1, frame_id="world", label=2)
            )
            photograph.wait_for(lambda: "object_002" in browser.text(), "no second object")
            photograph.wait_for(
                lambda: _count(browser.screenshot(), _yellow) < 0.8 * alone, "the eye stays near"
            )
            live_view.remove("object_002")
            live_view.remove("object_001")
            photograph.wait_for(lambda: "No objects yet" in browser.text(), "the object stays")
            photograph.wait_for(lambda: not sees(_yellow), "its mesh stays")
    finally:
        live_view.close()
