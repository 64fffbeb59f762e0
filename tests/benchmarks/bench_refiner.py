# SPDX-License-Identifier: Apache-2.0
"""A refinement taken apart: preparation, stages of a step beside plain torch, meshes, memory.

`make bench-refine` runs it after bench_refine.py; it prints tables and writes
docs/benchmarks/refiner.json. Four views of the example's mug by the synthetic camera, one thread,
pinned to one core; seconds are processor time unless they are called wall. Steps with the kernels
and with their twins in plain torch take turns, from the same state and over the same pixels.
"""

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from run_record import ROOT, run_record

VIEWS, LABEL = 4, 1  # of the mug
STEPS, REPEATS = 16, 3  # in a turn: one look at the occupancy grid; and turns of each
FIRST_STEPS = 50  # before them, as the first steps of a run look into more cells
PROGRESS = 0.3  # of the run in which they are made
RUN_STEPS = 400  # of the refinement whose versions and memory are measured: some 30 s
BUSY = 0.5  # load of the machine before the benchmark from which on its note speaks of it


def mug() -> tuple[list, object]:
    """Keyframes of the mug, and the compact engine's mesh of the first view."""
    from recon_node.engines import load_engine
    from recon_node.engines.camera import View
    from recon_node.engines.keyframes.keyframe import make_keyframe
    from recon_node.synthetic_camera import PERIOD, SyntheticCamera

    camera, views = SyntheticCamera(), []
    for phase in np.linspace(0.25, 0.75, VIEWS):  # from one end of its motion to the other
        frame = camera.render(PERIOD * phase)
        views.append(View(frame.color, frame.labels == LABEL, frame.camera, frame.depth))
    start = load_engine("compact").reconstruct(views[:1])
    return [make_keyframe(views[0], start), *map(make_keyframe, views[1:])], start


