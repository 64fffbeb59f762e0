# SPDX-License-Identifier: Apache-2.0
"""Kernels of the refiner beside plain torch: processor time of steps forward and backward.

`make bench-refine` runs it; it prints a table and writes docs/benchmarks/refine.json. One thread,
pinned to one core; implementations take turns within one run, so that whatever else the machine
does meets all of them. Points are random, the worst case for caches, or samples along rays.
"""

import json
import os
import time
from collections.abc import Callable

import torch
from plain_hash_grid import PlainHashGrid
from run_record import ROOT, run_record

from recon_node.kernels import hash_grid, reference
from recon_node.kernels.composite import composite
from recon_node.kernels.hash_grid_config import HashGridConfig
from recon_node.kernels.ray_box import ray_box
from recon_node.kernels.ray_march import RaySamples, ray_march
from recon_node.kernels.warp_start import start_warp

CONFIGS = {
    "16 levels x 2": HashGridConfig(),
    "8 levels x 4": HashGridConfig(levels=8, features=4),
}
RAYS = 4096
STEP = 1 / 32  # between points to encode, of a cube of side 1: some 30 of a ray
FINE_STEP = 1 / 128  # of marching: four in a cell
REPEATS = 3
CUBE = {"lower": (0.0, 0.0, 0.0), "upper": (1.0, 1.0, 1.0)}


def rays(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Origins, unit directions and jitter of 64 x 64 neighbouring pixels that look at the cube."""
    side = int(RAYS**0.5)
    v, u = torch.meshgrid(*2 * [torch.linspace(-0.45, 0.45, side)], indexing="ij")
    directions = torch.stack([u, v, torch.ones_like(u)], dim=-1).view(-1, 3)
    directions = torch.nn.functional.normalize(directions)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    return {
        "origins": (0.5 - 1.1 * turn[2]).repeat(RAYS, 1),
        "directions": (directions @ turn).contiguous(),
        "jitter": torch.rand(RAYS, generator=generator),
    }


def marched(
    module: object,
    occupied: torch.Tensor,
    step: float,
    *,
    origins: torch.Tensor,
    directions: torch.Tensor,
    jitter: torch.Tensor,
) -> RaySamples:
    """Samples of rays in the cube, by the module's functions."""
    t_nears, t_fars = module.ray_box(origins, directions, **CUBE)
    ends = t_nears, t_fars
    return module.ray_march(origins, directions, *ends, occupied, **CUBE, step=step, jitter=jitter)


def marching(pixels: dict[str, torch.Tensor], occupied: torch.Tensor) -> dict:
    """Box and samples of rays."""
    steps = {
        "kernel": lambda: marched(Kernels, occupied, FINE_STEP, **pixels),
        "twin": lambda: marched(reference, occupied, FINE_STEP, **pixels),
    }
    return _compared(processor_times(steps), len(steps["kernel"]().t_starts))


def points_along_rays(samples: RaySamples, pixels: dict[str, torch.Tensor]) -> torch.Tensor:
    """Middles of the samples, (N, 3) in the unit cube."""
    middles = 0.5 * (samples.t_starts + samples.t_ends)[:, None]
    origins, directions = (pixels[name][samples.ray_indices] for name in ("origins", "directions"))
    return (origins + middles * directions).clamp(0, 1)


class Kernels:
    """The kernels under the names of their twins' module."""

    ray_box = staticmethod(ray_box)
    ray_march = staticmethod(ray_march)
    composite = staticmethod(composite)


def processor_times(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median processor time of each step [s], taken in turns after one of each to warm up."""
    spent = {name: [] for name in steps}
    for turn in range(REPEATS + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if turn:
                spent[name].append(time.process_time() - start)
    return {name: sorted(times)[len(times) // 2] for name, times in spent.items()}


def encoding(config: HashGridConfig, points: torch.Tensor, *, to_positions: bool) -> dict:
    """A step forward and backward of each implementation, after comparing their answers."""
    generator = torch.Generator().manual_seed(1)
    table = torch.rand(config.table_shape, generator=generator) - 0.5
    cotangents = torch.randn(len(points), config.width, generator=generator)
    plain = PlainHashGrid(config, table)
    table.requires_grad_()

    def step(encode: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        table.grad = None
        plain.zero_grad(set_to_none=True)
        positions = points.clone().requires_grad_(to_positions)
        features = encode(positions)
        features.backward(cotangents)
        return features.detach()

    encoders = {
        "kernel": lambda x: hash_grid.hash_encode(x, table, config=config),
        "twin": lambda x: reference.hash_encode(x, table, config=config),
        "plain torch": plain,
    }
    answers = [step(encode) for encode in encoders.values()]
    for answer in answers[1:]:
        torch.testing.assert_close(answers[0], answer, rtol=1e-4, atol=1e-5)
    steps = {name: lambda encode=encode: step(encode) for name, encode in encoders.items()}
    return _compared(processor_times(steps), len(points))


def _compared(times: dict[str, float], samples: int) -> dict:
    others = [name for name in times if name != "kernel"]
    return {
        "samples": samples,
        "cpu_s": times,
        "samples_per_s": samples / times["kernel"],
        "times_faster": {name: times[name] / times["kernel"] for name in others},
    }


def compositing(samples: RaySamples) -> dict:
    """A step forward and backward to sigmas and rgbs."""
    generator = torch.Generator().manual_seed(1)
    count = len(samples.t_starts)
    sigmas = torch.rand(count, generator=generator).mul(4).requires_grad_()
    rgbs = torch.rand(count, 3, generator=generator).requires_grad_()

    def step(module: object) -> None:
        sigmas.grad = rgbs.grad = None
        result = module.composite(samples, sigmas, rgbs)
        (result.rgbs.sum() + result.depths.sum()).backward()

    steps = {"kernel": lambda: step(Kernels), "twin": lambda: step(reference)}
    return _compared(processor_times(steps), count)


def main() -> None:
    """Measures everything, prints a table and writes the JSON file."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    start_warp()
    generator = torch.Generator().manual_seed(20_260_101)
    pixels, full = rays(generator), torch.ones(32, 32, 32, dtype=torch.bool)
    samples = marched(Kernels, full, STEP, **pixels)
    along = points_along_rays(samples, pixels)
    points = {"random": torch.rand(along.shape, generator=generator), "along rays": along}
    rows = {}
    for name, config in CONFIGS.items():
        for kind, chosen in points.items():
            for to_positions in (False, True):
                grads = "table and positions" if to_positions else "table"
                row = encoding(config, chosen, to_positions=to_positions)
                rows[f"encoding, {name}, {kind}, {grads}"] = row
    axis = torch.arange(32).sub(15.5).square()
    ball = axis[:, None, None] + axis[:, None] + axis < 12**2
    rows["box and marching, all cells"] = marching(pixels, full)
    rows["box and marching, a ball of cells"] = marching(pixels, ball)
    rows["compositing"] = compositing(samples)
    report = {**run_record(), "threads": 1, "repeats": REPEATS, "steps": rows}
    target = ROOT / "docs" / "benchmarks" / "refine.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    _print(report)
    print(f"written to {target.relative_to(ROOT)}")


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['hardware']}, one thread; processor time of a step")
    for heading in ("step", "samples", "kernel [ms]", "samples/s", "times faster than"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for name, row in report["steps"].items():
        faster = ", ".join(f"{other} {times:.1f}" for other, times in row["times_faster"].items())
        spent = f"{1e3 * row['cpu_s']['kernel']:.1f}"
        table.add_row(name, f"{row['samples']}", spent, f"{row['samples_per_s']:.3g}", faster)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
