# SPDX-License-Identifier: Apache-2.0
"""The extraction of a density: queries, processor time and memory beside the official algorithm.

`make bench-lrm` runs it; it prints a table and writes docs/benchmarks/extraction.json. Fields are
networks of TripoSR's sizes fitted to solids; both algorithms run on the same
weights, one after the other, on one thread, in processor time. Thin objects are those of
tests/engines/test_density_surface.py, at slopes of log density beyond those tested.
"""

import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from run_record import ROOT, run_record

SOLIDS = ("mug", "chair")
STEPS = 500
RESOLUTION = 256  # of the official algorithm
RESOLUTIONS = (128, 256, 512)
REPEATS = 3
SLOPES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)  # of log density [1 / voxel of 256]
OFFSETS = 40


def fit(folder: str, name: str) -> dict:
    """Fits a triplane and exports its decoder into the folder."""
    from fitted_triplane import fit_triplane

    from recon_node.engines.backends.export_triposr import export_triposr

    path = Path(folder) / f"{name}.safetensors"
    start = time.process_time()
    planes, error = fit_triplane(name, path, steps=STEPS)
    np.save(Path(folder) / f"{name}.npy", planes)
    export_triposr(path, Path(folder) / name)
    return {"steps": STEPS, "error": error, "cpu_s": time.process_time() - start}


def _field(folder: str, name: str) -> object:
    """The fitted field, on ONNX Runtime."""
    from recon_node.engines.backends.backend import load_backend
    from recon_node.engines.lrm.triposr.networks import DECODER
    from recon_node.engines.triplane import TriplaneField

    projected = np.load(Path(folder) / f"{name}_projected.npy")
    return TriplaneField(load_backend("onnxruntime", DECODER, Path(folder) / name), projected)


def official(folder: str, name: str) -> dict:
    """The official algorithm: all outputs at all 256³ points, marching cubes, colours."""
    import torch
    from dense_baseline import in_chunks, query

    from recon_node.engines.lrm.triposr.checkpoint import stored_model
    from recon_node.kernels.marching_cubes import marching_cubes

    torch.set_num_threads(1)
    model = stored_model(Path(folder) / f"{name}.safetensors")
    planes = torch.from_numpy(np.load(Path(folder) / f"{name}.npy"))
    projected = (model.decoder.columns() @ planes.flatten(2)).unflatten(2, planes.shape[2:])
    np.save(Path(folder) / f"{name}_projected.npy", projected.detach().numpy())
    marching_cubes(np.ones((2, 2, 2), np.float32), cells=np.zeros(1, np.int32))  # compiled
    start = time.process_time()
    with torch.inference_mode():
        axis = torch.linspace(0, 1, RESOLUTION)
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
        points = model.config.radius * (2 * grid - 1)
        density = in_chunks(lambda chunk: query(model, planes, chunk), points)["density"]
        queried = time.process_time()
        vertices, faces = marching_cubes(
            25 - density.view(3 * (RESOLUTION,)).numpy(),
            origin=(-model.config.radius,) * 3,
            spacing=2 * model.config.radius / (RESOLUTION - 1),
            closed=False,
        )
        meshed = time.process_time()
        in_chunks(lambda chunk: query(model, planes, chunk), torch.from_numpy(vertices))
    end = time.process_time()
    np.savez(Path(folder) / f"{name}_official.npz", vertices=vertices, faces=faces)
    parts = {"query": queried - start, "cubes": meshed - queried, "colours": end - meshed}
    return {"queries": RESOLUTION**3, "vertices": len(vertices), "cpu_s": end - start, **parts}