class Stages:
    """Processor time of functions by the name of their stage, without that of stages within."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = time.process_time()

    def turn(self, stage: str | None) -> None:
        """Begins a stage inside the one that runs; None ends the last one."""
        now = time.process_time()
        if self._running:
            name = self._running[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._running.append(stage) if stage else self._running.pop()
        self._since = now

    def timed(self, stage: str, function: Callable) -> Callable:
        """The function, as a stage."""

        def run(*args: object, **options: object) -> object:
            self.turn(stage)
            try:
                return function(*args, **options)
            finally:
                self.turn(None)

        return run


@contextmanager
def in_place(*replacements: tuple[object, str, object]) -> Iterator[None]:
    """Attributes of modules and classes are others meanwhile."""
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    try:
        for owner, name, value in replacements:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def prepared(keyframes: list, start: object) -> tuple[object, dict]:
    """A refiner before its first step, and what each part of the preparation took [s]."""
    from recon_node.engines.refine import start_points
    from recon_node.engines.refine.config import RefineConfig
    from recon_node.engines.refine.refiner import Refiner

    stages = Stages()
    planes = stages.timed("mirror planes", start_points.mirror_planes)
    with in_place((start_points, "mirror_planes", planes)):
        stages.turn("registration")
        refiner = Refiner(keyframes, start, RefineConfig(budget=0, steps=1))
        for part, _ in enumerate(refiner.prepare()):
            if part < 2:
                stages.turn(None)
                stages.turn(("start points", "fit")[part])
        stages.turn(None)
    seconds = {**stages.seconds, "all": sum(stages.seconds.values())}
    return refiner, {"seconds": seconds, "fit_error": refiner.fit_error}


def twins() -> list[tuple[object, str, object]]:
    """The kernels of a step, each with its twin in plain torch in its place."""
    from recon_node.engines.fields import hash_layer, renderer
    from recon_node.kernels import reference

    uses = {hash_layer: ("hash_encode", "hash_slopes")}
    uses[renderer] = ("ray_box", "ray_march", "composite")
    return [
        (module, name, getattr(reference, name)) for module, names in uses.items() for name in names
    ]


def turn_of_steps(refiner: object, state: dict, replaced: list) -> dict:
    """Seconds of `STEPS` steps from a state and of their stages, and how many samples they had."""
    import torch

    from recon_node.engines.fields import renderer
    from recon_node.engines.fields.adam import Adam
    from recon_node.engines.fields.occupancy import OccupancyGrid
    from recon_node.engines.refine import refiner as module

    refiner.restore(state)
    stages, samples = Stages(), []

    def render(*args: object, **options: object) -> object:
        rendered = drawn(*args, **options)
        samples.append(len(rendered.points))
        return rendered

    with in_place(*replaced):
        drawn = module.render
        places = [
            (renderer, "ray_box", "march"),
            (renderer, "ray_march", "march"),
            (module, "weighted_sum", "terms"),
            (torch.Tensor, "backward", "backward"),
            (Adam, "step", "optimiser"),
            (OccupancyGrid, "update", "occupancy"),
        ]
        timed = [(owner, name, stages.timed(s, getattr(owner, name))) for owner, name, s in places]
        with in_place(*timed, (module, "render", stages.timed("forward", render))):
            stages.turn("draw rays")
            for _ in range(STEPS):
                refiner.step(PROGRESS)
            stages.turn(None)
    return {"seconds": stages.seconds, "samples": sum(samples)}


def steps(refiner: object) -> dict:
    """What a step and its stages take with the kernels and with their twins, in turns."""
    for _ in range(FIRST_STEPS):
        refiner.step(PROGRESS)
    refiner.step_number = 0  # so that each turn begins with a look at the occupancy grid
    state, kinds = refiner.state(), {"kernels": [], "twins": twins()}
    turns = {kind: [] for kind in kinds}
    for _ in range(REPEATS):
        for kind, replaced in kinds.items():
            turns[kind].append(turn_of_steps(refiner, state, replaced))
    refiner.restore(state)
    report = {}
    for kind, found in turns.items():
        names = found[0]["seconds"]
        stages = {
            name: float(np.median([turn["seconds"][name] for turn in found])) / STEPS
            for name in names
        }
        whole = float(np.median([sum(turn["seconds"].values()) for turn in found])) / STEPS
        samples = found[0]["samples"] / STEPS
        report[kind] = {
            "samples_per_step": samples,
            "seconds": {**stages, "whole step": whole},
            "steps_per_s": 1 / whole,
            "samples_per_s": {name: samples / s for name, s in stages.items()}
            | {"whole step": samples / whole},
        }
    ours, theirs = (report[kind]["seconds"] for kind in ("kernels", "twins"))
    report["times_faster"] = {name: theirs[name] / ours[name] for name in ours}
    return report


def meshes(refiner: object) -> dict:
    """Median seconds of what makes a version of the refiner's field as it is."""
    spent = {"extraction": [], "score": [], "annotation": []}
    for _ in range(REPEATS):
        marks = [time.process_time()]
        mesh = refiner.mesh()
        marks.append(time.process_time())
        score = refiner.score(mesh)
        marks.append(time.process_time())
        refiner.reconstruction(mesh, score, score)
        marks.append(time.process_time())
        for times, seconds in zip(spent.values(), np.diff(marks), strict=True):
            times.append(float(seconds))
    seconds = {name: float(np.median(times)) for name, times in spent.items()}
    return {**seconds, "all": sum(seconds.values()), "vertices": len(mesh.vertices)}


def measure_steps(stored: str) -> dict:
    """Preparation, steps and meshes, in this process."""
    keyframes, start = pickle.loads(Path(stored).read_bytes())
    begun = time.process_time()
    import torch

    imported = time.process_time()
    from recon_node.kernels.warp_start import start_warp

    torch.set_num_threads(1)
    start_warp()
    from recon_node.engines.refine import refiner  # noqa: F401  its import is measured

    ready = time.process_time()
    first, preparation = prepared(keyframes, start)
    first.step(0.0)
    done = time.process_time()
    second, report = prepared(keyframes, start)
    second.step(0.0)
    again = time.process_time() - done
    once = {
        "import of torch": imported - begun,
        "import of the refiner, start of Warp": ready - imported,
        "first calls, beyond what the second take": done - ready - again,
    }
    report = {"once": once, "preparation": report, "steps": steps(second)}
    report["mesh"] = meshes(second)
    report["compiler_imported"] = "torch._dynamo" in sys.modules
    begun = time.process_time()
    import torch._dynamo  # noqa: F401  what `engines/fields/adam.py` spares

    once["spared: import of torch's compiler"] = time.process_time() - begun
    return report


