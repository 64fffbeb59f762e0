# SPDX-License-Identifier: Apache-2.0
"""TripoSR's network, image to coloured mesh: each stage, backend and precision, and the memory.

`make bench-lrm` runs it; it prints a table and writes docs/benchmarks/lrm.json. Every row is
measured in a process of its own, on the same weights: random ones of the published sizes that see
a bumpy ball (no download; 3.4 GB in a temporary folder while they are exported), or a checkpoint
that is given. The first row is the official algorithm, see `dense_baseline`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_instant
import numpy as np
from run_record import ROOT, run_record
from stage_clock import StageClock

ROWS = (("torch", "fp32", "cpu"), ("onnxruntime", "fp32", "cpu"), ("torch", "bf16", "cpu"))
GPU_ROWS = (("torch", "fp32", "cuda"), ("torch", "bf16", "cuda"))
BACKENDS = ("onnxruntime", "torch")
EMULATED_LIMIT = 180.0  # for a precision that the processor has no instructions for [s]
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of /proc/cpuinfo
PLANES, DENSE = "planes.npy", "dense.npz"  # what the baseline leaves for the extraction
METRICS = ("crop", "backend", "surface", "colour")  # of an engine's result, with _s
STAGES_OF_MODULES = {"ImageTokenizer": "image tokenizer", "Backbone": "backbone"}
RESOLUTION = 256  # samples a side of the grid, the official one
GEMM = (3072, 1024, 8192)  # the first map of a feed-forward layer
DECODER_GEMM = (8192, 64, 64)
GEMM_REPEATS = 10


def prepare(folder: str, weights: str) -> dict:
    """Exports the weights, or random ones where none are named; what torch has to run them."""
    import torch

    from recon_node.engines.backends.export_triposr import export_triposr
    from recon_node.engines.lrm.triposr.checkpoint import write_state
    from recon_node.engines.lrm.triposr.config import TripoSRConfig
    from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state

    clock = StageClock()
    path = Path(weights) if weights else Path(folder) / "random" / "random.safetensors"
    if not weights:
        with clock.stage("draw weights"):
            config = TripoSRConfig()
            state = random_state(config, torch.Generator().manual_seed(0))
            add_surface(state, config)
            write_state(state, path, {})
            del state
    with clock.stage("export"):
        export_triposr(path, _exported(folder))
    if not weights:
        path.unlink()
    return {"stages": clock.stages, "has_gpu": torch.cuda.is_available()}


def baseline(folder: str, repeats: str) -> dict:
    """Figures of the official algorithm."""
    clock = StageClock()
    with clock.stage("load"):
        from dense_baseline import dense_mesh

        from recon_node.engines.lrm.triposr.checkpoint import stored_model

        model = stored_model(_exported(folder))
    view = bench_instant.example_views()[0]
    runs = []
    for _ in range(int(repeats)):
        with clock.stage("total"):
            mesh, planes = dense_mesh(model, view, clock, resolution=RESOLUTION)
        runs.append(dict(clock.stages))
    projected = (model.decoder.columns() @ planes.flatten(2)).unflatten(2, planes.shape[2:])
    np.save(Path(folder) / PLANES, projected.detach().numpy())
    np.savez(Path(folder) / DENSE, vertices=mesh.vertices)
    return {
        "stages": _median(runs),
        "runs": runs,
        "queries": RESOLUTION**3 + len(mesh.vertices),
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
    }


def engine(folder: str, repeats: str, backend: str, precision: str, provider: str) -> dict:
    """Figures of the triposr engine; in torch also of the parts of its network."""
    clock = StageClock()
    with clock.stage("load"):
        from recon_node.engines import load_engine
        from recon_node.engines.backends.options import BackendOptions

        options = BackendOptions(precision=precision, provider=provider)
        weights = _exported(folder)
        loaded = load_engine("triposr", backend=backend, weights=weights, options=options)
    if backend == "torch":
        _time_modules(clock)
    view = bench_instant.example_views()[0]
    runs = []
    for _ in range(int(repeats)):
        with clock.stage("total"):
            result = loaded.reconstruct([view])
        seconds = {name: {"wall_s": result.metrics[f"{name}_s"]} for name in METRICS}
        runs.append(seconds | clock.stages)
    return {
        "stages": _median(runs),
        "runs": runs,
        "vertices": len(result.mesh.vertices),
        "faces": len(result.mesh.faces),
    }


def _time_modules(clock: StageClock) -> None:
    """Makes the parts of a network in torch stages of the clock."""
    from torch.nn.modules import module as hooks

    def before(module: object, _: object) -> None:
        if (name := type(module).__name__) in STAGES_OF_MODULES:
            clock.begin(STAGES_OF_MODULES[name])

    def after(module: object, *_: object) -> None:
        if type(module).__name__ in STAGES_OF_MODULES:
            clock.end()

    hooks.register_module_forward_pre_hook(before)
    hooks.register_module_forward_hook(after)


def extraction(folder: str, repeats: str) -> dict:
    """What the surface costs of the planes that the baseline left, and how far it is from its."""
    from scipy.spatial import cKDTree

    from recon_node.engines.backends.backend import load_backend
    from recon_node.engines.density_surface import extract_density_surface
    from recon_node.engines.lrm.triposr.networks import DECODER
    from recon_node.engines.triplane import TriplaneField

    planes = np.load(Path(folder) / PLANES)
    with np.load(Path(folder) / DENSE) as file:
        dense = file["vertices"]
    answer = {}
    for backend in BACKENDS:
        decoder = load_backend(backend, DECODER, _exported(folder))
        clock, runs = StageClock(), []
        for _ in range(int(repeats)):
            with clock.stage("surface"):
                field = TriplaneField(decoder, planes)
                surface = extract_density_surface(field, resolution=RESOLUTION, parity=True)
            with clock.stage("colours"):
                field.colours(surface.vertices)
            runs.append(dict(clock.stages))
        voxel = 2 * field.half_extent / (RESOLUTION - 1)
        pairs = ((dense, surface.vertices), (surface.vertices, dense))
        apart = max(float(cKDTree(a).query(b)[0].max()) for a, b in pairs)
        answer[backend] = {
            "stages": _median(runs),
            "queries": surface.query_count,
            "share_of_dense": surface.query_count / RESOLUTION**3,
            "vertices": len(surface.vertices),
            "vertices_of_dense": len(dense),
            "farthest_from_dense_voxels": apart / voxel,
        }
    return answer


def roofline(folder: str) -> dict:
    """How fast torch multiplies float32 matrices now, and what of that a mesh needs."""
    import torch

    from recon_node.engines.lrm.triposr.checkpoint import stored_model

    sizes = stored_model(_exported(folder)).config
    tflop = _encoder_tflop(sizes)
    answer = {"encoder_tflop": tflop, "dense_decoder_tflop": _decoder_tflop(sizes)}
    rng = torch.Generator().manual_seed(0)
    for name, (m, k, n) in (("large_gemm", GEMM), ("decoder_gemm", DECODER_GEMM)):
        a, b = torch.randn(m, k, generator=rng), torch.randn(k, n, generator=rng)
        times = []
        for _ in range(GEMM_REPEATS):
            start = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - start)
        answer[f"{name}_gflops"] = 2e-9 * m * k * n / float(np.median(times))
    return {**answer, "encoder_floor_s": 1000 * tflop / answer["large_gemm_gflops"]}


def _encoder_tflop(sizes: object) -> float:
    """Of the matrix products and the attention of one image; a multiply-add counts as two."""
    patches, width = sizes.image_grid**2, sizes.image_width
    tokens, hidden = patches + 1, sizes.image_hidden
    image = patches * 3 * sizes.patch_size**2 * width
    image += sizes.image_layers * tokens * width * (4 * width + 2 * hidden + 2 * tokens)
    count, c = 3 * sizes.plane_grid**2, sizes.width
    itself = 4 * count * c * c + 2 * count * count * c
    context = 2 * count * c * c + 2 * tokens * width * c + 2 * count * tokens * c
    block = itself + context + 12 * count * c * c
    planes = 2 * count * c * c + sizes.layers * block + 4 * count * c * sizes.plane_channels
    return 2e-12 * (image + planes)


def _decoder_tflop(sizes: object) -> float:
    """Of the decoder at every point of the official grid."""
    width = sizes.hidden_width
    point = (3 * sizes.plane_channels + (sizes.hidden_layers - 1) * width + 4) * width
    return 2e-12 * RESOLUTION**3 * point


def _exported(folder: str) -> Path:
    return Path(folder) / "exported"


def _median(runs: list[dict]) -> dict:
    """Of each stage: the median of each figure over the runs."""
    return {
        stage: {figure: float(np.median([run[stage][figure] for run in runs])) for figure in of}
        for stage, of in runs[0].items()
    }


MEASURES = {
    "prepare": prepare,
    "baseline": baseline,
    "engine": engine,
    "extraction": extraction,
    "roofline": roofline,
}


def in_own_process(*arguments: str, limit: float | None = None) -> dict:
    """What this script measures for the arguments; an error is a figure too."""
    print(time.strftime("%H:%M:%S"), *arguments[:1], *arguments[2:], flush=True)
    command = [sys.executable, __file__, *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {limit:.0f} s"}
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        return {"error": lines[-1]}
    return json.loads(run.stdout.strip().splitlines()[-1])


def measure_rows(folder: str, repeats: str, *, has_gpu: bool) -> list[dict]:
    """The baseline, then the engine on every backend and in every precision."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    plans = [("official algorithm, fp32", None, ("baseline", folder, repeats))]
    for backend, precision, provider in ROWS + (GPU_ROWS if has_gpu else ()):
        name, limit, times = f"{backend} {precision} {provider}", None, repeats
        if (precision, provider) == ("bf16", "cpu") and not flags & BF16_FLAGS:
            # Once, and not for long: it says what happens to who asks for it here.
            name, limit, times = f"{name} (emulated)", EMULATED_LIMIT, "1"
        plans.append((name, limit, ("engine", folder, times, backend, precision, provider)))
    rows = []
    for name, limit, arguments in plans:
        # The speed of the machine at this moment, for rows that others disturbed.
        speed = {"before": in_own_process("roofline", folder)}
        rows.append({"name": name, **speed, **in_own_process(*arguments, limit=limit)})
    for row in rows:
        if "stages" in row:
            figures = [stage for run in row["runs"] for stage in run.values()]
            row["peak_mib"] = max(stage.get("peak_mib", 0.0) for stage in figures)
            if "stages" in rows[0]:
                theirs, ours = (of["stages"]["total"]["wall_s"] for of in (rows[0], row))
                row["times_faster"] = theirs / ours
    return rows


