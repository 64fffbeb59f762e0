# SPDX-License-Identifier: Apache-2.0
"""The example's table with its light baked in: what a synthetic camera takes pictures of, fast.

`examples/bake_table.py` makes the file. World: z up, origin in the middle of the table's top [m].
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recon_node.engines.camera import Camera
from recon_node.engines.errors import InvalidInputError
from recon_node.kernels.ray_cast import RayCaster, SurfaceHits

TABLE_FILE = Path(__file__).parent / "data" / "table_scene.npz"
_MARGIN = 2  # around the boxes of the objects [px]


@dataclass(frozen=True, eq=False)
class Plane:
    """A textured plane.

    Attributes:
        origin: Corner of the first texel, f64 (3,) [m, world].
        x_axis: Unit, along the texture's rows.
        y_axis: Unit, along its columns.
        texel: Side of a texel [m].
        texture: sRGB; beyond its borders there is nothing where it is `bounded`.
        bounded: Otherwise the plane goes on in the background's colour.
    """

    origin: np.ndarray
    x_axis: np.ndarray
    y_axis: np.ndarray
    texel: float
    texture: Image.Image
    bounded: bool

    def homography(self, camera: Camera) -> np.ndarray:
        """f64 (3, 3): pixel (x, y, 1) to (u w, v w, w); u and v in texels, w < 0 from the front."""
        T = camera.T_world_camera
        R_K = T[:3, :3] @ np.linalg.inv(camera.K)
        normal = np.cross(self.x_axis, self.y_axis)
        offset = T[:3, 3] - self.origin
        height = offset @ normal
        rows = [
            ((offset @ axis) * normal - height * axis) / self.texel
            for axis in (self.x_axis, self.y_axis)
        ]
        return np.stack([*rows, normal]) @ R_K

    def depth(self, camera: Camera, rows: slice, columns: slice) -> np.ndarray:
        """Depth along z [m] at the centres of pixels, f32 (rows, columns); inf: it is not there."""
        T = camera.T_world_camera
        height = np.float32((T[:3, 3] - self.origin) @ np.cross(self.x_axis, self.y_axis))
        H = self.homography(camera).astype(np.float32)
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5)
        with np.errstate(divide="ignore"):
            inverse = _linear(H[2] / -height, x, y)
            depth = np.where(inverse > 0, 1 / inverse, np.float32(np.inf))
        if self.bounded:
            for row, size in zip(H, self.texture.size, strict=False):
                place = _linear(row / -height, x, y) * depth
                depth[~((place >= 0) & (place < size))] = np.inf  # inf - inf is outside too
        return depth

    def picture(self, camera: Camera, rows: slice, columns: slice) -> np.ndarray:
        """Colours u8 (rows, columns, 3) of the plane in a part of the camera's image."""
        shift = np.array([[1, 0, columns.start], [0, 1, rows.start], [0, 0, 1]])
        H = self.homography(camera) @ shift
        coefficients = (H / H[2, 2]).ravel()[:8].tolist()
        size = (columns.stop - columns.start, rows.stop - rows.start)
        method, filtering = Image.Transform.PERSPECTIVE, Image.Resampling.BILINEAR
        return np.array(self.texture.transform(size, method, coefficients, filtering))


