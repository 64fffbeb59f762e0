# SPDX-License-Identifier: Apache-2.0
"""A triplane and decoder of TripoSR's sizes, fitted to the log density of a solid, as a checkpoint.

Stands in for what public weights make of a picture, where there are none: its surface has the
kinks and the noise of a real network. The backbone beside it is tiny, random and never run.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from dense_baseline import query
from torch import Tensor

from recon_node.engines.lrm.triposr.checkpoint import write_state
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.random_weights import random_state

LEVEL = 1 + np.log(25)  # raw density at the surface
VOXEL = 2 * TripoSRConfig.radius / 255
RAMP = 2 * VOXEL  # over which log density changes by about 3 on either side of the surface
POOL, NEAR, BATCH = 1_000_000, 0.05, 4096
RATES = {"planes": 2e-2, "decoder": 2e-3}

Coordinates = Sequence[Tensor]


def _length(*coordinates: Tensor) -> Tensor:
    return torch.sqrt(sum(c * c for c in coordinates) + 1e-12)


def _box(p: Coordinates, half_sides: Sequence[float]) -> Tensor:
    beyond = [c.abs() - s for c, s in zip(p, half_sides, strict=True)]
    inner = torch.stack(beyond).amax(0).clamp(max=0)
    return _length(*(b.clamp(min=0) for b in beyond)) + inner


def _cylinder(p: Coordinates, radius: float, half_height: float) -> Tensor:
    a, b = _length(p[0], p[1]) - radius, p[2].abs() - half_height
    return _length(a.clamp(min=0), b.clamp(min=0)) + torch.maximum(a, b).clamp(max=0)


def _mug(p: Coordinates) -> Tensor:
    """A vessel with walls of 4 voxels of 256, and a handle."""
    x, y, z = p
    body = torch.maximum(_cylinder(p, 0.35, 0.45), -_cylinder((x, y, z - 0.03), 0.32, 0.45))
    handle = _length(_length(x - 0.35, z) - 0.2, y) - 0.03
    return torch.minimum(body, torch.maximum(handle, -_cylinder(p, 0.32, 0.5)))


def _chair(p: Coordinates) -> Tensor:
    """Four legs, a seat, a thin back, and a wire of 1.5 voxels of 256."""
    x, y, z = p
    legs = [
        _box((x - a, y - b, z + 0.3), (0.02, 0.02, 0.3))
        for a in (-0.28, 0.28)
        for b in (-0.28, 0.28)
    ]
    back = _box((x + 0.28, y, z - 0.3), (0.015, 0.3, 0.3))
    wire = _cylinder((x - 0.28, y - 0.1, z - 0.2), 0.75 * VOXEL, 0.2)
    return torch.stack([_box(p, (0.3, 0.3, 0.02)), back, wire, *legs]).amin(0)


SOLIDS: dict[str, Callable[[Coordinates], Tensor]] = {"mug": _mug, "chair": _chair}


def _target(distance: Tensor) -> Tensor:
    """Raw density at signed distances: 6 of log density below the threshold far out, 4 above in."""
    outside = 6 * torch.tanh(distance / RAMP / 2)
    return LEVEL - torch.where(distance > 0, outside, 4 * torch.tanh(0.75 * distance / RAMP))


def fit_triplane(name: str, path: Path, *, steps: int) -> tuple[np.ndarray, float]:
    """Planes (3, F, S, S) fitted to a solid, and how far off they are; the decoder goes to a file.

    Args:
        name: One of `SOLIDS`.
        path: Where the checkpoint goes.
        steps: Of Adam, each on 8192 points, half of them near the surface.

    Returns:
        The planes, and the mean absolute error of the log density at the last step.
    """
    solid, rng = SOLIDS[name], torch.Generator().manual_seed(0)
    sizes = replace(
        TripoSRConfig(), image_size=32, native_grid=2, image_width=16, image_layers=1,
        image_heads=2, image_hidden=16, plane_grid=4, width=32, layers=1, heads=2, groups=4,
    )  # fmt: skip
    state = random_state(sizes, rng)
    model = TripoSR(sizes)
    model.load_state_dict(state)
    published = TripoSRConfig()
    side = 2 * published.plane_grid
    planes = 0.1 * torch.randn(3, published.plane_channels, side, side, generator=rng)
    planes.requires_grad_()
    parameters = {"planes": [planes], "decoder": list(model.decoder.parameters())}
    optimiser = torch.optim.Adam(
        [{"params": group, "lr": RATES[kind]} for kind, group in parameters.items()]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    pool = sizes.radius * (2 * torch.rand(POOL, 3, generator=rng) - 1)
    near = pool[solid(pool.T).abs() < NEAR]
    for _ in range(steps):
        picked = (torch.randint(len(p), (BATCH,), generator=rng) for p in (near, pool))
        points = torch.cat([p[i] for p, i in zip((near, pool), picked, strict=True)])
        answers = query(model, planes, points)
        colour = F.mse_loss(answers["colour"], 0.5 + 0.5 * points / sizes.radius)
        error = F.l1_loss(answers["raw"][:, 0], _target(solid(points.T)))
        optimiser.zero_grad()
        (error + 0.1 * colour).backward()
        optimiser.step()
        schedule.step()
    write_state({k: v.detach() for k, v in model.state_dict().items()}, path, {})
    return planes.detach().numpy(), error.item()
