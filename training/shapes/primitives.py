# SPDX-License-Identifier: Apache-2.0
"""Simple solids: blocks, balls, cylinders, cones, superquadrics."""

from __future__ import annotations

from functools import partial

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import regular_polygon, superellipse
from recon_node.training.shapes.rotations import ON_SIDE
from recon_node.training.shapes.solids import extrusion, lathe, rounded_box, superquadric


def segment_count(rng: np.random.Generator) -> int:
    """Returns the sides of a round part: often smooth, sometimes as coarse as a game asset."""
    return int(rng.choice([8, 10, 12, 16, 24, 32, 40, 48, 64]))


def box_size(rng: np.random.Generator) -> np.ndarray:
    """Returns side lengths (3,), longest 1, of anything from a cube to a slab or a stick."""
    size = np.sort(np.exp(rng.uniform(np.log(0.12), 0.0, size=3)))
    return rng.permutation(size / size[-1])


def block(rng: np.random.Generator) -> Assembly:
    """Returns a block with sharp, chamfered or rounded edges."""
    assembly = Assembly()
    size = box_size(rng)
    steps = int(rng.choice([1, 2, 3, 4, 6], p=[0.3, 0.15, 0.15, 0.2, 0.2]))
    radius = size.min() * rng.uniform(0.04, 0.45)
    assembly.add(rounded_box(size, radius, steps), colors.anything(rng))
    return assembly


def superquadric_solid(rng: np.random.Generator) -> Assembly:
    """Returns a superquadric between octahedron, ellipsoid and box."""
    assembly = Assembly()
    half = np.exp(rng.uniform(np.log(0.2), 0.0, size=3))
    vertical, lateral = np.exp(rng.uniform(np.log(1.2), np.log(9.0), size=2))
    assembly.add(superquadric(half, vertical, lateral, 4 * rng.integers(5, 12)),
                 colors.anything(rng))
    return assembly


def _sector(count: int, points: np.ndarray) -> np.ndarray:
    turn = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) + 0.5
    return (turn * count).astype(int) % 2


def _belt(edge: float, points: np.ndarray) -> np.ndarray:
    return np.abs(points[:, 2]) < edge


def ball(rng: np.random.Generator) -> Assembly:
    """Returns a ball, sometimes in sectors of two colours, or slightly flattened."""
    assembly = Assembly()
    segments = int(rng.choice([12, 20, 32, 44]))
    half = np.ones(3)
    if rng.uniform() < 0.25:
        half[2] = rng.uniform(0.5, 1.4)
    solid = superquadric(half, 2.0, 2.0, segments)
    if rng.uniform() < 0.5:
        assembly.add(solid, colors.anything(rng))
        return assembly
    if rng.uniform() < 0.5:
        count = int(rng.choice([4, 6, 8]))
        label = partial(_sector, count)
    else:
        edge = half[2] * rng.uniform(0.1, 0.4)
        label = partial(_belt, edge)
    assembly.add_painted(solid, label, [colors.anything(rng), colors.anything(rng)])
    return assembly


def cylinder(rng: np.random.Generator) -> Assembly:
    """Returns a cylinder, disc, rod, cone or truncated cone, round or with few sides."""
    assembly = Assembly()
    sides = int(rng.choice([3, 5, 6, 8])) if rng.uniform() < 0.2 else segment_count(rng)
    height = np.exp(rng.uniform(np.log(0.1), np.log(6.0)))
    low, high = 1.0, float(rng.choice([1.0, rng.uniform(0.3, 1.0), 0.0], p=[0.6, 0.3, 0.1]))
    bevel = rng.uniform(0.02, 0.25) * min(height, high) if rng.uniform() < 0.4 else 0.0
    profile = [(low - bevel, 0.0), (low, bevel), (high, height - bevel), (high - bevel, height)]
    solid = lathe(np.array(profile) if bevel else np.array([(low, 0.0), (high, height)]), sides)
    assembly.add(solid, colors.anything(rng))
    if rng.uniform() < 0.5:
        assembly.turn(ON_SIDE)
    return assembly


def wedge(rng: np.random.Generator) -> Assembly:
    """Returns a wedge, pyramid or truncated pyramid: cake, cheese, door stop."""
    assembly = Assembly()
    sides = int(rng.choice([3, 4, 5, 6]))
    taper = float(rng.choice([1.0, rng.uniform(0.05, 0.9)]))
    outline = regular_polygon(sides) * (1.0, rng.uniform(0.4, 1.0))
    if sides == 3:
        outline = superellipse(2.0, 24)[: rng.integers(2, 6)] * (1, rng.choice([-1, 1]))
        outline = np.concatenate([[(0.0, 0.0)], outline])
        taper = 1.0
    solid = extrusion(outline, rng.uniform(0.2, 1.5), scale_top=(taper, taper))
    if rng.uniform() < 0.4:
        holes = [Manifold.sphere(rng.uniform(0.08, 0.2), 16).translate(
            tuple(rng.uniform((0.1, -0.5, 0), (1, 0.5, 1)))) for _ in range(rng.integers(1, 4))]
        for hole in holes:
            solid = solid - hole
    assembly.add(solid, colors.anything(rng))
    return assembly
