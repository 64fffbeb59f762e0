# SPDX-License-Identifier: Apache-2.0
"""Pictures of a mesh: ray cast, softly lit, antialiased at edges."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance
from recon_node.engines.srgb import to_linear, to_srgb
from recon_node.kernels.ray_cast import RayCaster

_CLAY = np.array([0.56, 0.54, 0.52], np.float32)  # linear; for meshes without colours
_SEAM = np.array([0.9, 0.32, 0.02], np.float32)  # linear; border of the seen surface
_KEY_LIGHT = np.array([-0.45, -0.65, -0.62], np.float32)  # towards the light, camera axes
_CREASE_COSINE = 0.85  # beyond about 32 degrees an edge is drawn sharp
_OCCLUSION_RAYS = 240_000  # in all
_OCCLUSION_RAYS_EACH = (5, 12)  # of a vertex: at least, at most
_SMOOTHING_ROUNDS = 12
_SUBPIXELS = np.array(
    [[-0.375, -0.125], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375]], np.float32
)


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Where a square picture of a mesh is taken from.

    Attributes:
        T_mesh_camera: f64 (4, 4), camera axes right, down, forward.
        tan_half_fov: Tangent of half the field of view.
    """

    T_mesh_camera: np.ndarray
    tan_half_fov: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Normalised image coordinates of points (N, 3) [mesh frame]: (N, 2), -1 to 1."""
        R, t = self.T_mesh_camera[:3, :3], self.T_mesh_camera[:3, 3]
        camera = (points - t) @ R
        return camera[:, :2] / (camera[:, 2:] * self.tan_half_fov)


@dataclass(frozen=True, eq=False)
class _Hits:
    """Where rays met the mesh; arrays over the rays that did, but for `is_hit`."""

    is_hit: np.ndarray
    distances: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    seen: np.ndarray | None


class MeshPicture:
    """Draws one mesh from any side.

    Args:
        mesh: What to draw; vertex colours are taken as sRGB albedo.
        with_seam: Mark the border between seen and hallucinated surface.
    """

    def __init__(self, mesh: Mesh, *, with_seam: bool = True):
        self._mesh = mesh
        self._caster = RayCaster(mesh.vertices, mesh.faces, signed=False)
        self._face_normals = mesh.face_normals()
        self._vertex_normals = mesh.vertex_normals()
        self._extent = float(np.linalg.norm(mesh.extents))
        colors = _CLAY if mesh.colors is None else to_linear(mesh.colors)
        self._colors = np.broadcast_to(colors, mesh.vertices.shape) * self._openness()[:, None]
        self._seen = None
        if with_seam and mesh.provenance is not None:
            seen = mesh.provenance != Provenance.HALLUCINATED
            self._seen = _smoothed(seen, mesh.faces) if 0 < seen.mean() < 1 else None

    def draw(self, viewpoint: Viewpoint, size: int) -> np.ndarray:
        """The picture as u8 (size, size, 4): sRGB and coverage.

        One ray a pixel, four where neighbours differ in coverage, depth or normal.

        Args:
            viewpoint: Where it is taken from.
            size: Side of the picture [px].
        """
        rows, columns = self._footprint(viewpoint, size)
        linear = np.zeros((size, size, 3), np.float32)
        alpha = np.zeros((size, size), np.float32)
        if rows.size == 0:
            return np.zeros((size, size, 4), np.uint8)
        y, x = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
        shape = (len(rows), len(columns))
        hits, shaded = self._trace(viewpoint, x + 0.5, y + 0.5, size)
        linear[y[hits.is_hit], x[hits.is_hit]] = shaded
        alpha[y, x] = hits.is_hit
        edges = _edges(hits, shape, self._extent).ravel()
        edge_x, edge_y = x[edges], y[edges]
        if len(edge_x):
            fine_x = (edge_x[:, None] + 0.5 + _SUBPIXELS[:, 0]).ravel()
            fine_y = (edge_y[:, None] + 0.5 + _SUBPIXELS[:, 1]).ravel()
            fine, fine_shaded = self._trace(viewpoint, fine_x, fine_y, size)
            samples = np.zeros((len(fine_x), 3), np.float32)
            samples[fine.is_hit] = fine_shaded
            count = fine.is_hit.reshape(-1, len(_SUBPIXELS)).sum(1)
            total = samples.reshape(-1, len(_SUBPIXELS), 3).sum(1)
            linear[edge_y, edge_x] = total / np.maximum(count, 1)[:, None]
            alpha[edge_y, edge_x] = count / len(_SUBPIXELS)
        if hits.seen is not None:
            seam = _seam(hits, shape, edges.reshape(shape))[..., None]
            window = np.ix_(rows, columns)
            linear[window] += seam * (_SEAM - linear[window])
        rgb = to_srgb(linear)
        return np.dstack([rgb, np.round(255 * alpha).astype(np.uint8)])

    def _footprint(self, viewpoint: Viewpoint, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of pixels that the mesh can cover."""
        pixels = 0.5 * size * (viewpoint.project(self._mesh.vertices.astype(np.float64)) + 1)
        low = np.clip(np.floor(pixels.min(0)).astype(int) - 1, 0, size)
        high = np.clip(np.ceil(pixels.max(0)).astype(int) + 1, 0, size)
        return np.arange(low[1], high[1]), np.arange(low[0], high[0])

    def _trace(
        self, viewpoint: Viewpoint, x: np.ndarray, y: np.ndarray, size: int
    ) -> tuple[_Hits, np.ndarray]:
        """Hits and linear colours f32 (hits, 3) of rays through pixels."""
        q = viewpoint.tan_half_fov
        R = viewpoint.T_mesh_camera[:3, :3].astype(np.float32)
        u, v = (2 * x / size - 1) * q, (2 * y / size - 1) * q
        directions = np.stack([u, v, np.ones_like(u)], axis=1).astype(np.float32) @ R.T
        origins = np.broadcast_to(viewpoint.T_mesh_camera[:3, 3], directions.shape)
        found = self._caster.cast(origins.astype(np.float32), directions)
        is_hit = found.faces >= 0
        faces, weights = found.faces[is_hit], found.barycentric[is_hit]
        corners = self._mesh.faces[faces]
        hits = _Hits(
            is_hit=is_hit,
            distances=found.distances[is_hit],
            normals=self._normals(faces, corners, weights),
            colors=np.einsum("nk,nkc->nc", weights, self._colors[corners]),
            seen=None if self._seen is None else (weights * self._seen[corners]).sum(1),
        )
        return hits, _shade(hits, R)

    def _normals(self, faces: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Smooth normals, but those of the face beyond a crease."""
        flat = self._face_normals[faces]
        smooth = self._vertex_normals[corners]
        creased = np.einsum("nkc,nc->nk", smooth, flat) < _CREASE_COSINE
        smooth = np.where(creased[..., None], flat[:, None], smooth)
        normals = np.einsum("nk,nkc->nc", weights, smooth)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def _openness(self) -> np.ndarray:
        """Share of the sky that each vertex sees nearby, f32 (V,): ambient occlusion."""
        normals = self._vertex_normals
        lifted = self._mesh.vertices + 1e-3 * self._extent * normals
        directions = _sphere_points(np.clip(_OCCLUSION_RAYS // len(normals), *_OCCLUSION_RAYS_EACH))
        reach = 0.15 * self._extent
        openness = np.zeros(len(normals), np.float32)
        for direction in directions:
            # normal + a point on the unit sphere: cosine-weighted over the hemisphere
            rays = normals + direction
            rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-6)
            openness += np.minimum(self._caster.cast(lifted, rays).distances / reach, 1.0)
        return 0.35 + 0.65 * openness / len(directions)


def _shade(hits: _Hits, R_mesh_camera: np.ndarray) -> np.ndarray:
    """Linear colours under a soft key light from the upper left and light from everywhere."""
    normals = hits.normals @ R_mesh_camera
    key = _KEY_LIGHT / np.linalg.norm(_KEY_LIGHT)
    wrapped = np.clip(0.5 + 0.5 * normals @ key, 0, 1) ** 1.5
    sky = 0.5 - 0.5 * normals[:, 1]
    light = 0.34 + 0.16 * sky + 0.62 * wrapped
    return hits.colors * light[:, None]


def _seam(hits: _Hits, shape: tuple[int, int], edges: np.ndarray) -> np.ndarray:
    """Opacity, f32 of the shape, of a line of even width between seen and hallucinated surface."""
    seen = np.full(shape, np.nan, np.float32)
    seen.ravel()[hits.is_hit] = hits.seen
    known = np.isfinite(seen) & ~edges
    side = seen > 0.5
    line = np.zeros(shape, np.float32)
    line[:, 1:] += (side[:, 1:] != side[:, :-1]) & known[:, 1:] & known[:, :-1]
    line[1:] += (side[1:] != side[:-1]) & known[1:] & known[:-1]
    line = np.pad(np.minimum(line, 1), 1)
    line = 0.25 * line[:-2] + 0.5 * line[1:-1] + 0.25 * line[2:]
    line = 0.25 * line[:, :-2] + 0.5 * line[:, 1:-1] + 0.25 * line[:, 2:]
    return np.where(known, np.minimum(1.2 * line, 0.75), 0)


def _smoothed(flags: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Flags of the vertices averaged over their surroundings, f32 (V,): specks vanish."""
    corners, neighbours = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    values = flags.astype(np.float64)
    degree = np.maximum(np.bincount(corners, minlength=len(values)), 1)
    for _ in range(_SMOOTHING_ROUNDS):
        around = np.bincount(corners, values[neighbours], minlength=len(values)) / degree
        values = 0.5 * (values + around)
    return values.astype(np.float32)


def _edges(hits: _Hits, shape: tuple[int, int], extent: float) -> np.ndarray:
    """Pixels, bool of the shape, that differ more from a neighbour than a smooth surface does."""
    depth = np.full(shape, np.inf, np.float32)
    depth.ravel()[hits.is_hit] = hits.distances
    normal = np.zeros((*shape, 3), np.float32)
    normal.reshape(-1, 3)[hits.is_hit] = hits.normals
    depth = np.where(np.isfinite(depth), depth, 1e6)
    edges = np.zeros(shape, bool)
    for axis in (0, 1):
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        first, second = tuple(first), tuple(second)
        jump = np.abs(depth[first] - depth[second]) > 0.03 * extent
        bend = (normal[first] * normal[second]).sum(-1) < 0.8
        both = depth[first] < 1e5
        differs = jump | (bend & both)
        edges[first] |= differs
        edges[second] |= differs
    return edges


def _sphere_points(count: int) -> np.ndarray:
    """Evenly spread unit vectors f32 (count, 3): the Fibonacci lattice."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1).astype(np.float32)
