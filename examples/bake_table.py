# SPDX-License-Identifier: Apache-2.0
"""Bakes the table scene for the synthetic camera: colour = albedo times path-traced irradiance.

    python examples/bake_table.py [--samples 192] [--out recon_node/data/table_scene.npz]

Paint is stored finely, light is traced on a coarser grid and interpolated. Needs no extra.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from path_tracer import irradiance, radiance
from PIL import Image
from render_table import EXPOSURE
from table_paint import plank_albedo
from table_scene import FLOOR, SEED, TABLE_SIZE, WALL, TableScene

from recon_node.baked_scene import TABLE_FILE
from recon_node.engines.srgb import to_srgb
from recon_node.kernels.ray_cast import SurfaceHits

_PAINT_STEP, _LIGHT_STEP = 0.001, 0.004  # on the objects [m]
_TEXEL, _LIGHT_TEXEL = 0.0015, 0.005  # on the table's top [m]
_ROOM_TEXEL, _ROOM_REACH = 0.1, 8.0  # of floor and wall [m]
_PAINT_SAMPLES = 4  # of the paint around each of its points
_METAL_SHADE = 0.55  # metal mirrors the dim room, which colours that stay put can only hint at
_INSET = 0.04  # light is traced this share of a patch inside its borders: corners touch things


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description="Bakes the scene of the synthetic camera.")
    parser.add_argument("--samples", type=int, default=192, help="paths a point of the light grid")
    parser.add_argument("--out", type=Path, default=TABLE_FILE)
    args = parser.parse_args()
    scene, rng = TableScene(), np.random.default_rng([SEED, 2000])
    arrays = bake_objects(scene, args.samples, rng)
    textures = [bake_table_top(scene, args.samples, rng), *bake_room(scene, rng)]
    arrays |= {f"texture_{k}": jpeg(texture) for k, texture in enumerate(textures)}
    x, y, z = np.eye(3)
    arrays["planes"] = np.stack(
        [
            [[*-0.5 * TABLE_SIZE[:2], 0], x, y, [_TEXEL, 1, 0]],
            [[-_ROOM_REACH, -_ROOM_REACH, FLOOR], x, y, [_ROOM_TEXEL, 0, 0]],
            [[-_ROOM_REACH, WALL, -_ROOM_REACH], x, z, [_ROOM_TEXEL, 0, 0]],
        ]
    ).astype(np.float64)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


def bake_objects(
    scene: TableScene, samples: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Triangles of the things and their patches of colours, as `BakedScene` takes them."""
    chosen = np.flatnonzero(scene.face_objects > 0)
    corners = scene.vertices[scene.faces[chosen]]
    # The first edge becomes the longest, so that a patch is as regular as it can be.
    lengths = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
    order = (lengths.argmax(1)[:, None] + np.arange(3)) % 3
    corners = np.take_along_axis(corners, order[..., None], 1)
    base = lengths.max(1)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    heights = np.linalg.norm(areas, axis=1) / base
    fine = np.stack([heights, base], 1) / _PAINT_STEP
    coarse = np.stack([heights, base], 1) / _LIGHT_STEP
    fine, coarse = (np.maximum(np.ceil(s), 1).astype(int) + 1 for s in (fine, coarse))

    faces, s, t = patch_grid(coarse)
    inner_s, inner_t = (_INSET + (1 - 2 * _INSET) * v for v in (s, t))
    points, normals, _ = shade(scene, corners, chosen, order, faces, inner_s, inner_t)
    light = traced_light(scene, points, normals, samples, rng)
    light = shared_light(place(corners, faces, s, t), normals, light)

    faces, s, t = patch_grid(fine)
    albedo = np.zeros((len(faces), 3))
    for _ in range(_PAINT_SAMPLES):
        near = [
            np.clip(v + rng.uniform(-0.5, 0.5, len(v)) / (count[faces] - 1), 0, 1)
            for v, count in ((s, fine[:, 1]), (t, fine[:, 0]))
        ]
        albedo += shade(scene, corners, chosen, order, faces, *near)[2] / _PAINT_SAMPLES
    colors = develop(albedo * interpolated(light, coarse, faces, s, t))
    used, new_faces = np.unique(
        np.take_along_axis(scene.faces[chosen], order, 1), return_inverse=True
    )
    return {
        "vertices": scene.vertices[used].astype(np.float32),
        "faces": new_faces.reshape(-1, 3).astype(np.uint16),
        "face_labels": scene.face_objects[chosen].astype(np.uint8),
        "patch_shapes": fine.astype(np.uint16),
        "patch_colors": colors,
    }


