# SPDX-License-Identifier: Apache-2.0
"""A ball and a fog that can be computed by hand, and steps in double precision."""

import dataclasses

import pytest
import torch
from torch import nn

from recon_node.engines.fields.field import FieldSamples
from recon_node.engines.fields.renderer import Rays, Rendered
from recon_node.engines.terms.term import Measurements, Step
from recon_node.kernels import reference
from recon_node.kernels.ray_march import RaySamples


class Ball(nn.Module):
    """sdf = stretch · (|p| - radius) of one colour, its density a step of finite width."""

    def __init__(self, radius=0.5, rgb=(0.2, 0.4, 0.6), stretch=1.0):
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(radius, dtype=torch.float64))
        self.rgb = nn.Parameter(torch.tensor(rgb, dtype=torch.float64))
        self.stretch = nn.Parameter(torch.tensor(stretch, dtype=torch.float64))

    def sdf(self, points):
        return self.stretch * (torch.linalg.vector_norm(points, dim=1) - self.radius)

    def sdf_gradients(self, points):
        return self.sdf(points), self.stretch * self.normals(points)

    def normals(self, points):
        return nn.functional.normalize(points, dim=1)

    def colour(self, points, directions):
        return self.rgb.expand(len(points), 3)

    def sample(self, points, directions, lengths, *, with_gradients=False):
        sdf, gradients = self.sdf_gradients(points)
        sigmas = 50 * torch.sigmoid(-50 * sdf)
        return FieldSamples(sigmas, self.colour(points, directions), sdf, gradients)


class Fog(nn.Module):
    """The same density everywhere, and no surface."""

    def __init__(self, sigma=2.0):
        super().__init__()
        self.sigma = nn.Parameter(torch.tensor(sigma, dtype=torch.float64))

    def density(self, points):
        return self.sigma.expand(len(points))

    def sample(self, points, directions, lengths, *, with_gradients=False):
        return FieldSamples(self.density(points), torch.full_like(points, 0.5), None, None)


def _march(rays, counts, near, far):
    """`counts` equal intervals of each ray between near and far."""
    counts = torch.tensor(counts, dtype=torch.int64)
    packed_info = torch.stack([counts.cumsum(0) - counts, counts], dim=1)
    ray_indices = torch.repeat_interleave(torch.arange(len(counts)), counts)
    places = torch.arange(len(ray_indices)) - packed_info[ray_indices, 0]
    step = (far - near) / counts[ray_indices].double()
    t_starts = near + places * step
    return RaySamples(t_starts, t_starts + step, ray_indices, packed_info)


def _render(field, rays, samples):
    middles = ((samples.t_starts + samples.t_ends) / 2)[:, None]
    directions = rays.directions[samples.ray_indices]
    points = rays.origins[samples.ray_indices] + middles * directions
    said = field.sample(points, directions, samples.t_ends - samples.t_starts)
    summed = reference.composite(samples, said.sigmas, said.rgbs, stop=0.0)
    depths = summed.depths / summed.opacities.clamp(min=1e-9)
    return Rendered(
        rgbs=summed.rgbs,
        opacities=summed.opacities,
        depths=depths,
        samples=samples,
        weights=summed.weights,
        field_samples=said,
        points=points,
    )


@pytest.fixture
def ball():
    """Make a ball: ball(radius, rgb, stretch)."""
    return Ball


@pytest.fixture
def fog():
    """Make a fog: fog(sigma)."""
    return Fog


@pytest.fixture
def make_step():
    """Make a step whose rays fly along +z from z = -2, at the given x, through t = 1 to 3."""

    def make(
        field,
        *,
        x=(0.0, 0.1, 0.8),
        counts=None,
        near=1.0,
        far=3.0,
        rendered=None,
        progress=0.5,
        exposures=None,
        **measured,
    ):
        count = len(x)
        origins = torch.zeros(count, 3, dtype=torch.float64)
        origins[:, 0] = torch.tensor(x, dtype=torch.float64)
        origins[:, 2] = -2.0
        directions = torch.zeros_like(origins)
        directions[:, 2] = 1.0
        rays = Rays(origins, directions)
        samples = _march(rays, [40] * count if counts is None else counts, near, far)
        found = dataclasses.replace(_render(field, rays, samples), **(rendered or {}))
        defaults = {
            "rgbs": 0.5,
            "masks": 1.0,
            "depths": torch.nan,
            "depth_sigmas": 0.01,
            "weights": 1.0,
        }
        arrays = {
            name: torch.as_tensor(measured.pop(name, value), dtype=torch.float64)
            .expand((count, 3) if name == "rgbs" else (count,))
            .clone()
            for name, value in defaults.items()
        }
        keyframes = torch.zeros(count, dtype=torch.int64)
        return Step(
            field=field,
            rays=rays,
            measured=Measurements(keyframes=keyframes, **arrays, **measured),
            rendered=found,
            generator=torch.Generator().manual_seed(20_260_101),
            progress=progress,
            exposures=exposures,
        )

    return make
