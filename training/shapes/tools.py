# SPDX-License-Identifier: Apache-2.0
"""Hand tools: hammer, screwdriver, spanner, brush."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import regular_polygon, rounded_rectangle, superellipse
from recon_node.training.shapes.solids import extrusion, lathe, rounded_box
from recon_node.training.shapes.vessels import smooth_profile


def grip(rng: np.random.Generator, length: float, radius: float, segments: int = 16) -> Manifold:
    """Returns a handle along +x from the origin, turned with gentle swellings, maybe flattened."""
    swell = radius * rng.uniform(0.75, 1.0, size=4)
    places = np.array([0.0, 0.06, 0.4, 0.7, 0.94, 1.0]) * length
    knots = np.column_stack([[0.6 * radius, *swell, 0.6 * radius], places])
    solid = lathe(smooth_profile(knots, 18), segments).rotate((0, 90, 0))
    return solid.scale((1, 1, rng.uniform(0.6, 1.0)))


def grip_color(rng: np.random.Generator) -> np.ndarray:
    """Returns the colour of a handle: wood, rubber or bright plastic."""
    pick = rng.uniform()
    return colors.wood(rng) if pick < 0.35 else colors.black(rng) if pick < 0.6 else (
        colors.saturated(rng))


def hammer(rng: np.random.Generator) -> Assembly:
    """Returns a claw, ball or sledge hammer or a mallet, lying on its side."""
    assembly = Assembly()
    length, radius = 1.0, rng.uniform(0.04, 0.065)
    shaft = grip(rng, length, radius)
    assembly.add(shaft, grip_color(rng))
    head_color = colors.metal(rng) if rng.uniform() < 0.7 else grip_color(rng)
    size, reach = rng.uniform(0.06, 0.11), rng.uniform(0.15, 0.25)
    neck = rng.uniform(0.7, 1.0) * size
    centre = (length - size * 0.8, 0.0, 0.0)
    sides = int(rng.choice([4, 8, 20]))
    profile = np.array([(size, -reach), (size, -reach * 0.65), (neck, -reach * 0.5), (neck, 0.05)])
    face = lathe(profile, sides).rotate((90, 0, 0)).translate(centre)
    assembly.add(face, head_color)
    kind = rng.uniform()
    if kind < 0.45:
        outline = np.array([(neck, -0.02), (neck * 0.7, -reach * 0.6), (-size, -reach * 1.15),
                            (-size * 1.1, -reach * 1.1), (-neck * 0.6, -reach * 0.5),
                            (-neck, 0.02)])
        claw = extrusion(outline, 1.4 * size).translate((0, 0, -0.7 * size))
        slot = Manifold.cube((3 * size, reach, 0.3 * size), True)
        claw = claw - slot.translate((-0.5 * size, -reach, 0))
        assembly.add(claw.translate(centre), head_color)
    elif kind < 0.7:
        assembly.add(Manifold.sphere(neck, 20).translate(
            (centre[0], -reach * 0.5, 0)), head_color)
    else:
        assembly.add(face.rotate((180, 0, 0)), head_color)
    return assembly


def screwdriver(rng: np.random.Generator) -> Assembly:
    """Returns a screwdriver, awl or chisel, lying."""
    assembly = Assembly()
    handle_length, radius = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.09)
    sides = int(rng.choice([6, 8, 24]))
    assembly.add(grip(rng, handle_length, radius, sides), grip_color(rng))
    shaft = rng.uniform(0.25, 0.7)
    steel = colors.metal(rng)
    thin = rng.uniform(0.014, 0.03)
    rod = lathe(np.array([(thin, -0.05), (thin, shaft)]), 12).rotate((0, 90, 0))
    assembly.add(rod.translate((handle_length, 0, 0)), steel)
    width = thin * rng.uniform(0.9, 2.5)
    blade = np.array([(-0.01, -thin), (0.06, -width), (0.13, -width * 0.8), (0.13, width * 0.8),
                      (0.06, width), (-0.01, thin)])
    tip = extrusion(blade, thin).translate((handle_length + shaft, 0, -thin / 2))
    assembly.add(tip, steel)
    return assembly


def spanner(rng: np.random.Generator) -> Assembly:
    """Returns an open-ended, ring or combination spanner, lying flat."""
    assembly = Assembly()
    thick, width = rng.uniform(0.04, 0.08), rng.uniform(0.07, 0.12)
    steel = colors.metal(rng) if rng.uniform() < 0.8 else colors.plastic(rng)
    bar = rounded_box((1.0, width, thick * 0.8), 0.02, 4)
    assembly.add(bar, steel)
    for side in (-1, 1):
        size = width * rng.uniform(0.9, 1.4)
        head = lathe(np.array([(size, -thick / 2), (size, thick / 2)]), 28)
        assembly.add(head.translate((side * 0.5, 0, 0)), steel)
        jaw = size * rng.uniform(0.45, 0.65)
        if rng.uniform() < 0.6:
            slot = Manifold.cube((2 * size, 2 * jaw, 1.0), True).translate((size, 0, 0))
            slot = slot.translate((-jaw * 0.3, 0, 0)).rotate((0, 0, rng.uniform(-20, 20)))
        else:
            slot = extrusion(regular_polygon(6, jaw), 1.0).translate((0, 0, -0.5))
        if side < 0:
            slot = slot.rotate((0, 0, 180))
        assembly.cut(slot.translate((side * (0.5 + 0.1 * size), 0, 0)))
    return assembly


def brush(rng: np.random.Generator) -> Assembly:
    """Returns a paint brush, dish brush or toothbrush, lying."""
    assembly = Assembly()
    length = rng.uniform(0.5, 0.9)
    assembly.add(grip(rng, length, rng.uniform(0.025, 0.06)), grip_color(rng))
    bristle = colors.anything(rng)
    if rng.uniform() < 0.5:
        width, thick = rng.uniform(0.08, 0.25), rng.uniform(0.04, 0.08)
        outline = superellipse(4.0, 20) * (width / 2, thick / 2)
        ferrule = extrusion(outline * 1.08, 0.18).rotate((90, 0, 90))
        hair = extrusion(outline, 0.4, scale_top=(rng.uniform(0.8, 1.2), 0.4)).rotate((90, 0, 90))
        assembly.add(ferrule.translate((length - 0.08, 0, 0)), colors.metal(rng))
        assembly.add(hair.translate((length + 0.05, 0, 0)), bristle)
    else:
        size = np.array([rng.uniform(0.15, 0.4), rng.uniform(0.08, 0.16), 0.05])
        centre = (length + size[0] * 0.4, 0, 0)
        assembly.add(rounded_box(size, 0.03, 4).translate(centre), grip_color(rng))
        depth = rng.uniform(0.06, 0.14)
        tuft = extrusion(rounded_rectangle(size[0] * 0.9, size[1] * 0.85, 0.03), depth)
        assembly.add(tuft.translate(centre), bristle)
    return assembly
