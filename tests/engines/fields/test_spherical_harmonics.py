# SPDX-License-Identifier: Apache-2.0
"""The harmonics against what defines them: orthonormality, and the Laplacian's eigenvalues."""

import math

import torch

from recon_node.engines.fields.spherical_harmonics import HARMONICS, spherical_harmonics


def _sphere(rings=64, spokes=128):
    """Points of the sphere and their weights: exact for polynomials of a low degree."""
    heights = (2 * torch.arange(rings, dtype=torch.float64) + 1) / rings - 1
    angles = 2 * math.pi * torch.arange(spokes, dtype=torch.float64) / spokes
    z, angle = (t.flatten() for t in torch.meshgrid(heights, angles, indexing="ij"))
    radii = (1 - z * z).sqrt()
    return torch.stack([radii * angle.cos(), radii * angle.sin(), z], dim=1)


def test_they_are_orthonormal():
    directions = _sphere()
    values = spherical_harmonics(directions)
    products = values.T @ values * (4 * math.pi / len(directions))
    # The rule of midpoints over 64 rings.
    torch.testing.assert_close(products, torch.eye(HARMONICS).double(), rtol=0, atol=5e-3)


def test_each_has_its_degree():
    """Under p -> -p the harmonics of degree l change by the sign (-1)^l."""
    directions = _sphere(4, 7)
    degrees = torch.tensor([0] + 3 * [1] + 5 * [2] + 7 * [3])
    there, back = spherical_harmonics(directions), spherical_harmonics(-directions)
    torch.testing.assert_close(back, there * (-1.0) ** degrees)