def measure_first_calls(stored: str) -> dict:
    """Preparation and a step while Warp's cache is empty, as once on every machine."""
    import torch

    torch.set_num_threads(1)
    begun = time.process_time()
    refiner, _ = prepared(*pickle.loads(Path(stored).read_bytes()))
    refiner.step(0.0)
    return {"seconds": time.process_time() - begun}


def measure_run(stored: str) -> dict:
    """A refinement of `RUN_STEPS` steps: when its versions came, and the process's memory."""
    keyframes, start = pickle.loads(Path(stored).read_bytes())
    import torch

    from recon_node.engines.refine.config import RefineConfig
    from recon_node.engines.refine.refine import refine
    from recon_node.kernels.warp_start import start_warp

    torch.set_num_threads(1)
    start_warp()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun, wall = time.process_time(), time.monotonic()
    versions = []

    def note(version: object) -> None:
        cpu, spent = time.process_time() - begun, time.monotonic() - wall
        versions.append({"cpu_s": cpu, "wall_s": spent, **version.metrics})

    outcome = refine(
        keyframes,
        start,
        RefineConfig(budget=0, steps=RUN_STEPS),
        on_progress=lambda progress: None,
        on_version=note,
        cancelled=lambda: False,
        paused=lambda: False,
    )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "steps": outcome.steps,
        "message": outcome.message,
        "cpu_s": time.process_time() - begun,
        "wall_s": time.monotonic() - wall,
        "system_s": usage.ru_stime,
        "versions": versions,
        "memory_mib": {"before": before, "peak": usage.ru_maxrss / 1024},
    }


def in_own_process(*arguments: str, **environment: str) -> dict:
    """What this script measures for the arguments, on one core."""
    command = [sys.executable, __file__, *arguments]
    run = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    )
    return json.loads(run.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures everything, prints tables and writes the JSON file."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    record = {**run_record(), "threads": 1, "note": "nothing else was running"}
    if load > BUSY:
        record["note"] = f"the machine was shared: load {load:.1f} on {cores} cores before it"
    with tempfile.TemporaryDirectory() as folder:
        stored = str(Path(folder) / "mug.pickle")
        Path(stored).write_bytes(pickle.dumps(mug()))
        report = {**record, **in_own_process("steps", stored)}
        first = in_own_process("first", stored, WARP_CACHE_PATH=str(Path(folder) / "kernels"))
        report["once"]["first calls with no compiled kernels, all of them"] = first["seconds"]
        report["run"] = in_own_process("run", stored)
    target = ROOT / "docs" / "benchmarks" / "refiner.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {target.relative_to(ROOT)}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console, ours = Console(width=140), report["steps"]["kernels"]
    title = f"{report['hardware']}, one thread; {ours['samples_per_step']:.0f} samples a step"
    table = Table(title=title)
    for heading in ("stage", "kernels [ms]", "samples/s", "twins [ms]", "times faster"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for name, faster in report["steps"]["times_faster"].items():
        spent, twin = (report["steps"][k]["seconds"][name] for k in ("kernels", "twins"))
        rate = f"{ours['samples_per_s'][name]:.3g}"
        table.add_row(name, f"{1e3 * spent:.2f}", rate, f"{1e3 * twin:.1f}", f"{faster:.1f}")
    console.print(table)
    table = Table("what", "seconds", title="processor time")
    for group in (report["preparation"]["seconds"], report["mesh"], report["once"]):
        for name, seconds in group.items():
            table.add_row(name, f"{seconds:.2f}" if isinstance(seconds, float) else f"{seconds}")
        table.add_section()
    console.print(table)
    run, fit = report["run"], report["preparation"]["fit_error"]
    console.print(f"{ours['steps_per_s']:.1f} steps/s; error of the fit {fit:.4f} box units")
    for version in run["versions"]:
        told = ", ".join(f"{name} {number:.4g}" for name, number in version.items())
        console.print(f"version: {told}")
    console.print(f"{run['steps']} steps in {run['cpu_s']:.1f} s; memory [MiB] {run['memory_mib']}")
    console.print(f"{run['message']}; {report['note']}")


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if len(sys.argv) == 1:
        main()
    else:
        kinds = {"steps": measure_steps, "first": measure_first_calls, "run": measure_run}
        print(json.dumps(kinds[sys.argv[1]](*sys.argv[2:])))
