# SPDX-License-Identifier: Apache-2.0
"""The table scene: which procedural objects stand where, as one mesh with normals and paint.

The objects come from `recon_node.training.shapes` with seeds of two numbers that begin with SEED.
Training draws with seeds of three numbers that begin with the run's own small seed, so none of
these six shapes is a training sample.
"""

from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold, OpType
from table_paint import (
    Coat,
    LabelledBottle,
    Paint,
    PrintedCarton,
    apple_skin,
    claw_hammer,
    glazed_mug,
    plank_albedo,
    stoneware_bowl,
)

from recon_node.engines.srgb import to_linear
from recon_node.kernels.ray_cast import RayCaster, SurfaceHits
from recon_node.training.shapes.sampler import sample_shape
from recon_node.training.shapes.solids import rounded_box

SEED = 9_000_000
TABLE_SIZE = np.array([1.3, 0.86, 0.036])  # [m]; its top is z = 0
FLOOR, WALL = -0.74, 1.9  # [m]: the floor's height, the wall's distance
_TEXEL = 0.001  # of the baked table top [m]
_CREASE_COSINE = 0.72  # edges sharper than 44 degrees stay sharp


@dataclass(frozen=True, eq=False)
class Thing:
    """One object of the scene.

    Attributes:
        name: What it is.
        family: Of `sample_shape`.
        number: Second part of its seed.
        size: Longest side [m].
        place: x and y of its box's centre on the table [m].
        turn: About the vertical [deg].
        paint: Its material.
    """

    name: str
    family: str
    number: int
    size: float
    place: tuple[float, float]
    turn: float
    paint: Paint


THINGS = (
    Thing("mug", "mug", 2, 0.12, (-0.15, -0.10), -150.0, glazed_mug),
    Thing("carton", "gable_carton", 5, 0.20, (-0.19, 0.12), 10.0, PrintedCarton()),
    Thing("bottle", "bottle", 9, 0.23, (0.05, 0.16), 78.0, LabelledBottle()),
    Thing("bowl", "bowl", 2, 0.17, (0.25, 0.04), 25.0, stoneware_bowl),
    Thing("apple", "round_fruit", 4, 0.082, (0.03, -0.03), 40.0, apple_skin),
    Thing("hammer", "hammer", 2, 0.27, (0.13, -0.18), 12.0, claw_hammer),
)


