# SPDX-License-Identifier: Apache-2.0
"""Image to mesh on the example frames: time by stage, load time, peak memory, queries.

Run it with `make bench`; it prints a table and writes docs/benchmarks/instant.json. Each engine
runs in a process of its own, so that its memory is its own.
"""

import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = (("compact", "onnxruntime"), ("compact", "torch"), ("hull", "onnxruntime"))
DENSE_SAMPLES = 129**3


def example_views() -> list:
    """The eighteen objects of the example frames as views."""
    from recon_node.scene_files import find_scenes, read_objects

    scenes = find_scenes(ROOT / "examples" / "table")
    return [found.view for scene in scenes for found in read_objects(scene)]


def measure(engine: str, backend: str) -> dict:
    """Figures of one engine in this process, seconds and bytes."""
    start = time.perf_counter()
    from recon_node.engines import load_engine

    loaded = load_engine(engine, backend=backend)
    load_s = time.perf_counter() - start
    views = example_views()
    start = time.perf_counter()
    loaded.reconstruct(views[:1])
    first_s = time.perf_counter() - start
    results = [loaded.reconstruct([view]) for view in views]
    stages = {
        name: statistics.median(result.metrics[name] for result in results)
        for name in results[0].metrics
        if name.endswith("_s")
    }
    totals = sorted(result.metrics["total_s"] for result in results)
    return {
        "engine": engine,
        "backend": backend,
        "objects": len(views),
        "load_s": load_s,
        "first_s": first_s,
        "median_s": statistics.median(totals),
        "p90_s": totals[int(0.9 * (len(totals) - 1))],
        "stages_median_s": stages,
        "vertices_median": statistics.median(len(r.mesh.vertices) for r in results),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0,
    }


def queries() -> dict:
    """Samples that the extraction asks of the network's field, against all of the lattice."""
    from recon_node.engines.crop import crop_view
    from recon_node.engines.isosurface import extract_isosurface
    from recon_node.engines.lrm.engine import LIPSCHITZ, RESOLUTION, CompactEngine
    from recon_node.engines.lrm.field import CompactField, network_input

    engine, shares = CompactEngine(), []
    for view in example_views():
        inputs = network_input(crop_view(view))
        field = CompactField(engine._decoder, inputs, engine._encoder.run(inputs))
        surface = extract_isosurface(field.sdf, resolution=RESOLUTION, lipschitz=LIPSCHITZ)
        shares.append(surface.query_count / DENSE_SAMPLES)
    return {"query_share_median": statistics.median(shares), "query_share_max": max(shares)}


def in_own_process(arguments: tuple[str, ...]) -> dict:
    """What this script prints for the arguments; an error is a figure too."""
    run = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    if run.returncode:
        return {"arguments": arguments, "error": run.stderr.strip().splitlines()[-1]}
    return json.loads(run.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures everything, prints a table and writes the JSON file."""
    from rich.console import Console
    from rich.table import Table

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT
    ).stdout.strip()
    report = {
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "hardware": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "engines": [in_own_process(run) for run in RUNS],
        "extraction": in_own_process(("queries",)),
    }
    target = ROOT / "docs" / "benchmarks" / "instant.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    table = Table("engine", "backend", "load", "first", "median", "p90", "peak memory")
    for row in report["engines"]:
        if "error" in row:
            table.add_row(*row["arguments"], row["error"])
            continue
        seconds = (f"{1000 * row[k]:.0f} ms" for k in ("load_s", "first_s", "median_s", "p90_s"))
        table.add_row(row["engine"], row["backend"], *seconds, f"{row['peak_memory_mb']:.0f} MB")
    console = Console()
    console.print(table)
    console.print(report["extraction"])
    console.print(f"written to {target.relative_to(ROOT)}")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((li.partition(": ")[2] for li in lines if li.startswith("model name")), "unknown")


if __name__ == "__main__":
    if sys.argv[1:] == ["queries"]:
        print(json.dumps(queries()))
    elif len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
