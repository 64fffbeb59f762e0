# SPDX-License-Identifier: Apache-2.0
"""Furniture, as models or toys: tables, chairs, stools, shelves, cupboards, sofas."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.solids import lathe, rounded_box


def _material(rng: np.random.Generator) -> np.ndarray:
    return colors.wood(rng) if rng.uniform() < 0.6 else colors.anything(rng)


def _add_legs(
    assembly: Assembly, rng: np.random.Generator, half: np.ndarray, height: float, color: np.ndarray
) -> None:
    thick, splay = rng.uniform(0.03, 0.07), rng.uniform(0.0, 10.0)
    low = thick * rng.uniform(0.5, 1.0)
    leg = Manifold.cylinder(height + 0.02, low, thick, int(rng.choice([4, 12])))
    for x in (-1, 1):
        for y in (-1, 1):
            turned = leg.translate((0, 0, -height)).rotate((splay * y, -splay * x, 0.0))
            place = (x * (half[0] - 1.6 * thick), y * (half[1] - 1.6 * thick), height)
            assembly.add(turned.translate(place), color)


def table(rng: np.random.Generator) -> Assembly:
    """Returns a table, desk, bench or stool with four legs or a central foot."""
    assembly = Assembly()
    half = np.array([0.5, rng.uniform(0.2, 0.5)])
    height, thick = rng.uniform(0.25, 1.0), rng.uniform(0.03, 0.1)
    color = _material(rng)
    legs = color if rng.uniform() < 0.6 else _material(rng)
    if rng.uniform() < 0.35:
        half[1] = half[0]
        top = lathe(np.array([(0.5, 0), (0.5, thick)]), 32)
        assembly.add(top.translate((0, 0, height)), color)
        half = half * 0.75
    else:
        top = rounded_box((*(2 * half), thick), 0.02, int(rng.choice([1, 3])))
        assembly.add(top.translate((0, 0, height + thick / 2)), color)
    if rng.uniform() < 0.25:
        foot = lathe(np.array([(0.3, 0), (0.28, 0.04), (0.05, 0.07), (0.05, height + 0.02)]), 24)
        assembly.add(foot, legs)
    else:
        _add_legs(assembly, rng, half, height, legs)
    return assembly


def chair(rng: np.random.Generator) -> Assembly:
    """Returns a chair or armchair with a slatted or solid back."""
    assembly = Assembly()
    half, height = np.array([0.27, rng.uniform(0.24, 0.3)]), rng.uniform(0.35, 0.5)
    color = _material(rng)
    seat = rounded_box((*(2 * half), rng.uniform(0.04, 0.12)), 0.02, int(rng.choice([1, 3])))
    assembly.add(seat.translate((0, 0, height)), color if rng.uniform() < 0.5 else _material(rng))
    _add_legs(assembly, rng, half, height, color)
    rise, lean = rng.uniform(0.35, 0.6), rng.uniform(0, 12)
    back = Manifold.cube((0.045, 2 * half[1], rise), False).translate((0, -half[1], 0))
    slats = int(rng.integers(0, 6))
    for i in range(slats):
        gap = 2 * half[1] * 0.85 / slats
        hole = Manifold.cube((1.0, gap * 0.6, rise * 0.7), True)
        offset = (i + 0.5 - slats / 2) * gap
        back = back - hole.translate((0, offset, rise * 0.5))
    assembly.add(back.rotate((0, -lean, 0)).translate((-half[0], 0, height)), color)
    if rng.uniform() < 0.3:
        for side in (-1, 1):
            arm = rounded_box((2 * half[0], 0.06, 0.22), 0.02, 3)
            assembly.add(arm.translate((0, side * half[1], height + 0.1)), color)
    return assembly


def shelf(rng: np.random.Generator) -> Assembly:
    """Returns a shelf, rack, cupboard, crate or drawer box with open compartments."""
    assembly = Assembly()
    size = np.array([rng.uniform(0.2, 0.5), rng.uniform(0.4, 1.0), 1.0])
    wall, color = rng.uniform(0.02, 0.05), _material(rng)
    assembly.add(Manifold.cube(tuple(size), True), color)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    cell = (size[1:] - wall) / (columns, rows) - wall
    depth = size[0] - wall if rng.uniform() < 0.7 else size[0] + 0.2
    inside = color if rng.uniform() < 0.6 else _material(rng)
    closed = rng.uniform(0.0, 0.5)
    for i in range(columns):
        for j in range(rows):
            y = -size[1] / 2 + wall + (i + 0.5) * cell[0] + i * wall
            z = -size[2] / 2 + wall + (j + 0.5) * cell[1] + j * wall
            if rng.uniform() < closed:
                knob = Manifold.sphere(0.03, 10).translate((size[0] / 2 + 0.01, y, z))
                assembly.add(knob, colors.metal(rng))
                continue
            hole = Manifold.cube((depth, *cell), True)
            assembly.cut(hole.translate((size[0] / 2 - depth / 2 + 0.01, y, z)), inside)
    return assembly


def sofa(rng: np.random.Generator) -> Assembly:
    """Returns a sofa, armchair or bed with cushions."""
    assembly = Assembly()
    width, depth = rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.5)
    fabric, cushion = colors.anything(rng), colors.anything(rng)
    steps = int(rng.choice([2, 4]))
    base = rounded_box((depth, width, 0.2), 0.04, steps)
    assembly.add(base.translate((0, 0, 0.12)), fabric)
    back = rounded_box((0.14, width, rng.uniform(0.35, 0.5)), 0.05, steps)
    assembly.add(back.translate((-depth / 2 + 0.05, 0, 0.25)), fabric)
    for side in (-1, 1):
        arm = rounded_box((depth, 0.12, rng.uniform(0.28, 0.36)), 0.05, steps)
        assembly.add(arm.translate((0, side * width / 2, 0.17)), fabric)
    seats = int(rng.integers(1, 4))
    pad = rounded_box((depth * 0.8, (width - 0.1) / seats, 0.1), 0.035, 4)
    for i in range(seats):
        offset = (i + 0.5 - seats / 2) * (width - 0.12) / seats
        assembly.add(pad.translate((0.05, offset, 0.25)), cushion)
    return assembly