def patch_grid(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Face (N,), s (N,) and t (N,) of every point of the patches with those rows and columns."""
    counts = shapes.prod(1)
    faces = np.repeat(np.arange(len(shapes)), counts)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows, columns = shapes[faces].T
    return faces, (number % columns) / (columns - 1), (number // columns) / (rows - 1)


def barycentric(s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Weights (N, 3) of the corners at points of a patch."""
    return np.stack([(1 - t) * (1 - s), (1 - t) * s, t], axis=1)


def place(corners: np.ndarray, faces: np.ndarray, s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points (N, 3) [m, world]."""
    return np.einsum("nk,nkc->nc", barycentric(s, t), corners[faces])


def shade(scene, corners, chosen, order, faces, s, t):
    """Points, unit normals and albedo, each (N, 3), of points of the patches."""
    points = place(corners, faces, s, t)
    weights = np.zeros((len(faces), 3))
    np.put_along_axis(weights, order[faces], barycentric(s, t), 1)
    hits = SurfaceHits(np.zeros(len(faces)), chosen[faces], weights.astype(np.float32))
    normals, coat = scene.shading(points, hits)
    return points, normals, coat.albedo * (1 - _METAL_SHADE * coat.metal)[:, None]


def traced_light(
    scene: TableScene,
    points: np.ndarray,
    normals: np.ndarray,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mean irradiance over pi at the points, f32 (N, 3)."""
    light = np.zeros(points.shape, np.float32)
    for _ in range(samples):
        light += np.minimum(irradiance(scene, points, normals, rng), 6.0)
    return light / samples


def shared_light(points: np.ndarray, normals: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The light averaged over grid points of neighbouring patches at one place and normal."""
    key = np.concatenate([np.round(points / 2e-4), np.round(normals * 3)], axis=1)
    _, group, counts = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    sums = np.stack([np.bincount(group, light[:, c]) for c in range(3)], axis=1)
    return (sums / counts[:, None])[group].astype(np.float32)


def interpolated(
    light: np.ndarray, shapes: np.ndarray, faces: np.ndarray, s: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """Light (N, 3), bilinear on the coarse patches, at finer points."""
    rows, columns = shapes[faces].T
    row, column = t * (rows - 1), s * (columns - 1)
    top, left = np.minimum(row.astype(int), rows - 2), np.minimum(column.astype(int), columns - 2)
    down, right = (row - top)[:, None], (column - left)[:, None]
    counts = shapes.prod(1)
    start = (np.cumsum(counts) - counts)[faces] + top * columns + left
    upper = (1 - right) * light[start] + right * light[start + 1]
    lower = (1 - right) * light[start + columns] + right * light[start + columns + 1]
    return (1 - down) * upper + down * lower


def bake_table_top(scene: TableScene, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Colours of the table's top, u8 (rows along y, columns along x, 3)."""
    x, y = (np.arange(0, size, _LIGHT_TEXEL) + 0.5 * _LIGHT_TEXEL for size in TABLE_SIZE[:2])
    points = grid_points(x, y) - [*0.5 * TABLE_SIZE[:2], 0]
    normals = np.broadcast_to(np.float32([0, 0, 1]), points.shape)
    light = traced_light(scene, points, normals, samples, rng).reshape(len(y), len(x), 3)
    step = 0.5 * _TEXEL  # two by two points a texel
    x, y = (np.arange(2 * round(size / _TEXEL)) * step + 0.5 * step for size in TABLE_SIZE[:2])
    layers = [Image.fromarray(np.ascontiguousarray(light[..., c])) for c in range(3)]
    size = (len(x) // 2, len(y) // 2)
    light = np.stack([layer.resize(size, Image.Resampling.BICUBIC) for layer in layers], axis=-1)
    albedo = plank_albedo(grid_points(x, y)).reshape(size[1], 2, size[0], 2, 3).mean((1, 3))
    return develop(albedo * np.maximum(light, 0))


def bake_room(scene: TableScene, rng: np.random.Generator) -> list[np.ndarray]:
    """Colours of floor and wall, u8 (S, S, 3) each; the wall's first row is the lowest."""
    along = np.arange(-_ROOM_REACH, _ROOM_REACH, _ROOM_TEXEL) + 0.5 * _ROOM_TEXEL
    u, v = (axis.ravel() for axis in np.meshgrid(along, along))
    sides = {
        (0.0, 0.0, -1.0): np.stack([u, v, np.full_like(u, FLOOR)], axis=1),
        (0.0, 1.0, 0.0): np.stack([u, np.full_like(u, WALL), v], axis=1),
    }
    colors = []
    for inward, points in sides.items():
        directions = np.broadcast_to(np.float32(inward), points.shape)
        origins = (points - 0.01 * directions).astype(np.float32)
        light = radiance(scene, origins, directions, rng, sees_window=False)
        colors.append(develop(light).reshape(len(along), len(along), 3))
    return colors


def grid_points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points (rows times columns, 3) of a grid in the plane z = 0."""
    u, v = np.meshgrid(x, y)
    return np.stack([u, v, np.zeros_like(u)], -1).reshape(-1, 3)


def develop(light: np.ndarray) -> np.ndarray:
    """The camera's sRGB, u8, of linear light."""
    return to_srgb(1 - np.exp(-EXPOSURE * 1.35 * np.maximum(light, 0)))


def jpeg(texture: np.ndarray) -> np.ndarray:
    """Bytes of the texture as a JPEG, u8 (N,)."""
    stream = io.BytesIO()
    Image.fromarray(texture).save(stream, "JPEG", quality=90, subsampling=0)
    return np.frombuffer(stream.getvalue(), np.uint8)


if __name__ == "__main__":
    main()
