# SPDX-License-Identifier: Apache-2.0
"""A field fitted to a mesh, from which an optimisation then starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recon_node.engines.fields.hash_sdf import HashSdfField
from recon_node.engines.mesh import Mesh
from recon_node.engines.surface_samples import sample_surface
from recon_node.kernels.ray_cast import RayCaster

_OFFSET = 0.02  # farthest from the surface that a distance is taken from the way there [box unit]
_SPREAD = 0.08  # of points around the surface whose distance is looked up [box unit]
_ON_SURFACE = 60_000  # points that are fitted to: on the surface and beside it,
_AROUND = 10_000  # farther around it,
_ANYWHERE = 8_000  # and in the box
_BATCH = 2048
_COLOUR_WEIGHT = 0.05
_CHECKED = 2_000


@dataclass(frozen=True)
class FitReport:
    """How far a field is from the mesh, measured at points that it was not fitted to.

    Attributes:
        surface_error: Median of |sdf| at points on the mesh [box unit].
        box_error: Median of |sdf - distance to the mesh| at points of the box [box unit].
        normal_error: Median angle between gradients and the normals of faces [rad].
        colour_error: Mean absolute error of colours on the mesh [0..1]; None if it has none.
        seconds: Time that the fit took.
    """

    surface_error: float
    box_error: float
    normal_error: float
    colour_error: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class _Targets:
    """Points f32 (N, 3), distances f32 (N,), and colours f32 (K, 3) of the first K, or None."""

    points: Tensor
    distances: Tensor
    rgbs: Tensor | None


def fit_sdf(
    field: HashSdfField,
    mesh_box: Mesh,
    *,
    generator: torch.Generator,
    steps: int = 250,
    levels: int = 5,
) -> FitReport:
    """How well the field, changed by this to look like the mesh, does so.

    L1 in distance and colour by Adam. Most points lie on the surface or up to 0.02 beside it along
    the normal, where the distance is known without a search; the rest around it and all over the
    box have theirs looked up, with the sign of the generalised winding number.

    Args:
        field: To change.
        mesh_box: Closed, or nearly, in the box frame, and within the box.
        generator: Source of randomness, on the CPU.
        steps: Of 2048 points each.
        levels: Of the encoding that are fitted; finer ones stay as they are, near zero, for there
            are not enough points to tell them anything.
    """
    start = time.perf_counter()
    caster = RayCaster(mesh_box.vertices, mesh_box.faces)
    rng = np.random.default_rng(torch.randint(2**62, (), generator=generator).item())
    near = _near(mesh_box, _ON_SURFACE, rng)
    far = _far(mesh_box, caster, _AROUND, _ANYWHERE, rng)
    all_levels, field.levels = field.levels, levels
    _descend(field, near, far, steps, generator)
    field.levels = all_levels
    return _report(field, mesh_box, caster, rng, start)


def _near(mesh: Mesh, count: int, rng: np.random.Generator) -> _Targets:
    """Points on the mesh and along its normals."""
    drawn = sample_surface(mesh, count, rng=rng)
    offsets = rng.uniform(-_OFFSET, _OFFSET, count).astype(np.float32)
    points = (drawn.positions + offsets[:, None] * drawn.normals).astype(np.float32)
    rgbs = None if drawn.colors is None else torch.from_numpy(drawn.colors / np.float32(255))
    return _Targets(torch.from_numpy(points), torch.from_numpy(offsets), rgbs)


def _far(
    mesh: Mesh, caster: RayCaster, around: int, anywhere: int, rng: np.random.Generator
) -> _Targets:
    """Points around the mesh and in the box."""
    points = sample_surface(mesh, around, rng=rng).positions
    points = np.clip(points + rng.normal(0, _SPREAD, points.shape), -1, 1)
    points = np.concatenate([points, rng.uniform(-1, 1, (anywhere, 3))]).astype(np.float32)
    distances = torch.from_numpy(caster.signed_distance(points))
    return _Targets(torch.from_numpy(points), distances, None)


def _descend(
    field: HashSdfField, near: _Targets, far: _Targets, steps: int, generator: torch.Generator
) -> None:
    parameters = [p for name, p in field.named_parameters() if not name.startswith("conversion")]
    optimiser = torch.optim.Adam(parameters, 1e-2, betas=(0.9, 0.99), eps=1e-15, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _decay(steps))
    for _ in range(steps):
        optimiser.zero_grad()
        i = torch.randint(len(near.points), (_BATCH * 3 // 4,), generator=generator)
        j = torch.randint(len(far.points), (_BATCH // 4,), generator=generator)
        sdf, rgbs = field.sdf_colour(torch.cat([near.points[i], far.points[j]]))
        loss = (sdf - torch.cat([near.distances[i], far.distances[j]])).abs().mean()
        if near.rgbs is not None:
            loss = loss + _COLOUR_WEIGHT * (rgbs[: len(i)] - near.rgbs[i]).abs().mean()
        loss.backward()
        optimiser.step()
        schedule.step()


def _decay(steps: int) -> Callable[[int], float]:
    """Learning rates of steps: 1 for a third of them, and then down to 0.05."""
    return lambda step: 0.05 ** max(0.0, (step / steps - 0.3) / 0.7)


@torch.no_grad()
def _report(
    field: HashSdfField, mesh: Mesh, caster: RayCaster, rng: np.random.Generator, start: float
) -> FitReport:
    drawn = sample_surface(mesh, _CHECKED, rng=rng)
    points = torch.from_numpy(drawn.positions.astype(np.float32))
    sdf, rgbs = field.sdf_colour(points)
    cosines = (field.normals(points) * torch.from_numpy(drawn.normals)).sum(1)
    far = _far(mesh, caster, 0, _CHECKED, rng)
    colour_error = None
    if drawn.colors is not None:
        colour_error = (rgbs - torch.from_numpy(drawn.colors / np.float32(255))).abs().mean().item()
    return FitReport(
        surface_error=sdf.abs().median().item(),
        box_error=(field.sdf(far.points) - far.distances).abs().median().item(),
        normal_error=cosines.clamp(-1, 1).acos().median().item(),
        colour_error=colour_error,
        seconds=time.perf_counter() - start,
    )
