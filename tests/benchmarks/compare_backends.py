# SPDX-License-Identifier: Apache-2.0
"""How far the surfaces of backends and precisions lie apart, in voxels.

    .venv-test/bin/python tests/benchmarks/compare_backends.py [--triposr WEIGHTS]

Every run has a process of its own, so that a large network is in memory once. Each is compared with
ONNX Runtime in fp32 by the 99th percentile of the Hausdorff distance; the table goes to stdout and
into docs/benchmarks/backends.json (or where --output says).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from run_record import ROOT, run_record

RUNS = {
    "compact": [
        ("onnxruntime", "fp32"),
        *(("torch", name) for name in ("fp32", "bf16", "fp16")),
    ],
    # float16 has no fast products on a CPU: hours for a network of this size
    "triposr": [("onnxruntime", "fp32"), ("torch", "fp32"), ("torch", "bf16")],
}
RESOLUTION = 256


def save_surfaces(family: str, backend: str, precision: str, weights: str, path: str) -> None:
    """Runs one backend in this process and keeps what it saw."""
    from bench_instant import example_views

    from recon_node.engines.backends.options import BackendOptions
    from recon_node.engines.crop import crop_view
    from recon_node.evaluation.backend_surfaces import compact_surfaces, triposr_surfaces

    options = BackendOptions(precision=precision, provider="cpu")
    views = example_views()
    if family == "compact":
        surfaces = compact_surfaces(views, backend, options, Path(weights))
    else:
        crop = crop_view(views[0], size=512)
        image = np.moveaxis(crop.image, -1, 0)[None] / np.float32(255)
        surfaces = triposr_surfaces(image, backend, options, Path(weights), resolution=RESOLUTION)
    arrays = {}
    for i, surface in enumerate(surfaces):
        arrays |= {f"vertices_{i}": surface.vertices, f"faces_{i}": surface.faces}
    np.savez(path, **arrays)


def compare(family: str, weights: str, folder: Path) -> list[dict]:
    """One row for each run of a family."""
    from recon_node.engines.mesh import Mesh
    from recon_node.evaluation.surface_difference import hausdorff_percentile

    rows, reference = [], None
    for backend, precision in RUNS[family]:
        path = folder / f"{family}_{backend}_{precision}.npz"
        command = [sys.executable, __file__, "--run", family, backend, precision, weights, path]
        subprocess.run([str(word) for word in command], check=True)
        with np.load(path) as file:
            count = len(file.files) // 2
            meshes = [Mesh(file[f"vertices_{i}"], file[f"faces_{i}"]) for i in range(count)]
        reference = reference or meshes
        apart = [hausdorff_percentile(*pair) for pair in zip(meshes, reference, strict=True)]
        row = {
            "engine": family,
            "backend": backend,
            "precision": precision,
            "surfaces": count,
            "p99_voxels_median": round(float(np.median(apart)), 5),
            "p99_voxels_worst": round(max(apart), 5),
        }
        print(row, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Compares, prints and writes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--triposr", metavar="WEIGHTS", help="also with these, exported or not")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/benchmarks/backends.json")
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        save_surfaces(*args.run)
        return
    from recon_node.engines.lrm.networks import WEIGHTS_DIRECTORY

    with tempfile.TemporaryDirectory() as folder:
        rows = compare("compact", str(WEIGHTS_DIRECTORY), Path(folder))
        if args.triposr:
            rows += compare("triposr", args.triposr, Path(folder))
    args.output.write_text(json.dumps({**run_record(), "runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
