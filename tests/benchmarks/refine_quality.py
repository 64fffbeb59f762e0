# SPDX-License-Identifier: Apache-2.0
"""Refinement beside the instant mesh, TSDF fusion and a NeRF: object by object, row by row.

    refine_quality.py --source eval --minutes 60       # rows that are done are not run again
    refine_quality.py --tables                          # only print what there is
    refine_quality.py --redo recon recon_no_pose        # forget the rows of a method first

Every row is one single-threaded process's work; two run at once. Rows go to
docs/benchmarks/refine_quality.json (source `eval`) or out/refine_tuning.json (source `tuning`),
meshes to out/refine_quality/, from where refine_pictures.py draws the worst ones.
"""

import argparse
import functools
import json
import multiprocessing
import os
import time
import zlib
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
from run_record import ROOT, run_record

METHOD_NAMES = ("instant", "tsdf", "nerf", "recon", "recon_no_pose")
CONDITION_NAMES = ("perfect", "pose", "sensor")
VIEW_COUNTS = (2, 4, 8)
JSON_FILES = {
    "eval": ROOT / "docs/benchmarks/refine_quality.json",
    "tuning": ROOT / "out/refine_tuning.json",
}
MESHES = ROOT / "out/refine_quality"
PARALLEL = 2
Key = tuple[str, int, str, str]  # object, views, condition, method


def main() -> None:
    """Run what is missing within the time limit, then print the tables."""
    arguments = _arguments()
    path = JSON_FILES[arguments.source]
    record = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = {_key(row): row for row in record["rows"] if row["method"] not in arguments.redo}
    if not arguments.tables:
        _run(arguments, rows, path)
    # It reads evaluation's and training's code, which the tables do without.
    from refine_tables import print_tables

    print_tables(list(rows.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=tuple(JSON_FILES), default="eval")
    parser.add_argument("--methods", nargs="+", choices=METHOD_NAMES, default=METHOD_NAMES)
    parser.add_argument("--views", nargs="+", type=int, default=VIEW_COUNTS)
    parser.add_argument(
        "--conditions", nargs="+", choices=CONDITION_NAMES, default=CONDITION_NAMES
    )
    parser.add_argument("--objects", nargs="+", help="names; all of the source without")
    parser.add_argument("--budget", type=float, default=60.0, help="of a refinement [s]")
    parser.add_argument("--steps", type=int, default=0, help="of recon, in place of the budget")
    parser.add_argument("--minutes", type=float, default=600.0, help="start no row after these")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help="processes at once")
    parser.add_argument("--redo", nargs="+", choices=METHOD_NAMES, default=())
    parser.add_argument("--tables", action="store_true", help="run nothing")
    return parser.parse_args()


def _run(arguments: argparse.Namespace, rows: dict[Key, dict], path: Path) -> None:
    """Add the missing rows to `rows` and to the file, each as soon as it is there."""
    names = arguments.objects or _object_names(arguments.source)
    # Objects come first, so that a run cut short has the same objects under all conditions.
    wanted = product(names, arguments.conditions, arguments.views, arguments.methods)
    keys = [(name, views, condition, method) for name, condition, views, method in wanted]
    missing = [key for key in keys if key not in rows]
    print(f"{len(keys) - len(missing)} rows are there, {len(missing)} to do", flush=True)
    limit = (arguments.budget, arguments.steps)
    deadline = time.monotonic() + 60.0 * arguments.minutes
    context = multiprocessing.get_context("spawn")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    with ProcessPoolExecutor(arguments.parallel, mp_context=context) as pool:
        waiting: set[Future] = set()
        while (missing and time.monotonic() < deadline) or waiting:
            while missing and len(waiting) < arguments.parallel and time.monotonic() < deadline:
                key = missing.pop(0)
                waiting.add(pool.submit(make_row, arguments.source, key, limit))
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                row = future.result()
                rows[_key(row)] = row
                _write(path, list(rows.values()), arguments)
                print(_line(row), flush=True)


