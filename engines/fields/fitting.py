# SPDX-License-Identifier: Apache-2.0
"""A field fitted to a mesh, from which an optimisation then starts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon_node.engines.fields.adam import Adam
from recon_node.engines.fields.hash_density import HashDensityField
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
_RATE = 1e-2
_HALVED = 0.2  # distance at which errors count half [box unit]
_COLOUR_WEIGHT = 0.05  # of errors in colour beside those in distance
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

    L1 in colour, and in distance, the less the farther, by Adam. Most points lie on the surface or
    up to 0.02 beside it along the normal, where the distance is known without a search; the rest
    around it and all over the box have theirs looked up, with the sign of the generalised winding
    number.

    Args:
        field: To change.
        mesh_box: Closed, or nearly, in the box frame, and within the box.
        generator: Source of randomness, on the CPU.
        steps: Of 2048 points each.
        levels: Of the encoding that are fitted; finer ones stay as they are, near zero, for there
            are not enough points to tell them anything.
    """
    start = time.perf_counter()
    fit = _Fit(field, mesh_box, field.sdf_colour, lambda distances: distances)
    return fit.run(steps, levels, generator, start)


def fit_density(
    field: HashDensityField,
    mesh_box: Mesh,
    *,
    generator: torch.Generator,
    steps: int = 250,
    levels: int = 5,
    beta: float = 0.02,
) -> FitReport:
    """As `fit_sdf`, for a field of density, which becomes that of VolSDF around the mesh.

    What is compared is d = -beta log(2 beta density). Outside it is the distance, up to 7 beta;
    inside it falls to -beta log 2. The report's errors are in that measure. Colours are fitted for
    random directions, so that they do not depend on them.

    Args:
        field: To change.
        mesh_box: As for `fit_sdf`.
        generator: Source of randomness, on the CPU.
        steps: Of 2048 points each.
        levels: Of the encoding that are fitted.
        beta: Width of the transition [box unit]; the surface is where density is 1 / (2 beta).
    """
    start = time.perf_counter()

    def answers(points: Tensor) -> tuple[Tensor, Tensor]:
        directions = F.normalize(torch.randn(points.shape, generator=generator), dim=1)
        log_density, rgbs = field.log_density_colour(points, directions)
        return -beta * (log_density + math.log(2 * beta)), rgbs

    def measure(distances: Tensor) -> Tensor:
        inside = -beta * torch.log(2 - torch.exp(distances.clamp(max=0) / beta))
        return torch.where(distances > 0, distances.clamp(max=7 * beta), inside)

    fit = _Fit(field, mesh_box, answers, measure)
    return fit.run(steps, levels, generator, start)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A field beside a mesh.

    Attributes:
        field: To change.
        mesh: To change it to.
        answers: What the field says of points (N, 3): a measure of distance (N,), colours (N, 3).
        measure: That measure of distances (N,).
    """

    field: HashSdfField | HashDensityField
    mesh: Mesh
    answers: Callable[[Tensor], tuple[Tensor, Tensor]]
    measure: Callable[[Tensor], Tensor]

    def run(self, steps: int, levels: int, generator: torch.Generator, start: float) -> FitReport:
        """How well the field does after the steps."""
        caster = RayCaster(self.mesh.vertices, self.mesh.faces)
        rng = np.random.default_rng(torch.randint(2**62, (), generator=generator).item())
        near = _near(self.mesh, _ON_SURFACE, rng)
        far = _far(self.mesh, caster, _AROUND, _ANYWHERE, rng)
        all_levels, self.field.levels = self.field.levels, levels
        self._descend(near, far, steps, generator)
        self.field.levels = all_levels
        return self._report(caster, rng, start)

    def _descend(
        self, near: _Targets, far: _Targets, steps: int, generator: torch.Generator
    ) -> None:
        named = self.field.named_parameters()
        parameters = [p for name, p in named if not name.startswith("conversion")]
        optimiser = Adam([(parameters, _RATE)])
        for step in range(steps):
            optimiser.rates = [_RATE * _decay(step / steps)]
            optimiser.zero_grad()
            i = torch.randint(len(near.points), (_BATCH * 3 // 4,), generator=generator)
            j = torch.randint(len(far.points), (_BATCH // 4,), generator=generator)
            found, rgbs = self.answers(torch.cat([near.points[i], far.points[j]]))
            distances = torch.cat([near.distances[i], far.distances[j]])
            errors = (found - self.measure(distances)).abs() / (1 + distances.abs() / _HALVED)
            loss = errors.mean()
            if near.rgbs is not None:
                loss = loss + _COLOUR_WEIGHT * (rgbs[: len(i)] - near.rgbs[i]).abs().mean()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def _report(self, caster: RayCaster, rng: np.random.Generator, start: float) -> FitReport:
        drawn = sample_surface(self.mesh, _CHECKED, rng=rng)
        points = torch.from_numpy(drawn.positions.astype(np.float32))
        found, rgbs = self.answers(points)
        cosines = (self.field.normals(points) * torch.from_numpy(drawn.normals)).sum(1)
        far = _far(self.mesh, caster, 0, _CHECKED, rng)
        box_errors = (self.answers(far.points)[0] - self.measure(far.distances)).abs()
        colour_error = None
        if drawn.colors is not None:
            differences = rgbs - torch.from_numpy(drawn.colors / np.float32(255))
            colour_error = differences.abs().mean().item()
        return FitReport(
            surface_error=found.abs().median().item(),
            box_error=box_errors.median().item(),
            normal_error=cosines.clamp(-1, 1).acos().median().item(),
            colour_error=colour_error,
            seconds=time.perf_counter() - start,
        )


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


def _decay(progress: float) -> float:
    """Learning rate: 1 for a third of the steps, and then down to 0.05."""
    return 0.05 ** max(0.0, (progress - 0.3) / 0.7)
