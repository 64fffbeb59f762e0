# SPDX-License-Identifier: Apache-2.0
"""out/demo.png: a frame with its masks beside its reconstructed objects, from two sides."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image, ImageDraw, ImageFont

from recon_node.camera_file import load_camera
from recon_node.engines.camera import Camera
from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.reconstruction import Provenance
from recon_node.engines.transforms import look_at
from recon_node.kernels.ray_cast import RayCaster
from recon_node.mask_files import load_labels

_PAPER, _INK = (250, 250, 251), (32, 36, 43)
_MARGIN, _CAPTION = 12, 40
_TINTS = (
    (230, 80, 70),
    (70, 150, 220),
    (90, 190, 110),
    (240, 180, 60),
    (170, 110, 210),
    (60, 190, 190),
)
_SEEN, _COMPLETED = (52, 158, 144), (222, 158, 96)
_SHADOW_REACH = 0.07  # [m]
_AROUND, _FARTHER = 95.0, 1.1  # the other view: about the vertical [deg], and its distance


def draw_demo(scene: Path, name: str, results: Path) -> Image.Image:
    """Four panels: the frame, the meshes from its camera, from another side, by provenance.

    Args:
        scene: Folder with NAME.jpg, NAME_mask.png, camera.yaml and poses.json.
        name: Of the frame.
        results: Where `recon reconstruct` left the frame's objects.
    """
    camera = load_camera(scene / "camera.yaml")
    T_world_camera = np.array(
        json.loads((scene / "poses.json").read_text())["T_world_camera"][name]
    )
    mesh = joined(read_objects(results), T_world_camera)
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    centre = np.array([*0.5 * (low + high)[:2], 0.03])  # a little above the table
    other_side = _turned(T_world_camera, centre, _AROUND)
    by_image = MeshPicture(mesh, with_seam=False)
    by_provenance = MeshPicture(_by_provenance(mesh), with_seam=False)
    caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
    panels = {
        "camera frame and masks": _masked_frame(scene, name),
        "meshes, from the same camera": _rendered(by_image, caster, camera, T_world_camera),
        "meshes, from another side": _rendered(by_image, caster, camera, other_side),
        "seen in the frame (green) or completed (orange)": _rendered(
            by_provenance, caster, camera, other_side
        ),
    }
    return _sheet(panels, camera.width, camera.height)


def draw_received(image: np.ndarray, meshes: list[Mesh], camera: Camera) -> Image.Image:
    """Two panels: an image, and meshes as its camera sees them.

    Args:
        image: u8 (H, W, 3).
        meshes: In the world's frame [m], z up, on or above z = 0.
        camera: That took the image, placed in the world.
    """
    mesh = joined(meshes, np.eye(4))
    caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
    picture = MeshPicture(mesh, with_seam=False)
    panels = {
        "what the camera saw": Image.fromarray(image),
        "what arrived over DDS, from the same camera": _rendered(
            picture, caster, camera, camera.T_world_camera
        ),
    }
    return _sheet(panels, camera.width, camera.height)


def read_objects(folder: Path) -> Iterator[Mesh]:
    """The objects below a folder that `recon reconstruct` wrote, each in its view's world [m]."""
    for path in sorted(folder.rglob("mesh.ply")):
        stored = trimesh.load(path, process=False)
        columns = stored.metadata["_ply_raw"]["vertex"]["data"]  # trimesh drops what it cannot name
        described = json.loads((path.parent / "result.json").read_text())
        yield Mesh(
            vertices=np.asarray(stored.vertices, np.float32),
            faces=np.asarray(stored.faces, np.int32),
            colors=np.asarray(stored.visual.vertex_colors[:, :3], np.uint8),
            provenance=np.array(columns["provenance"], np.uint8),
            sigma=None,
        ).transformed(np.array(described["T_world_object"]))


