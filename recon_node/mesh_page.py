# SPDX-License-Identifier: Apache-2.0
"""A page that shows one mesh in any browser, and the browser to open it in."""

import base64
import html
import os
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.srgb import to_srgb
from recon_node.mesh_files import R_GLTF_OBJECT
from recon_node.mesh_page_template import PAGE

MESH_SUFFIXES = (".glb", ".ply", ".obj", ".stl")

_CLAY = 190  # sRGB gray of what has no colours


def load_mesh(path: Path) -> Mesh:
    """Mesh of a file, y up, with sRGB colours.

    GLB is y up and has linear vertex colours; every other format is taken to be in the object
    frame, z up, with sRGB ones.

    Raises:
        InvalidInputError: No such file, not a mesh, or one without triangles.
    """
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise InvalidInputError(
            f"{path} is no mesh that can be shown; expected {', '.join(MESH_SUFFIXES)}"
        )
    if not path.is_file():
        raise InvalidInputError(f"cannot read mesh {path}: there is no such file; check the path")
    try:
        scene = trimesh.load_scene(path, process=False)
        parts = list(_placed_parts(scene))
    except Exception as error:  # each of trimesh's loaders has its own kinds
        raise InvalidInputError(
            f"cannot read mesh {path}: {error or type(error).__name__}; the file is damaged, "
            "reconstruct it again"
        ) from error
    if not parts:
        raise InvalidInputError(f"mesh {path} holds no triangles; reconstruct it again")
    is_gltf = path.suffix.lower() == ".glb"
    vertices = np.concatenate([vertices for _, vertices in parts])
    starts = np.cumsum([0] + [len(vertices) for _, vertices in parts])[:-1]
    faces = [part.faces + start for (part, _), start in zip(parts, starts, strict=True)]
    return Mesh(
        (vertices if is_gltf else vertices @ R_GLTF_OBJECT.T).astype(np.float32),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([_colors(part, is_linear=is_gltf) for part, _ in parts]),
    )


def mesh_page(path: Path) -> bytes:
    """HTML that shows a mesh file and needs nothing but itself.

    Raises:
        InvalidInputError: See `load_mesh`.
    """
    mesh = load_mesh(path)
    opaque = np.full((len(mesh.vertices), 1), 255, np.uint8)
    arrays = {
        "$POSITIONS": mesh.vertices.astype("<f4"),
        "$NORMALS": mesh.vertex_normals().astype("<f4"),
        "$COLORS": np.concatenate([mesh.colors, opaque], axis=1),
        "$FACES": mesh.faces.astype("<u4"),
    }
    page = PAGE.replace("$TITLE", html.escape(path.name))
    for name, array in arrays.items():
        page = page.replace(name, base64.b64encode(array.tobytes()).decode("ascii"))
    return page.encode()


def temporary_page(name: str) -> Path:
    """Where to put a page nobody asked to keep: alone in a new directory, so it can be served."""
    return Path(tempfile.mkdtemp(prefix="recon_view_")) / f"{name}.html"


def open_page(page: Path) -> bool:
    """Whether a browser was started on the page.

    Text browsers that `webbrowser` finds on machines without a display are left alone, unless the
    user names one in $BROWSER.
    """
    has_display = (
        sys.platform in ("darwin", "win32")
        or "DISPLAY" in os.environ
        or "WAYLAND_DISPLAY" in os.environ
    )
    if not (has_display or os.environ.get("BROWSER")):
        return False
    return webbrowser.open(page.resolve().as_uri())


def _placed_parts(scene: trimesh.Scene) -> Iterator[tuple[trimesh.Trimesh, np.ndarray]]:
    """Each part with triangles, and its vertices (V, 3) in the scene."""
    for node in scene.graph.nodes_geometry:
        T_scene_part, name = scene.graph[node]
        part = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh) and len(part.faces):
            yield part, trimesh.transform_points(part.vertices, T_scene_part)


def _colors(part: trimesh.Trimesh, *, is_linear: bool) -> np.ndarray:
    """sRGB colours u8 (V, 3) of the vertices, from wherever trimesh put them."""
    visual = part.visual
    attribute = visual.vertex_attributes.get("color") if visual.kind == "texture" else None
    if attribute is not None:
        stored = attribute[:, :3]
        is_integer = stored.dtype.kind == "u"
        linear = stored / np.float32(np.iinfo(stored.dtype).max if is_integer else 1)
        return to_srgb(linear.astype(np.float32))
    if visual.kind == "texture" and visual.uv is not None:
        return np.ascontiguousarray(visual.to_color().vertex_colors[:, :3])
    if visual.kind in ("vertex", "face"):
        stored = np.ascontiguousarray(visual.vertex_colors[:, :3])
        return to_srgb(stored / np.float32(255)) if is_linear else stored
    return np.full((len(part.vertices), 3), _CLAY, np.uint8)
