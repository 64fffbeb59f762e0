# SPDX-License-Identifier: Apache-2.0
"""A field whose every answer is known in closed form."""

import pytest
import torch

from recon_node.engines.fields.field import FieldSamples


class Ball:
    """A ball around the origin; its colour is linear in the place."""

    def __init__(self, radius, conversion):
        self.radius, self.conversion = radius, conversion

    def sdf(self, points):
        return points.norm(dim=1) - self.radius

    def normals(self, points):
        return torch.nn.functional.normalize(points, dim=1)

    def colour(self, points, directions):
        return 0.5 + 0.5 * points

    def sample(self, points, directions, lengths, *, with_gradients=False):
        sdf, normals = self.sdf(points), self.normals(points)
        sigmas = self.conversion(sdf, (normals * directions).sum(1), lengths)
        gradients = normals if with_gradients else None
        return FieldSamples(sigmas, self.colour(points, directions), sdf, gradients)

    def may_hold_matter(self, points, half_side):
        return self.sdf(points).abs() <= 3**0.5 * half_side + self.conversion.reach


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(20_260_101)


@pytest.fixture
def make_ball():
    return Ball
