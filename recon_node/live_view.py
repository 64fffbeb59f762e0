# SPDX-License-Identifier: Apache-2.0
"""The newest meshes in a browser: a page that viser serves, with nothing to install beside it."""

import contextlib
import html
import io
import logging
import threading

import numpy as np

from recon_node.engines.errors import require_package
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import transform_points
from recon_node.mesh_files import R_GLTF_OBJECT, glb_bytes
from recon_node.messages.poses import quaternion_xyzw
from recon_node.provenance_colors import PROVENANCE_COLORS
from recon_node.result_description import describe_maker, describe_size, is_metric
from recon_node.streams.object_store import StoredObject

COLORINGS = ("provenance", "picture", "sigma")
SIGMA_REACH = 0.010  # of the last colour [m]
# Certain to uncertain, sRGB; even steps of lightness.
SIGMA_COLORS = np.array([[36, 70, 140], [60, 150, 160], [160, 200, 110], [250, 215, 90]], float)
_CLAY = (190, 190, 190)  # where a mesh does not know
_GRID = (205, 210, 217)
_EYE = np.array([-0.62, -0.66, 0.5])  # of a new visitor, from the middle of the scene, z up
_OPTICAL_EYE = np.array([-0.5, -0.4, -0.8])  # camera axes: from the left, above and before it
_FOV = 0.8  # [rad]


_logger = logging.getLogger(__name__)


class LiveView:
    """Serves a page with the newest mesh of every object; to be called from any thread.

    Args:
        port: To listen on; the next free one is taken where it is in use.
        host: Address to listen on; 127.0.0.1 keeps it on this machine.

    Raises:
        MissingPackageError: viser is not installed.
    """

    def __init__(self, port: int, host: str = "0.0.0.0"):
        viser = require_package("viser", extra="view")
        self._lock = threading.Lock()
        self._objects: dict[str, StoredObject] = {}
        self._drawn: dict[str, object] = {}  # handles of viser
        self._eyes: list[np.ndarray] = []  # where the view put its visitors [m]
        with contextlib.redirect_stdout(io.StringIO()):  # its banner belongs to a terminal
            self._server = viser.ViserServer(host=host, port=port, label="recon", verbose=False)
        gui = self._server.gui
        gui.configure_theme(show_logo=False, show_share_button=False)
        self._coloring = gui.add_dropdown("Colours", COLORINGS, initial_value=COLORINGS[0])
        self._coloring.on_update(lambda _: self._recolor())
        self._legend = gui.add_html(legend(COLORINGS[0]))
        self._table = gui.add_html(objects_table([]))
        self._server.scene.configure_environment_map("studio", environment_intensity=0.3)
        self._server.initial_camera.fov = _FOV
        _logger.info("the live view is at %s", self.url)

    @property
    def url(self) -> str:
        """Where the page is; as seen from another machine, with this one's name for the host."""
        host = self._server.get_host()
        name = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host
        return f"http://{name}:{self._server.get_port()}"

    def show(self, stored: StoredObject) -> None:
        """Shows an object, or its newer version."""
        with self._lock:
            object_id = stored.result.object_id
            is_new = object_id not in self._objects
            self._objects[object_id] = stored
            self._draw(stored)
            self._list()
            if is_new:
                self._arrange(stored.frame_id)

    def remove(self, object_id: str) -> None:
        """Takes an object off the page, if it is there."""
        with self._lock:
            if self._objects.pop(object_id, None) is not None:
                self._drawn.pop(object_id).remove()
                self._list()

    def close(self) -> None:
        """Stops serving."""
        self._server.stop()

    def _recolor(self) -> None:
        with self._lock:
            self._legend.content = legend(self._coloring.value)
            for stored in self._objects.values():
                self._draw(stored)

    def _draw(self, stored: StoredObject) -> None:
        result = stored.result
        mesh = colored(result.mesh, self._coloring.value)
        x, y, z, w = quaternion_xyzw(result.T_world_object[:3, :3] @ R_GLTF_OBJECT.T)
        self._drawn[result.object_id] = self._server.scene.add_glb(
            _node(result.object_id),
            glb_bytes(mesh, name=result.object_id),
            wxyz=(w, x, y, z),
            position=result.T_world_object[:3, 3],
        )

    def _list(self) -> None:
        self._table.content = objects_table(list(self._objects.values()))

    def _arrange(self, frame_id: str) -> None:
        """Puts the ground below all objects, and the eye of new visitors where it sees them."""
        points = np.concatenate(
            [
                transform_points(stored.result.T_world_object, stored.result.mesh.vertices)
                for stored in self._objects.values()
                if stored.frame_id == frame_id
            ]
        )
        low, high = points.min(0), points.max(0)
        middle, size = 0.5 * (low + high), float(np.linalg.norm(high - low))
        scene, is_optical = self._server.scene, "optical" in frame_id
        scene.set_up_direction("-y" if is_optical else "+z")
        ground = (middle[0], high[1], middle[2]) if is_optical else (*middle[:2], low[2])
        scene.add_grid(
            "/ground",
            width=4 * size,
            height=4 * size,
            plane="xz" if is_optical else "xy",
            cell_size=0.1,
            section_size=0.5,
            cell_color=_GRID,
            section_color=_GRID,
            position=ground,
        )
        direction = _OPTICAL_EYE if is_optical else _EYE
        self._look(middle + 1.25 * max(size, 0.1) * direction, middle)

    def _look(self, eye: np.ndarray, target: np.ndarray) -> None:
        """Shows new visitors the target, and those who have not moved since they were placed."""
        for client in self._server.get_clients().values():
            reach = 0.01 * np.linalg.norm(eye - target)
            place = client.camera.position
            if any(np.linalg.norm(place - old) < reach for old in self._eyes):
                with client.atomic():
                    client.camera.position = eye
                    client.camera.look_at = target
        self._server.initial_camera.look_at = target
        self._server.initial_camera.position = eye
        self._eyes.append(eye)