def sparse(folder: str, name: str, resolution: str) -> dict:
    """Our extraction, and at 256 how far its vertices in parity are from the official ones."""
    from recon_node.engines.density_surface import extract_density_surface
    from recon_node.kernels.warp_start import load_kernels

    load_kernels("brick_lattice", "marching_cubes")
    field, side = _field(folder, name), int(resolution)
    surfaces, colours = [], []
    for _ in range(REPEATS):
        start = time.process_time()
        # With what the field does once for a lattice.
        surface = extract_density_surface(field, resolution=side)
        middle = time.process_time()
        field.colours(surface.vertices)
        surfaces.append(middle - start)
        colours.append(time.process_time() - middle)
    answer = {
        "resolution": side,
        "queries": surface.query_count,
        "times_fewer_queries": side**3 / surface.query_count,
        "vertices": len(surface.vertices),
        "surface_cpu_s": float(np.median(surfaces)),
        "colours_cpu_s": float(np.median(colours)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if side == RESOLUTION:
        with np.load(Path(folder) / f"{name}_official.npz") as official_mesh:
            theirs, faces = official_mesh["vertices"], official_mesh["faces"]
        ours = extract_density_surface(field, resolution=side, parity=True)
        voxel = 2 * field.half_extent / (side - 1)
        answer |= {"same_faces": bool(np.array_equal(ours.faces, faces))}
        if ours.vertices.shape == theirs.shape:
            answer["farthest_voxels"] = float(np.abs(ours.vertices - theirs).max() / voxel)
    return answer


def thin(slope: str) -> dict:
    """At how many of 40 offsets each thin solid differs from the dense lattice."""
    from recon_node.engines.density_surface import extract_density_surface
    from recon_node.engines.errors import EmptySurfaceError

    solids = runpy.run_path(str(ROOT / "tests" / "engines" / "test_density_surface.py"))
    differing, shares = dict.fromkeys(solids["THIN"], 0), []
    for number in range(OFFSETS):
        offset = np.random.default_rng(number).uniform(-2, 2, size=3) * solids["VOXEL"]
        for name, shape in solids["THIN"].items():
            field = solids["Solid"](shape, steepness=float(slope), offset=offset)
            _, faces = solids["dense_surface"](
                field, resolution=RESOLUTION, window=solids["WINDOW"]
            )
            try:
                surface = extract_density_surface(field)
            except EmptySurfaceError:
                differing[name] += 1
                continue
            differing[name] += not np.array_equal(surface.faces, faces)
            shares.append(RESOLUTION**3 / surface.query_count)
    fewer = float(np.median(shares))
    return {"slope": float(slope), "differing": differing, "times_fewer_queries": fewer}


MEASURES = {"fit": fit, "official": official, "sparse": sparse, "thin": thin}


def in_own_process(*arguments: str) -> dict:
    """What this script measures for the arguments, in a process of its own."""
    print(time.strftime("%H:%M:%S"), *arguments, flush=True)
    command = [sys.executable, __file__, *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures everything, prints tables and writes the JSON file."""
    report = {**run_record(), "threads": 1, "fields": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in SOLIDS:
            measured = {"fit": in_own_process("fit", folder, name)}
            measured["official"] = theirs = in_own_process("official", folder, name)
            rows = [in_own_process("sparse", folder, name, str(r)) for r in RESOLUTIONS]
            measured["sparse"] = rows
            ours = next(row for row in rows if row["resolution"] == RESOLUTION)
            spent = ours["surface_cpu_s"] + ours["colours_cpu_s"]
            measured["times_faster"] = theirs["cpu_s"] / spent
            report["fields"][name] = measured
    report["thin"] = [in_own_process("thin", str(slope)) for slope in SLOPES]
    target = ROOT / "docs" / "benchmarks" / "extraction.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {target.relative_to(ROOT)}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['hardware']}, one thread; processor time [s]")
    columns = ("resolution", "times_fewer_queries", "vertices", "surface_cpu_s", "colours_cpu_s")
    for heading in ("field", *columns, "peak_mib"):
        table.add_column(heading.replace("_", " "), justify="right")
    for name, measured in report["fields"].items():
        for row in measured["sparse"]:
            table.add_row(name, *(f"{row[column]:.4g}" for column in (*columns, "peak_mib")))
    console = Console(width=120)
    console.print(table)
    for name, measured in report["fields"].items():
        console.print(name, measured["official"], f"{measured['times_faster']:.1f} times faster")
    for row in report["thin"]:
        console.print(row)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        main()
    else:
        print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
