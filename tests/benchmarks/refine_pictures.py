# SPDX-License-Identifier: Apache-2.0
"""The objects that refinement did worst on: truth beside what each method made of the same views.

    refine_pictures.py --views 4 --condition sensor --out docs/figures/refine_worst.png
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from refine_objects import object_makers
from refine_quality import JSON_FILES, mesh_path

from recon_node.engines.mesh import Mesh
from recon_node.engines.mesh_picture import MeshPicture, Viewpoint
from recon_node.engines.transforms import look_at, transform_points
from recon_node.evaluation.keyframe_sets import KeyframeScene
from recon_node.evaluation.sensor_faults import CONDITIONS

METHODS = ("instant", "tsdf", "recon")
TILE, TEXT_HEIGHT = 180, 18  # [px]
MARGIN = 1.3  # width of a picture / diameter of the true object
BEHIND = 150.0  # azimuth from the middle of the arc to the second viewpoint [degree]
BACKGROUND = (245, 245, 245)


def main() -> None:
    """Draw one line an object, worst first."""
    arguments = _arguments()
    rows = json.loads(JSON_FILES[arguments.source].read_text())["rows"]
    wanted = [
        row
        for row in rows
        if (row["views"], row["condition"]) == (arguments.views, arguments.condition)
    ]
    scores = {(row["object"], row["method"]): row["scores"] for row in wanted if "scores" in row}
    ranked = sorted(
        (name for name, method in scores if method == arguments.rank_by),
        key=lambda name: -scores[name, arguments.rank_by]["chamfer_rel"],
    )[: arguments.count]
    makers = object_makers(arguments.source)
    lines = []
    for name in ranked:
        made = {method: scores.get((name, method)) for method in METHODS}
        lines.append(_line(makers[name]().scene, arguments.views, arguments.condition, made))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(lines)).save(arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=tuple(JSON_FILES), default="eval")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--condition", choices=tuple(CONDITIONS), default="sensor")
    parser.add_argument("--rank-by", choices=METHODS, default="recon")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _line(
    scene: KeyframeScene, views: int, condition: str, scores: dict[str, dict | None]
) -> np.ndarray:
    """One object: its keyframes, then truth and methods from before and from behind."""
    keyframes = scene.keyframes(views, CONDITIONS[condition])
    eyes = np.stack([pose[:3, 3] for pose in keyframes.true_poses])
    viewpoints = [_viewpoint(scene.mesh, eyes, turn) for turn in (0.0, BEHIND)]
    tiles = [_keyframe_tile(keyframes.views[index].image) for index in (0, -1)]
    captions = [scene.name, f"{views} views, {condition}"]
    for label, mesh in [("truth", scene.mesh)] + [
        (method, _kept((scene.name, views, condition, method))) for method in METHODS
    ]:
        for index, viewpoint in enumerate(viewpoints):
            tiles.append(_drawn(mesh, viewpoint))
            captions.append(_caption(label, scores.get(label)) if index == 0 else "from behind")
    sheet = Image.new("RGB", (TILE * len(tiles), TILE + TEXT_HEIGHT), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for column, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        sheet.paste(Image.fromarray(tile), (column * TILE, TEXT_HEIGHT))
        pen.text((column * TILE + 4, 3), caption, fill="black")
    return np.asarray(sheet)


def _caption(label: str, scores: dict | None) -> str:
    if scores is None:
        return label
    return f"{label}: {scores['chamfer_rel']:.1%}, F {scores['fscore_5pct']:.2f}"


def _kept(key: tuple[str, int, str, str]) -> Mesh | None:
    path = mesh_path(key)
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        return Mesh(**{name: arrays[name] for name in arrays.files})


def _viewpoint(mesh: Mesh, eyes: np.ndarray, turn: float) -> Viewpoint:
    """From the mean of the keyframes' places, turned about the vertical through the object."""
    used = mesh.vertices[mesh.faces].reshape(-1, 3).astype(np.float64)
    low, high = used.min(axis=0), used.max(axis=0)
    centre = 0.5 * (low + high)
    angle = np.deg2rad(turn)
    R = np.eye(4)
    R[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    away = eyes.mean(axis=0) - centre
    away *= np.linalg.norm(eyes - centre, axis=1).mean() / np.linalg.norm(away)
    eye = centre + transform_points(R, away[None])[0]
    diameter = float(np.linalg.norm(high - low))
    tan_half_fov = 0.5 * MARGIN * diameter / float(np.linalg.norm(away))
    return Viewpoint(look_at(eye, centre, (0.0, 0.0, 1.0)), tan_half_fov)


def _keyframe_tile(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BOX))


def _drawn(mesh: Mesh | None, viewpoint: Viewpoint) -> np.ndarray:
    """A mesh before the background, u8 (TILE, TILE, 3); the background alone without a mesh."""
    blank = np.full((TILE, TILE, 3), BACKGROUND, np.uint8)
    if mesh is None:
        return blank
    rendered = MeshPicture(mesh, with_seam=False).draw(viewpoint, TILE)
    coverage = rendered[..., 3:] / np.float32(255)
    return (coverage * rendered[..., :3] + (1 - coverage) * blank).astype(np.uint8)


if __name__ == "__main__":
    main()