def colored(mesh: Mesh, coloring: str) -> Mesh:
    """The mesh in the colours of one of `COLORINGS`; grey where it does not know."""
    colors = np.full(mesh.vertices.shape, _CLAY, np.uint8)
    if coloring == "picture" and mesh.colors is not None:
        colors = mesh.colors
    elif coloring == "provenance" and mesh.provenance is not None:
        palette = np.array([PROVENANCE_COLORS[level] for level in sorted(PROVENANCE_COLORS)])
        colors = palette[mesh.provenance].astype(np.uint8)
    elif coloring == "sigma" and mesh.sigma is not None:
        place = np.clip(mesh.sigma / SIGMA_REACH, 0, 1) * (len(SIGMA_COLORS) - 1)
        steps = np.arange(len(SIGMA_COLORS))
        channels = [np.interp(place, steps, channel) for channel in SIGMA_COLORS.T]
        colors = np.round(np.stack(channels, axis=1)).astype(np.uint8)
    return Mesh(mesh.vertices, mesh.faces, np.ascontiguousarray(colors))


def legend(coloring: str) -> str:
    """What the colours mean, as HTML."""
    if coloring == "picture":
        return _cell("as in the picture; made up where nothing was seen")
    if coloring == "sigma":
        stops = ", ".join(_css(color) for color in SIGMA_COLORS)
        bar = (
            f'<div style="height:0.7em;border-radius:3px;'
            f'background:linear-gradient(90deg,{stops})"></div>'
        )
        reach = 1000 * SIGMA_REACH
        return _cell(f"one standard deviation, 0 to {reach:g} mm and more{bar}")
    words = {1: "seen", 2: "seen in several views", 0: "completed"}
    return _cell(
        " &nbsp; ".join(
            f'<span style="color:{_css(PROVENANCE_COLORS[level])}">■</span> {word}'
            for level, word in words.items()
        )
    )


def objects_table(objects: list[StoredObject]) -> str:
    """The objects with stage, version, size, scale and latency, as HTML."""
    if not objects:
        return _cell("No objects yet. They appear here as soon as the node has made a mesh.")
    rows = []
    for stored in sorted(objects, key=lambda item: item.result.object_id):
        result = stored.result
        size, scale = "", "scale unknown"
        if is_metric(result):
            size = f"{describe_size(result)} · "
            scale = f"scale from {result.scale_source.name.lower()}"
        seconds = result.metrics.get("total_s")
        latency = "" if seconds is None else f" · {1000 * seconds:.0f} ms"
        rows.append(
            f"<p style='margin:0.5em 0'><b>{html.escape(result.object_id)}</b> "
            f"version {result.version} · {html.escape(describe_maker(result))}<br>"
            f"{html.escape(size)}{scale}{latency}</p>"
        )
    frames = sorted({stored.frame_id for stored in objects})
    return _cell("".join(rows) + f"<p>frame: {html.escape(', '.join(frames))}</p>")


def _cell(content: str) -> str:
    return f'<div style="font-size:0.8em;line-height:1.4;padding:0 0.6em">{content}</div>'


def _css(color) -> str:
    return "rgb({:.0f},{:.0f},{:.0f})".format(*color)


def _node(object_id: str) -> str:
    """Name in viser's tree, where a slash would start a child."""
    return "/objects/" + object_id.replace("/", "_")
