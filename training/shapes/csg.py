# SPDX-License-Identifier: Apache-2.0
"""Random boolean combinations of simple solids."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.extrusions import random_outline
from recon_node.training.shapes.rotations import any_rotation, quarter_turn
from recon_node.training.shapes.solids import extrusion, lathe, rounded_box, superquadric, sweep


def random_solid(rng: np.random.Generator) -> Manifold:
    """Returns a primitive of about unit size, centred near the origin."""
    kind = int(rng.integers(0, 6))
    if kind == 0:
        return rounded_box(rng.uniform(0.3, 1.2, size=3), rng.uniform(0, 0.1),
                           int(rng.choice([1, 2, 4])))
    if kind == 1:
        radius, height = rng.uniform(0.15, 0.6), rng.uniform(0.3, 1.4)
        top = radius * float(rng.choice([1.0, rng.uniform(0.2, 1.0)]))
        return lathe(np.array([(radius, -height / 2), (top, height / 2)]), 28)
    if kind == 2:
        return superquadric(rng.uniform(0.25, 0.7, size=3), *rng.uniform(1.6, 6.0, size=2), 28)
    if kind == 3:
        height = rng.uniform(0.2, 0.8)
        return extrusion(0.6 * random_outline(rng), height).translate((0, 0, -height / 2))
    if kind == 4:
        return Manifold.sphere(rng.uniform(0.3, 0.6), 28)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    curve = 0.5 * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(28)])
    return sweep(curve, rng.uniform(0.08, 0.2), segments=14, closed=True)


def _placed(rng: np.random.Generator, solid: Manifold, spread: float) -> Manifold:
    rotation = quarter_turn(rng) if rng.uniform() < 0.75 else any_rotation(rng)
    offset = rng.uniform(-spread, spread, size=3) * (rng.uniform(size=3) < 0.6)
    return solid.transform(np.column_stack([rotation, offset]))


def combination(rng: np.random.Generator) -> Assembly:
    """Returns two to five primitives joined, cut out of each other or intersected."""
    while True:
        assembly = Assembly()
        base = random_solid(rng)
        if rng.uniform() < 0.2:
            common = base ^ _placed(rng, random_solid(rng), 0.3)
            base = common if common.volume() > 0.3 * base.volume() else base
        assembly.add(base, colors.anything(rng))
        kept = base
        for _ in range(int(rng.integers(1, 5))):
            other = _placed(rng, random_solid(rng), 0.55)
            overlap = (kept ^ other).volume()
            if rng.uniform() < 0.5:
                if overlap > 0.02 * other.volume():
                    assembly.add(other, colors.anything(rng))
                    kept = kept + other
            elif 0.02 < overlap / kept.volume() < 0.6:
                assembly.cut(other, colors.anything(rng) if rng.uniform() < 0.4 else None)
                kept = kept - other
        if len(kept.decompose()) == 1 and kept.volume() > 0.02:
            return assembly


def machined(rng: np.random.Generator) -> Assembly:
    """Returns a machined part: block or disc with holes, pockets, slots and bosses."""
    assembly = Assembly()
    size = np.array([1.0, rng.uniform(0.4, 1.0), rng.uniform(0.15, 0.7)])
    color = colors.metal(rng) if rng.uniform() < 0.5 else colors.anything(rng)
    if rng.uniform() < 0.5:
        assembly.add(rounded_box(size, rng.uniform(0.01, 0.08), int(rng.choice([1, 2, 4]))), color)
    else:
        size[1] = size[0]
        assembly.add(lathe(np.array([(0.5, -size[2] / 2), (0.5, size[2] / 2)]), 40), color)
    boss = lathe(np.array([(rng.uniform(0.12, 0.25), 0), (rng.uniform(0.1, 0.2), 0.3)]), 28)
    if rng.uniform() < 0.5:
        assembly.add(boss.translate((0, 0, size[2] / 2 - 0.02)), color)
    hole = lathe(np.array([(rng.uniform(0.03, 0.09), -2.0), (rng.uniform(0.03, 0.09), 2.0)]), 20)
    count = int(rng.choice([1, 2, 4, 4, 6]))
    for i in range(count):
        angle = 2 * np.pi * (i + 0.5) / count
        place = 0.36 * size[:2] * (np.cos(angle), np.sin(angle))
        assembly.cut(hole.translate((*place, 0.0)))
    if rng.uniform() < 0.5:
        pocket = rounded_box((0.4 * size[0], 0.45 * size[1], 0.5 * size[2]), 0.03, 3)
        assembly.cut(pocket.translate((0, 0, rng.choice([-0.5, 0.5]) * size[2])))
    if rng.uniform() < 0.4:
        slot = Manifold.cube((2.0, rng.uniform(0.08, 0.25), size[2] * 0.8), True)
        assembly.cut(slot.translate((0, rng.uniform(-0.2, 0.2) * size[1], size[2] / 2)))
    if rng.uniform() < 0.4:
        assembly.turn(quarter_turn(rng))
    return assembly
