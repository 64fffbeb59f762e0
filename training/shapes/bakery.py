# SPDX-License-Identifier: Apache-2.0
"""Prepared food: bread, rings, layered stacks, cakes, cones, slices."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import superellipse
from recon_node.training.shapes.fruit import smooth_noise, stem
from recon_node.training.shapes.solids import (
    capsule_sweep,
    extrusion,
    lathe,
    rounded_box,
    stack,
    star_solid,
    sweep,
)
from recon_node.training.shapes.vessels import smooth_profile


def crust(rng: np.random.Generator) -> np.ndarray:
    """Returns the colour of something baked."""
    return colors.from_hsv(rng.uniform(0.06, 0.11), rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.9))


def loaf(rng: np.random.Generator) -> Assembly:
    """Returns a loaf, roll, baguette or toast slice."""
    assembly = Assembly()
    length, height = rng.uniform(1.0, 3.0), rng.uniform(0.5, 0.9)
    count = 14
    t = np.linspace(-1, 1, count)
    swell = np.clip(1 - np.abs(t) ** rng.uniform(3.0, 10.0), 0.05, 1) ** 0.5
    half = np.column_stack([0.5 * height * swell, 0.5 * swell])
    solid = stack(t * length / 2, half, exponents=rng.uniform(2.2, 3.5), segments=24)
    solid = solid.rotate((0, 90, 0))
    solid = solid.trim_by_plane((0, 0, 1), -0.32 * height)
    assembly.add(solid, crust(rng))
    for place in np.linspace(-0.35, 0.35, int(rng.integers(1, 6))) * length:
        if rng.uniform() < 0.6:
            score = Manifold.cylinder(1.0, 0.05, 0.05, 8, True).rotate((90, 0, 25))
            assembly.cut(score.translate((place, 0, 0.5 * height)), colors.white(rng))
    return assembly


def ring_cake(rng: np.random.Generator) -> Assembly:
    """Returns a doughnut or bagel, perhaps with icing, or a pretzel-like bent roll."""
    assembly = Assembly()
    thick = rng.uniform(0.2, 0.42)
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    gap = rng.uniform(0.0, 1.6) if rng.uniform() < 0.3 else None
    section = superellipse(rng.uniform(1.9, 2.6), 16)
    if gap is None:
        curve = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(36)])
        solid = sweep(curve, thick, section=section, closed=True, side=(0, 0, 1))
    else:
        angle = np.linspace(gap, 2 * np.pi - gap, 30)
        curve = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(30)])
        radii = thick * np.linspace(-1, 1, 30) ** 2
        solid = capsule_sweep(curve, thick * 1.15 - radii * 0.8, segments=14)
    dough = crust(rng)
    icing = colors.anything(rng) if rng.uniform() < 0.5 else dough
    level = thick * rng.uniform(0.1, 0.5)
    assembly.add_painted(solid, lambda p: p[:, 2] > level, [dough, icing])
    return assembly


def burger(rng: np.random.Generator) -> Assembly:
    """Returns a layered stack: burger, sandwich, biscuit, cake, sushi, stacked tins."""
    assembly = Assembly()
    squareness = float(rng.choice([2.0, 2.0, 4.0, 10.0]))
    level, layers = 0.0, int(rng.integers(2, 6))
    for i in range(layers):
        thick, width = rng.uniform(0.06, 0.35), rng.uniform(0.85, 1.08)
        edge = min(thick * 0.4, 0.1)
        heights = np.array([0, edge, thick - edge, thick]) + level - 0.01 * i
        half = np.array([width - edge, width, width, width - edge])
        layer = stack(heights, np.column_stack([half, half]), exponents=squareness, segments=28)
        assembly.add(layer, crust(rng) if i in (0, layers - 1) else colors.anything(rng))
        level += thick
    if rng.uniform() < 0.6:
        dome = star_solid(lambda d: np.ones(d.shape[:-1]), 28)
        dome = dome.scale((1, 1, rng.uniform(0.3, 0.6))).trim_by_plane((0, 0, 1), 0.0)
        assembly.add(dome.translate((0, 0, level - 0.08)), crust(rng))
    return assembly


def cupcake(rng: np.random.Generator) -> Assembly:
    """Returns a fluted case with a domed or piped top: cupcake, pudding, ice cream, mushroom."""
    assembly = Assembly()
    flutes = int(rng.integers(12, 24))
    angle = np.arange(4 * flutes) * (2 * np.pi / (4 * flutes))
    outline = (1 + 0.05 * np.cos(flutes * angle))[:, None] * np.column_stack(
        [np.cos(angle), np.sin(angle)])
    low = rng.uniform(0.25, 0.75)
    case = extrusion(outline * low, rng.uniform(0.7, 1.8), scale_top=(0.75 / low, 0.75 / low))
    height = case.bounding_box()[5]
    assembly.add(case, colors.anything(rng))
    top = rng.uniform(0.4, 1.2)
    steps = int(rng.integers(1, 5))
    t = np.linspace(0, 1, 20)
    radius = (0.95 * np.sqrt(np.clip(1 - t**2, 0, 1)) * (1 + 0.12 * np.cos(2 * np.pi * steps * t)))
    frosting = lathe(np.column_stack([np.maximum(radius, 0.01), t * top]), 28)
    assembly.add(frosting.translate((0, 0, height - 0.05)), colors.anything(rng))
    if rng.uniform() < 0.4:
        cherry = Manifold.sphere(0.16, 14).translate((0, 0, height + top))
        assembly.add(cherry, colors.from_hsv(0.98, 0.9, 0.8))
    return assembly


def mushroom(rng: np.random.Generator) -> Assembly:
    """Returns a mushroom, lollipop, ice lolly or skewer: a head on a stalk."""
    assembly = Assembly()
    if rng.uniform() < 0.5:
        foot, height = rng.uniform(0.15, 0.35), rng.uniform(0.4, 1.2)
        stalk = smooth_profile([(foot, 0), (foot * 0.8, height * 0.5), (foot, height)], 10)
        assembly.add(lathe(stalk, 20), colors.white(rng))
        knots = [(0.35, -0.05), (0.75, 0.0), (0.7, 0.2), (0.4, 0.45), (0.05, 0.52)]
        cap = smooth_profile(knots, 18)
        assembly.add(lathe(cap * (1, rng.uniform(0.6, 1.4)) + (0, height), 28), crust(rng))
        return assembly
    head = rounded_box((1.0, rng.uniform(0.25, 1.0), rng.uniform(0.6, 1.8)), 0.2, 5)
    if rng.uniform() < 0.4:
        head = Manifold.sphere(0.5, 28)
    low = head.bounding_box()[2]
    assembly.add(head, colors.saturated(rng))
    stick = rounded_box((rng.uniform(0.06, 0.15), 0.06, 1.2), 0.02, 3)
    assembly.add(stick.translate((0, 0, low - 0.5)), colors.wood(rng))
    return assembly


def meat(rng: np.random.Generator) -> Assembly:
    """Returns a drumstick, steak, fish or chop with a bone or tail."""
    assembly = Assembly()
    kind = rng.uniform()
    noise = smooth_noise(rng, 0.1)
    flesh = colors.from_hsv(rng.uniform(-0.02, 0.09), rng.uniform(0.4, 0.75), rng.uniform(0.4, 0.9))
    if kind < 0.4:
        body = star_solid(lambda d: np.exp(noise(d)) * (1 + 0.35 * d[..., 0]), 28)
        assembly.add(body.scale((0.55, 0.42, 0.4)), flesh)
        bone = capsule_sweep(np.array([(-0.3, 0, 0), (-0.7, 0, 0), (-1.0, 0, 0)]),
                             np.array([0.09, 0.06, 0.09]), segments=10)
        assembly.add(bone, colors.white(rng))
    elif kind < 0.7:
        body = star_solid(lambda d: np.exp(2 * noise(d)), 36)
        assembly.add(body.scale((1.0, 0.65, rng.uniform(0.12, 0.3))), flesh)
        if rng.uniform() < 0.5:
            assembly.add(stem(rng, 0.0, 0.3, 0.1), colors.white(rng))
    else:
        t = np.linspace(0, 1, 16)
        depth = 0.3 * np.sin(np.pi * np.clip(t * 1.08, 0.03, 1)) ** 0.8 + 0.05
        half = np.column_stack([depth * rng.uniform(0.35, 0.6), depth])
        body = stack(t * 1.4, half, segments=20).rotate((0, 90, 0))
        scales = colors.muted(rng) if rng.uniform() < 0.6 else colors.anything(rng)
        assembly.add(body, scales)
        tail = np.array([(1.3, 0.0), (1.65, 0.3), (1.58, 0.0), (1.65, -0.3)])[::-1]
        assembly.add(extrusion(tail, 0.05).translate((0, 0, -0.025)), scales)
    return assembly