def main() -> None:
    """Measures everything, prints a table and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", default="", help="a checkpoint (default: random weights)")
    parser.add_argument("--cores", type=int, default=2, help="to run on (default: %(default)s)")
    parser.add_argument("--repeats", default="2", help="of every row (default: %(default)s)")
    parser.add_argument("--note", default="", help="goes into the JSON file")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "benchmarks" / "lrm.json", help="%(default)s"
    )
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    cores = str(len(os.sched_getaffinity(0)))
    os.environ |= {"OMP_NUM_THREADS": cores, "MKL_NUM_THREADS": cores}
    report = {**run_record(), "note": args.note, "weights": args.weights or "random"}
    with tempfile.TemporaryDirectory() as folder:
        report["prepare"] = prepared = in_own_process("prepare", folder, args.weights)
        if "error" in prepared:
            raise SystemExit(f"the weights could not be exported: {prepared['error']}")
        report["rows"] = measure_rows(folder, args.repeats, has_gpu=prepared["has_gpu"])
        report["extraction"] = in_own_process("extraction", folder, args.repeats)
    report["compact"] = [
        bench_instant.in_own_process("engine", "compact", backend) for backend in BACKENDS
    ]
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {args.out}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['hardware']}, {report['cores']} cores; seconds by the clock")
    columns = {
        "load": ("load",),
        "crop": ("crop",),
        "image tokenizer": ("image tokenizer",),
        "backbone": ("backbone",),
        "network": ("backend",),
        "surface": ("surface", "dense query", "marching cubes"),
        "colours": ("colour", "colours", "merge"),
        "total": ("total",),
    }
    for heading in ("", *columns, "cpu", "preempted", "peak GB", "times faster"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in report["rows"]:
        if "error" in row:
            table.add_row(row["name"], row["error"])
            continue
        stages = row["stages"]
        cells = []
        for names in columns.values():
            found = [stages[name]["wall_s"] for name in names if name in stages]
            cells.append(f"{sum(found):.2f}" if found else "")
        total = stages["total"]
        cells += [f"{total['cpu_s']:.1f}", f"{total['preemptions']:.0f}"]
        memory = f"{row['peak_mib'] * 2**20 / 1e9:.2f}"
        faster = f"{row['times_faster']:.2f}" if "times_faster" in row else ""
        table.add_row(row["name"], *cells, memory, faster)
    console = Console(width=170)
    console.print(table)
    for part in ("extraction", "prepare"):
        console.print(part, report[part])
    for row in report["rows"]:
        console.print("before", row["name"], row["before"])
    for row in report["compact"]:
        totals = row.get("stages", {}).get("total", row.get("error"))
        console.print("compact", row.get("backend", ""), totals, row.get("peak_memory_mib", ""))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in MEASURES:
        print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