class TableScene:
    """Everything a ray can meet: the things (objects 1..N), the table (0), floor and wall.

    Attributes:
        vertices: f64 (V, 3) [m, world].
        faces: i64 (F, 3).
        face_objects: i64 (F,).
        caster: Of rays against them.
    """

    def __init__(self) -> None:
        vertices, faces, normals, objects, parts = [], [], [], [], []
        self._R_world_thing, self._centre = [np.eye(3)], [np.zeros(3)]
        count = 0
        for index, (points, triangles, groups) in enumerate(self._solids()):
            vertices.append(points)
            faces.append(triangles + count)
            normals.append(corner_normals(points, triangles))
            objects.append(np.full(len(triangles), index))
            parts.append(groups[triangles[:, 0]])
            count += len(points)
        self._normals = np.concatenate(normals)
        self.face_objects = np.concatenate(objects)
        self._face_parts = np.concatenate(parts)
        self.vertices, self.faces = np.concatenate(vertices), np.concatenate(faces)
        self.caster = RayCaster(self.vertices, self.faces, signed=False)
        self._table_top = _bake_table_top()

    def _solids(self):
        """Vertices [m, world], faces and colour groups of the table and of each thing."""
        slab = rounded_box(TABLE_SIZE, 0.008, 5).translate((0, 0, -TABLE_SIZE[2] / 2))
        legs = [
            Manifold.cube((0.05, 0.05, -FLOOR), False).translate((x, y, FLOOR - 0.02))
            for x in (-0.6, 0.55)
            for y in (-0.38, 0.33)
        ]
        table = Manifold.batch_boolean([slab, *legs], op=OpType.Add).to_mesh()
        points = np.asarray(table.vert_properties[:, :3], np.float64)
        yield points, np.asarray(table.tri_verts, np.int64), np.zeros(len(points), int)
        for thing in THINGS:
            rng = np.random.default_rng([SEED, thing.number])
            shape = sample_shape(rng, family=thing.family)
            angle = np.radians(thing.turn)
            c, s = np.cos(angle), np.sin(angle)
            R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
            local = shape.vertices.astype(np.float64) * thing.size
            centre = np.array([*thing.place, -local[:, 2].min()])
            self._R_world_thing.append(R)
            self._centre.append(centre)
            yield local @ R.T + centre, shape.faces.astype(np.int64), shape.parts.astype(int)

    def shading(self, points: np.ndarray, hits: SurfaceHits) -> tuple[np.ndarray, Coat]:
        """Unit normals (N, 3) and material of points [m, world] where rays met the mesh."""
        faces = hits.faces
        normals = np.einsum("nk,nkc->nc", hits.barycentric, self._normals[faces])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        albedo = np.zeros((len(points), 3), np.float32)
        metal, roughness = np.zeros((2, len(points)), np.float32)
        for index in np.unique(self.face_objects[faces]):
            chosen = np.flatnonzero(self.face_objects[faces] == index)
            R = self._R_world_thing[index]
            local = (points[chosen] - self._centre[index]) @ R
            paint = THINGS[index - 1].paint if index else self._oak
            coat = paint(local, normals[chosen] @ R, self._face_parts[faces[chosen]])
            albedo[chosen], metal[chosen] = coat.albedo, coat.metal
            roughness[chosen] = coat.roughness
        return normals.astype(np.float32), Coat(albedo, metal, roughness)

    def room(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where rays that miss the mesh meet floor or wall: distance (N,) and albedo (N, 3)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            floor = (FLOOR - origins[:, 2]) / directions[:, 2]
            wall = (WALL - origins[:, 1]) / directions[:, 1]
        floor = np.where(floor > 0, floor, np.inf)
        wall = np.where(wall > 0, wall, np.inf)
        grey, plaster = to_linear(np.array([[108, 112, 118], [196, 190, 180]], np.uint8))
        albedo = np.where((floor < wall)[:, None], grey, plaster)
        return np.minimum(floor, wall).astype(np.float32), albedo.astype(np.float32)

    def _oak(self, points: np.ndarray, normals: np.ndarray, parts: np.ndarray) -> Coat:
        """The baked planks, also down the table's sides."""
        cell = ((points[:, :2] + 0.5 * TABLE_SIZE[:2]) / _TEXEL).astype(int)
        rows, columns = self._table_top.shape[:2]
        albedo = self._table_top[
            np.clip(cell[:, 1], 0, rows - 1), np.clip(cell[:, 0], 0, columns - 1)
        ]
        return Coat(
            albedo,
            metal=np.zeros(len(points), np.float32),
            roughness=np.full(len(points), 0.4, np.float32),
        )


def corner_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3, 3) of the faces' corners: smooth, but not across creases."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    areas = np.cross(b - a, c - a)
    flat = areas / np.maximum(np.linalg.norm(areas, axis=1, keepdims=True), 1e-20)
    _, place = np.unique(np.round(vertices, 7), axis=0, return_inverse=True)
    corner_place = place.ravel()[faces].ravel()
    order = np.argsort(corner_place, kind="stable")
    normals = np.zeros((len(faces) * 3, 3))
    for group in np.split(order, np.flatnonzero(np.diff(corner_place[order])) + 1):
        around = group // 3
        is_smooth = flat[around] @ flat[around].T > _CREASE_COSINE
        normals[group] = is_smooth @ areas[around]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    return normals.reshape(-1, 3, 3).astype(np.float32)


def _bake_table_top() -> np.ndarray:
    """Linear albedo of the table's top, f32 (rows, columns, 3), one texel a millimetre."""
    columns, rows = np.ceil(TABLE_SIZE[:2] / _TEXEL).astype(int)
    x, y = np.meshgrid((np.arange(columns) + 0.5) * _TEXEL, (np.arange(rows) + 0.5) * _TEXEL)
    points = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    return plank_albedo(points).reshape(rows, columns, 3).astype(np.float32)
