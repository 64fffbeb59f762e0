# SPDX-License-Identifier: Apache-2.0
"""Renders the frames of examples/table: colour, depth, labels, camera and poses.

    python examples/render_table.py [--samples 48] [--out examples/table]

Everything in the pictures is made here: procedural shapes, procedural paint, our path tracer and a
model of a stereo camera. About five minutes on one core with the default samples. Needs no extra.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import yaml
from path_tracer import radiance
from PIL import Image, ImageColor
from table_paint import fractal_noise
from table_scene import SEED, THINGS, TableScene

from recon_node.engines.camera import Camera
from recon_node.engines.srgb import to_srgb
from recon_node.engines.transforms import look_at

WIDTH, HEIGHT = 640, 480
FOCAL = 0.5 * WIDTH / np.tan(np.radians(30.0))  # 60 degrees wide [px]
TARGET = np.array([0.03, 0.01, 0.03])  # [m]
# Azimuth from the table's front [deg], elevation [deg], distance [m].
VIEWPOINTS = ((-6.0, 35.0, 0.70), (34.0, 37.0, 0.72), (-42.0, 33.0, 0.74))
BASELINE = 0.05  # of the stereo pair [m]
EXPOSURE = 0.9
COLOURS = ("#000000", "#e65046", "#4696dc", "#5abe6e", "#f0b43c", "#aa6ed2", "#3cbebe")  # of labels


def main() -> None:
    """Writes the frames."""
    parser = argparse.ArgumentParser(description="Renders the frames of examples/table.")
    parser.add_argument("--samples", type=int, default=48, help="paths a pixel")
    parser.add_argument("--frames", type=int, default=len(VIEWPOINTS), help="how many to render")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "table")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    scene = TableScene()
    K = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    poses = {}
    for number, viewpoint in enumerate(VIEWPOINTS[: args.frames], 1):
        name = f"frame_{number}"
        rng = np.random.default_rng([SEED, 1000 + number])
        camera = Camera(K, WIDTH, HEIGHT, _T_world_camera(*viewpoint))
        poses[name] = camera.T_world_camera.round(9).tolist()
        image = photograph(scene, camera, args.samples, rng)
        Image.fromarray(image).save(args.out / f"{name}.jpg", quality=93, subsampling=0)
        depth, labels = geometry(scene, camera)
        stored = Image.fromarray(labels, mode="P")
        stored.putpalette([v for colour in COLOURS for v in ImageColor.getrgb(colour)])
        stored.save(args.out / f"{name}_mask.png", optimize=True)
        millimetres = np.nan_to_num(1000 * stereo_depth(depth, rng)).round()
        Image.fromarray(millimetres.astype(np.uint16)).save(args.out / f"{name}_depth.png")
        print(f"{name}: {', '.join(_seen(labels))}")
    (args.out / "camera.yaml").write_text(_camera_info(K))
    document = {
        "frame": "world: z up, origin in the middle of the table's top [m]",
        "labels": {thing.name: number for number, thing in enumerate(THINGS, 1)},
        "T_world_camera": poses,
    }
    (args.out / "poses.json").write_text(json.dumps(document, indent=1) + "\n")
    (args.out / "three_views.json").write_text(three_views(K, poses))


def three_views(K: np.ndarray, poses: dict[str, list]) -> str:
    """All frames with their cameras, in the format of `recon reconstruct --cameras`."""
    shared = {"width": WIDTH, "height": HEIGHT, "K": K.round(6).tolist(), "depth_unit_m": 0.001}
    frames = [
        {
            "image": f"{name}.jpg",
            "mask": f"{name}_mask.png",
            "depth": f"{name}_depth.png",
            "T_world_camera": T_world_camera,
        }
        for name, T_world_camera in poses.items()
    ]
    return json.dumps(shared | {"frames": frames}, indent=1) + "\n"


def photograph(
    scene: TableScene, camera: Camera, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """The camera's picture, sRGB u8 (H, W, 3): traced light, soft shoulder, sensor noise."""
    side = int(np.ceil(np.sqrt(samples)))
    grid = camera.pixel_grid().reshape(-1, 2)
    R, eye = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    light = np.zeros((len(grid), 3), np.float32)
    for index in range(samples):
        cell = np.array([index % side, index // side])
        pixels = grid - 0.5 + (cell + rng.random(grid.shape)) / (side, np.ceil(samples / side))
        directions = (camera.rays(pixels) @ R.T).astype(np.float32)
        origins = np.broadcast_to(eye.astype(np.float32), directions.shape)
        # A path that met the window by chance would stay a white dot in the mean.
        light += np.minimum(radiance(scene, origins, directions, rng), 4.0)
    light = EXPOSURE * light.reshape(HEIGHT, WIDTH, 3) / samples
    light += rng.standard_normal(light.shape, np.float32) * np.sqrt(4e-6 + 6e-5 * light)
    return to_srgb(1 - np.exp(-np.maximum(light, 0) * 1.35))


def geometry(scene: TableScene, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """True depth along z [m], f32 (H, W), and labels u8 (H, W), through the pixels' centres."""
    R, eye = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    rays = camera.rays(camera.pixel_grid().reshape(-1, 2))
    directions = (rays @ R.T).astype(np.float32)
    origins = np.broadcast_to(eye.astype(np.float32), directions.shape)
    hits = scene.caster.cast(origins, directions)
    is_hit = hits.faces >= 0
    room, _ = scene.room(origins, directions)
    distance = np.where(is_hit, hits.distances, room)
    labels = np.where(is_hit, scene.face_objects[hits.faces], 0)
    shape = (HEIGHT, WIDTH)
    depth = (distance * rays[:, 2]).astype(np.float32).reshape(shape)
    return depth, labels.astype(np.uint8).reshape(shape)


def stereo_depth(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a stereo camera measures of the true depth [m], NaN where it finds no match.

    Disparity is smoothed over the matching window, disturbed by 0.05 px that vary over 6 px and
    0.03 px of white noise, and rounded to 1/16 px. Holes: what the other camera cannot see, steep
    surfaces, too far, and patches without texture.
    """
    disparity = FOCAL * BASELINE / depth
    smooth = _box_mean(disparity)
    columns = np.arange(WIDTH)[None] - disparity
    ahead = np.minimum.accumulate(columns[:, ::-1], axis=1)[:, ::-1]
    hidden = np.zeros(depth.shape, bool)
    hidden[:, :-1] = ahead[:, 1:] < columns[:, :-1] - 0.5
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    seed = int(rng.integers(1 << 20))
    wobble = fractal_noise(pixels / 6.0, seed, 2).reshape(depth.shape)
    patches = fractal_noise(pixels / 14.0, seed + 7, 3).reshape(depth.shape)
    noisy = smooth + 0.05 * wobble + 0.03 * rng.standard_normal(depth.shape)
    measured = FOCAL * BASELINE / (np.round(16 * noisy) / 16)
    steep = np.hypot(*np.gradient(smooth)) > 1.2
    measured[hidden | (steep & (rng.random(depth.shape) < 0.7))] = np.nan
    measured[(patches > 1.0) | (depth > 3.0)] = np.nan
    return measured


def _box_mean(values: np.ndarray) -> np.ndarray:
    """Mean over 3 x 3 pixels."""
    wide = np.pad(values, 1, mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9


def _T_world_camera(azimuth: float, elevation: float, distance: float) -> np.ndarray:
    a, e = np.radians([azimuth, elevation])
    direction = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    return look_at(TARGET + distance * direction, TARGET, np.array([0.0, 0.0, 1.0]))


def _camera_info(K: np.ndarray) -> str:
    fields = {
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "camera_name": "table",
        "camera_matrix": {"rows": 3, "cols": 3, "data": K.ravel().round(6).tolist()},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
    }
    return yaml.safe_dump(fields, sort_keys=False, default_flow_style=None)


def _seen(labels: np.ndarray) -> list[str]:
    return [f"{t.name} {np.count_nonzero(labels == n)} px" for n, t in enumerate(THINGS, 1)]


if __name__ == "__main__":
    main()
