# SPDX-License-Identifier: Apache-2.0
"""Image to mesh on the example frames: time of each stage, load time, memory, queries.

`make bench` runs it; it prints tables and writes docs/benchmarks/instant.json. Each engine runs in
a process of its own on the first two cores, so that its memory is its own and machines compare.
"""

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from run_record import ROOT, run_record

RUNS = (("compact", "onnxruntime"), ("compact", "torch"), ("hull", "onnxruntime"))
CORES = 2
DENSE_VIEWS = 3  # of the example views; two million samples each take seconds


def example_views() -> list:
    """The eighteen objects of the example frames, with depth, then the same without."""
    from recon_node.scene_files import find_scenes, read_objects

    scenes = find_scenes(ROOT / "examples" / "table")
    views = [found.view for scene in scenes for found in read_objects(scene)]
    return views + [dataclasses.replace(view, depth=None) for view in views]


def measure(engine: str, backend: str) -> dict:
    """Figures of one engine in this process: milliseconds, and MiB at the peak."""
    start = time.perf_counter()
    from recon_node.engines import load_engine

    loaded = load_engine(engine, backend=backend)
    load_ms = _since(start)
    views = example_views()
    start = time.perf_counter()
    loaded.reconstruct(views[:1])
    first_ms = _since(start)
    results = [loaded.reconstruct([view]) for view in views]
    stages = {}
    for name in (name for name in results[0].metrics if name.endswith("_s")):
        values = [1000 * result.metrics[name] for result in results]
        stages[name.removesuffix("_s")] = {
            "median_ms": float(np.median(values)),
            "p90_ms": float(np.percentile(values, 90)),
        }
    return {
        "engine": engine,
        "backend": backend,
        "views": len(views),
        "load_ms": load_ms,
        "first_ms": first_ms,
        "stages": stages,
        "vertices_median": float(np.median([len(r.mesh.vertices) for r in results])),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def cold_start() -> dict:
    """Loading the compact engine while Warp's cache is empty, as once on every machine."""
    start = time.perf_counter()
    from recon_node.engines import load_engine

    load_engine("compact")
    return {"load_ms": _since(start)}


def extraction() -> dict:
    """What finding the surface costs, and what asking the field at every sample would cost."""
    from recon_node.engines.backends.backend import load_backend
    from recon_node.engines.crop import crop_view
    from recon_node.engines.isosurface import extract_isosurface
    from recon_node.engines.lrm.engine import LIPSCHITZ, RESOLUTION
    from recon_node.engines.lrm.field import CompactField, network_input
    from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY
    from recon_node.kernels.marching_cubes import marching_cubes

    encoder, decoder = (
        load_backend("onnxruntime", network, WEIGHTS_DIRECTORY) for network in (ENCODER, DECODER)
    )
    axis = np.linspace(-1, 1, RESOLUTION + 1, dtype=np.float32)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    shares, sparse_ms, dense_ms = [], [], []
    for index, view in enumerate(example_views()):
        inputs = network_input(crop_view(view))
        field = CompactField(decoder, inputs, encoder.run(inputs))
        start = time.perf_counter()
        surface = extract_isosurface(field.sdf, resolution=RESOLUTION, lipschitz=LIPSCHITZ)
        sparse_ms.append(_since(start))
        shares.append(surface.query_count / lattice[..., 0].size)
        if index < DENSE_VIEWS:
            start = time.perf_counter()
            marching_cubes(field.sdf(lattice.reshape(-1, 3)).reshape(lattice.shape[:3]))
            dense_ms.append(_since(start))
    return {
        "resolution": RESOLUTION,
        "query_share_median": float(np.median(shares)),
        "query_share_max": float(max(shares)),
        "sparse_ms": sparse_ms[:DENSE_VIEWS],
        "dense_ms": dense_ms,
    }


def _since(start: float) -> float:
    return 1000 * (time.perf_counter() - start)


def in_own_process(*arguments: str, **environment: str) -> dict:
    """What this script measures for the arguments; an error is a figure too."""
    command = [sys.executable, __file__, *arguments]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}
    )
    if run.returncode:
        return {"arguments": arguments, "error": run.stderr.strip().splitlines()[-1]}
    return json.loads(run.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures everything, prints tables and writes the JSON file."""
    report = {
        **run_record(),
        "cores": min(CORES, len(os.sched_getaffinity(0))),
        "engines": [in_own_process("engine", *run) for run in RUNS],
        "extraction": in_own_process("extraction"),
    }
    with tempfile.TemporaryDirectory() as cache:
        report["cold_start"] = in_own_process("cold", WARP_CACHE_PATH=cache)
    target = ROOT / "docs" / "benchmarks" / "instant.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {target.relative_to(ROOT)}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['hardware']}, {report['cores']} cores; median / p90 [ms]")
    stages = ("crop", "backend", "surface", "colour", "total")
    for heading in ("engine", "backend", *stages, "load", "first", "peak [MiB]"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for row in report["engines"]:
        if "error" in row:
            table.add_row(*row["arguments"][1:], row["error"])
            continue
        found = [row["stages"].get(name) for name in stages]
        times = (f"{s['median_ms']:.0f} / {s['p90_ms']:.0f}" if s else "" for s in found)
        rest = (f"{row[k]:.0f}" for k in ("load_ms", "first_ms", "peak_memory_mib"))
        table.add_row(row["engine"], row["backend"], *times, *rest)
    console = Console(width=140)
    console.print(table)
    console.print("extraction", report["extraction"])
    console.print("load with an empty kernel cache", report["cold_start"])


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        measures = {"engine": measure, "extraction": extraction, "cold": cold_start}
        print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