def _linear(row: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (row[0] * x + row[2]) + row[1] * y


class BakedScene:
    """Objects (labels 1..N) as triangles with a patch of colours each, on textured planes.

    The patch of a triangle with the corners a, b, c is a grid of colours, rows by columns: that at
    (row, column) belongs to the point `(1 - t) ((1 - s) a + s b) + t c`, where t and s run from 0
    to 1 over the rows and the columns.

    Args:
        vertices: f32 (V, 3) [m, world].
        faces: i32 (F, 3), counter-clockwise from outside.
        face_labels: u8 (F,), from 1.
        patch_shapes: i32 (F, 2): rows and columns, each at least 2.
        patch_colors: u8 (sum of rows times columns, 3), sRGB, patch after patch.
        planes: What lies behind the objects; the first one lies before the others.
    """

    def __init__(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        face_labels: np.ndarray,
        patch_shapes: np.ndarray,
        patch_colors: np.ndarray,
        planes: tuple[Plane, ...],
    ):
        self.vertices, self.faces, self.face_labels = vertices, faces, face_labels
        self._shapes, self._colors, self._planes = patch_shapes, patch_colors, planes
        counts = patch_shapes.prod(1)
        self._starts = np.cumsum(counts) - counts
        self._caster = RayCaster(vertices, faces, signed=False)
        self._boxes = [
            (points.min(0), points.max(0))
            for points in (vertices[faces[face_labels == n]] for n in np.unique(face_labels))
            for points in [points.reshape(-1, 3)]
        ]

    def render(self, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colours u8 (H, W, 3), labels u8 (H, W) and depth along z f32 (H, W) [m], inf unknown.

        One ray goes through the centre of each pixel; only the colours at the objects' outlines
        are softened.
        """
        depth, color = self._background(camera)
        labels = np.zeros(depth.shape, np.uint8)
        rows, columns = np.nonzero(self._near_objects(camera))
        # Directions of depth 1, so that a ray's parameter is the depth.
        x = (columns + 0.5 - camera.centre[0]) / camera.focal[0]
        y = (rows + 0.5 - camera.centre[1]) / camera.focal[1]
        rays = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)
        T = camera.T_world_camera.astype(np.float32)
        origins = np.broadcast_to(T[:3, 3], rays.shape)
        hits = self._caster.cast(origins, rays @ T[:3, :3].T)
        met = hits.distances < depth[rows, columns]
        rows, columns = rows[met], columns[met]
        hits = SurfaceHits(hits.distances[met], hits.faces[met], hits.barycentric[met])
        depth[rows, columns] = hits.distances
        labels[rows, columns] = self.face_labels[hits.faces]
        color[rows, columns] = self._patch_colors(hits)
        _soften_outlines(color, labels)
        return color, labels, depth

    def _background(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Depth (inf unknown) and colours of the nearest plane."""
        first, *others = self._planes
        whole = (slice(0, camera.height), slice(0, camera.width))
        depth, color = first.depth(camera, *whole), first.picture(camera, *whole)
        is_open = np.isinf(depth)
        if not is_open.any():
            return depth, color
        box = tuple(_extent(is_open.any(axis)) for axis in (1, 0))
        for plane in others:
            plane_depth = plane.depth(camera, *box)
            nearer = plane_depth < depth[box]
            np.copyto(color[box], plane.picture(camera, *box), where=nearer[..., None])
            np.copyto(depth[box], plane_depth, where=nearer)
        return depth, color

    def _near_objects(self, camera: Camera) -> np.ndarray:
        """Pixels within the boxes of the objects, bool (H, W)."""
        near = np.zeros((camera.height, camera.width), bool)
        T = camera.T_world_camera
        for low, high in self._boxes:
            corners = np.array([low, high])[np.indices((2, 2, 2)).reshape(3, -1), [[0], [1], [2]]].T
            pixels = camera.project((corners - T[:3, 3]) @ T[:3, :3])
            if np.isnan(pixels).any():  # a corner is behind the camera
                return np.ones_like(near)
            left, top = np.maximum(np.floor(pixels.min(0)).astype(int) - _MARGIN, 0)
            right, bottom = np.maximum(np.ceil(pixels.max(0)).astype(int) + _MARGIN, 0)
            near[top:bottom, left:right] = True
        return near

    def _patch_colors(self, hits: SurfaceHits) -> np.ndarray:
        """Bilinear colours u8 (N, 3) of points on the triangles."""
        weights, shape = hits.barycentric, self._shapes[hits.faces]
        base = weights[:, 0] + weights[:, 1]
        s = weights[:, 1] / np.maximum(base, 1e-6)
        row = np.clip(weights[:, 2], 0, 1) * (shape[:, 0] - 1)
        column = np.clip(s, 0, 1) * (shape[:, 1] - 1)
        first_row = np.minimum(row.astype(np.int32), shape[:, 0] - 2)
        first_column = np.minimum(column.astype(np.int32), shape[:, 1] - 2)
        down = (row - first_row).astype(np.float32)[:, None]
        right = (column - first_column).astype(np.float32)[:, None]
        start = self._starts[hits.faces] + first_row * shape[:, 1] + first_column
        below = start + shape[:, 1]
        upper = (1 - right) * self._colors[start] + right * self._colors[start + 1]
        lower = (1 - right) * self._colors[below] + right * self._colors[below + 1]
        return ((1 - down) * upper + down * lower + 0.5).astype(np.uint8)


def _extent(flags: np.ndarray) -> slice:
    """From the first to the last true flag."""
    places = np.flatnonzero(flags)
    return slice(int(places[0]), int(places[-1]) + 1)


def _soften_outlines(color: np.ndarray, labels: np.ndarray) -> None:
    """Averages colours (H, W, 3), in place, where a neighbour has another label."""
    edge = np.zeros(labels.shape, bool)
    across, along = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= across
    edge[:-1] |= across
    edge[:, 1:] |= along
    edge[:, :-1] |= along
    edge[[0, -1]] = edge[:, [0, -1]] = False
    rows, columns = np.nonzero(edge)
    steps = {-1: 1, 0: 2, 1: 1}  # binomial
    total = sum(
        np.uint16(wy * wx) * color[rows + dy, columns + dx]
        for dy, wy in steps.items()
        for dx, wx in steps.items()
    )
    color[rows, columns] = (total + 8) // 16


def load_baked_scene(path: Path = TABLE_FILE) -> BakedScene:
    """The scene of a file that `examples/bake_table.py` wrote.

    Raises:
        InvalidInputError: It cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = dict(stored)
        planes = tuple(
            Plane(
                origin=place[0],
                x_axis=place[1],
                y_axis=place[2],
                texel=float(place[3, 0]),
                texture=Image.open(io.BytesIO(arrays[f"texture_{k}"].tobytes())).convert("RGB"),
                bounded=bool(place[3, 1]),
            )
            for k, place in enumerate(arrays["planes"])
        )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"cannot read the scene {path}: {error}; make it with python examples/bake_table.py"
        ) from error
    return BakedScene(
        vertices=arrays["vertices"],
        faces=arrays["faces"].astype(np.int32),
        face_labels=arrays["face_labels"],
        patch_shapes=arrays["patch_shapes"].astype(np.int32),
        patch_colors=arrays["patch_colors"],
        planes=planes,
    )