def make_row(source: str, key: Key, limit: tuple[float, int]) -> dict:
    """One method on one set of keyframes, scored; runs in a process of its own."""
    from refine_methods import METHODS, Limit

    from recon_node.engines.errors import ReconstructionError
    from recon_node.evaluation.refinement_scores import score_refinement
    from recon_node.evaluation.sensor_faults import CONDITIONS

    name, views, condition, method = key
    scene, truth = _scene(source, name)
    keyframes = scene.keyframes(views, CONDITIONS[condition])
    row = dict(zip(("object", "views", "condition", "method"), key, strict=True))
    row["commit"] = run_record()["commit"]
    if method in ("nerf", "recon", "recon_no_pose"):
        by_steps = limit[1] > 0 and method != "nerf"
        row["limit"] = f"{limit[1]} steps" if by_steps else f"{limit[0]:g} s"
    start, cpu_start = time.perf_counter(), time.process_time()
    try:
        answer = METHODS[method](keyframes.views, Limit(*limit))
    except ReconstructionError as error:  # a failure of a method is a result, and a bad one
        return row | {"error": f"{type(error).__name__}: {error}"}
    row["seconds"] = round(time.perf_counter() - start, 2)
    row["cpu_seconds"] = round(time.process_time() - cpu_start, 2)
    cameras = [shot.camera for shot in scene.shots(views)]
    scores = score_refinement(answer.mesh, truth(cameras), render=answer.render)
    _keep_mesh(key, answer.mesh)
    return row | answer.notes | {"scores": _rounded(asdict(scores))}


@functools.lru_cache(maxsize=1)
def _scene(source: str, name: str):
    """The scene of an object and what makes its truth for a set of cameras."""
    from refine_objects import object_makers

    from recon_node.evaluation.refinement_scores import RefinementTruth

    made = object_makers(source)[name]()
    scene = made.scene
    held_out = scene.held_out()

    def truth(cameras):
        return RefinementTruth(
            T_world_object=scene.T_world_object,
            longest=scene.longest,
            mesh=scene.mesh,
            surface=made.surface,
            occupancy=made.occupancy,
            cameras=cameras,
            held_out=held_out,
        )

    return scene, truth


def _object_names(source: str) -> list[str]:
    from refine_objects import object_makers

    # By hash, so that a run cut short has not seen the first letters of the alphabet alone.
    return sorted(object_makers(source), key=lambda name: zlib.crc32(name.encode()))


def _key(row: dict) -> Key:
    return row["object"], row["views"], row["condition"], row["method"]


def mesh_path(key: Key) -> Path:
    """Where the mesh of a row is kept, in the world [m]."""
    name, views, condition, method = key
    return MESHES / f"{name}-{views}-{condition}-{method}.npz"


def _keep_mesh(key: Key, mesh) -> None:
    MESHES.mkdir(parents=True, exist_ok=True)
    arrays = {"vertices": mesh.vertices, "faces": mesh.faces}
    if mesh.colors is not None:
        arrays["colors"] = mesh.colors
    np.savez_compressed(mesh_path(key), **arrays)


def _rounded(scores: dict) -> dict:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in scores.items()}


def _write(path: Path, rows: list[dict], arguments: argparse.Namespace) -> None:
    record = run_record() | {
        "note": (
            f"Each row is one single-threaded process, {arguments.parallel} at once on the "
            "cores named. A refinement's limit stands in its row: seconds of wall time (nerf: of "
            "CPU time), or steps. Meshes are scored where they stand in the world, nothing aligned."
        ),
        "source": arguments.source,
        "rows": sorted(rows, key=_key),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(path)


def _line(row: dict) -> str:
    head = f"{row['object']} {row['views']} {row['condition']} {row['method']}"
    if "error" in row:
        return f"{head}: {row['error']}"
    scores = row["scores"]
    return (
        f"{head}: Chamfer {100 * scores['chamfer_rel']:.2f} %, F2 {scores['fscore_2pct']:.3f}, "
        f"seen F2 {scores['seen_fscore_2pct']:.3f}, PSNR {scores['psnr']:.1f} dB, "
        f"{row['seconds']:.0f} s ({row['cpu_seconds']:.0f} CPU s)"
    )


if __name__ == "__main__":
    main()
