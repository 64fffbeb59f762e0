# SPDX-License-Identifier: Apache-2.0
"""A page that shows one mesh in any browser, and the browser to open it in."""

import os
import sys
import tempfile
import webbrowser
from pathlib import Path

import numpy as np
import trimesh
from trimesh.viewer.notebook import scene_to_html

from recon_node.engines.errors import InvalidInputError
from recon_node.mesh_files import R_GLTF_OBJECT

MESH_SUFFIXES = (".glb", ".ply", ".obj", ".stl")


def mesh_page(path: Path) -> bytes:
    """HTML that shows a mesh file; trimesh's three.js viewer with everything inside.

    GLB is y up; every other format is taken to be in the object frame, z up.

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
        scene = trimesh.load_scene(path)
    except Exception as error:  # each of trimesh's loaders has its own kinds
        raise InvalidInputError(
            f"cannot read mesh {path}: {error}; the file is damaged, reconstruct it again"
        ) from error
    if scene.is_empty:
        raise InvalidInputError(f"mesh {path} holds no triangles; reconstruct it again")
    if path.suffix.lower() != ".glb":
        T_gltf_object = np.eye(4)
        T_gltf_object[:3, :3] = R_GLTF_OBJECT
        scene.apply_transform(T_gltf_object)
    return scene_to_html(scene).encode()


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