def joined(meshes: Iterable[Mesh], T_world_camera: np.ndarray) -> Mesh:
    """Meshes given in the camera's frame as one in the world's."""
    parts = [mesh.transformed(T_world_camera) for mesh in meshes]
    counts = np.cumsum([0] + [len(part.vertices) for part in parts])
    return Mesh(
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate([p.faces + np.int32(n) for p, n in zip(parts, counts, strict=False)]),
        colors=np.concatenate([part.colors for part in parts]),
        provenance=np.concatenate([part.provenance for part in parts]),
        sigma=None,
    )


def _by_provenance(mesh: Mesh) -> Mesh:
    completed = (mesh.provenance == Provenance.HALLUCINATED)[:, None]
    colors = np.where(completed, np.array(_COMPLETED), np.array(_SEEN)).astype(np.uint8)
    return Mesh(mesh.vertices, mesh.faces, colors, mesh.provenance, None)


def _turned(T_world_camera: np.ndarray, centre: np.ndarray, degrees: float) -> np.ndarray:
    """The camera carried about the vertical through a point, looking at it from farther away."""
    offset = T_world_camera[:3, 3] - centre
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return look_at(centre + _FARTHER * R @ offset, centre, np.array([0.0, 0.0, 1.0]))


def _masked_frame(scene: Path, name: str) -> Image.Image:
    """The frame with each object's mask tinted and outlined."""
    image = np.asarray(Image.open(scene / f"{name}.jpg").convert("RGB"), np.float32)
    for number, mask in load_labels(scene / f"{name}_mask.png").masks():
        tint = np.array(_TINTS[(number - 1) % len(_TINTS)], np.float32)
        inner = mask.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inner &= np.roll(mask, step, axis)
        image[mask] += 0.1 * (tint - image[mask])
        image[mask & ~inner] = tint
    return Image.fromarray(image.round().astype(np.uint8))


def _rendered(
    picture: MeshPicture, caster: RayCaster, camera: Camera, T_world_camera: np.ndarray
) -> Image.Image:
    """The meshes on the table's plane, in the size of the camera's image."""
    size = camera.width
    viewpoint = Viewpoint(T_world_camera, 0.5 * size / camera.focal[0])
    top = (size - camera.height) // 2
    drawn = picture.draw(viewpoint, size)[top : top + camera.height]
    ground = Image.fromarray(_ground(caster, camera, T_world_camera))
    ground.paste(Image.fromarray(drawn[..., :3]), mask=Image.fromarray(drawn[..., 3]))
    return ground


def _ground(caster: RayCaster, camera: Camera, T_world_camera: np.ndarray) -> np.ndarray:
    """The plane z = 0, white and shaded where meshes are near, u8 (H, W, 3)."""
    R, eye = T_world_camera[:3, :3], T_world_camera[:3, 3]
    directions = camera.rays(camera.pixel_grid().reshape(-1, 2)) @ R.T
    shade = np.full(len(directions), 0.90, np.float32)
    down = np.flatnonzero(directions[:, 2] < -1e-3)
    points = eye - directions[down] * (eye[2] / directions[down, 2])[:, None]
    distance = caster.closest(points.astype(np.float32), reach=_SHADOW_REACH).distances
    share = np.minimum(distance / _SHADOW_REACH, 1)
    shade[down] = 0.90 - 0.45 * (1 - share) ** 2
    shade = shade.reshape(camera.height, camera.width, 1)
    return np.round(255 * shade * np.array([0.985, 0.99, 1.0])).astype(np.uint8)


def _sheet(panels: dict[str, Image.Image], width: int, height: int) -> Image.Image:
    step_x, step_y = width + _MARGIN, height + _CAPTION
    size = (2 * step_x + _MARGIN, (len(panels) + 1) // 2 * step_y + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (caption, panel) in enumerate(panels.items()):
        left, top = _MARGIN + (index % 2) * step_x, (index // 2) * step_y
        sheet.paste(panel, (left, top + _CAPTION))
        font = ImageFont.load_default(22)
        draw.text((left + 2, top + _CAPTION // 2 + 2), caption, _INK, font, anchor="lm")
    return sheet
