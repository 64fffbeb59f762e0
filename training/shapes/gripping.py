# SPDX-License-Identifier: Apache-2.0
"""Tools with two arms, a trigger or a blade: pliers, scissors, clamps, drills, saws, pens."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import (
    evenly_spaced,
    rounded_rectangle,
    smooth_curve,
    superellipse,
)
from recon_node.training.shapes.rotations import ON_EDGE
from recon_node.training.shapes.solids import (
    capsule_sweep,
    extrusion,
    lathe,
    rounded_box,
    squared,
    stack,
    sweep,
)
from recon_node.training.shapes.tools import grip_color


def pliers(rng: np.random.Generator) -> Assembly:
    """Returns pliers, pincers, cutters or a nutcracker, partly open."""
    assembly = Assembly()
    spread, jaw = rng.uniform(0.08, 0.2), rng.uniform(0.15, 0.35)
    thick, steel = rng.uniform(0.03, 0.05), colors.metal(rng)
    opening = rng.uniform(0.0, 0.09)
    handle = grip_color(rng)
    for side in (-1, 1):
        knots = np.array([(0.02, 0.03, 0), (-0.15, spread, 0), (-0.45, spread * 1.1, 0),
                          (-0.75, spread * rng.uniform(0.7, 1.1), 0)]) * (1, side, 1)
        curve = smooth_curve(knots, 14)
        assembly.add(capsule_sweep(curve, np.linspace(0.035, 0.045, 14), segments=10), handle)
        beak = np.array([(-0.06, -0.05), (jaw, opening), (jaw, opening + 0.03),
                         (0.4 * jaw, 0.07 + 0.5 * opening), (-0.02, 0.08)])
        outline = beak * (1, side)
        section = CrossSection([outline[:: side]], FillRule.NonZero)
        assembly.add(section.extrude(2 * thick).translate((0, 0, -thick)), steel)
    assembly.add(Manifold.cylinder(2.4 * thick, 0.075, 0.075, 20, True), steel)
    return assembly


def scissors(rng: np.random.Generator) -> Assembly:
    """Returns scissors or shears with two finger loops, partly open."""
    assembly = Assembly()
    steel, plastic = colors.metal(rng), grip_color(rng)
    opening, blade = rng.uniform(2.0, 22.0), rng.uniform(0.45, 0.65)
    width, thick = rng.uniform(0.05, 0.09), rng.uniform(0.014, 0.024)
    loop = rounded_rectangle(rng.uniform(0.2, 0.34), rng.uniform(0.14, 0.2), 0.07, 6)
    loop = evenly_spaced(loop, 24)
    ring = sweep(np.column_stack([loop, np.zeros(len(loop))]), rng.uniform(0.02, 0.035),
                 segments=8, closed=True)
    for side in (-1, 1):
        outline = np.array([(-0.12, -width * 0.4), (blade, 0.0), (blade * 0.9, width * 0.35),
                            (-0.05, width * 0.5)]) * (1, side)
        half = CrossSection([outline[:: side]], FillRule.NonZero).extrude(thick)
        half = half.translate((0, 0, -thick / 2 + side * 0.45 * thick))
        shank = smooth_curve(np.array([(-0.05, 0, 0), (-0.18, -side * 0.02, 0),
                                       (-0.3, -side * 0.1, 0)]), 8)
        turn = (0, 0, side * opening / 2)
        assembly.add(half.rotate(turn), steel)
        assembly.add(capsule_sweep(shank, 0.028, segments=8).rotate(turn), plastic)
        assembly.add(ring.translate((-0.4, -side * 0.12, 0)).rotate(turn), plastic)
    assembly.add(Manifold.cylinder(3 * thick, 0.025, 0.025, 14, True), steel)
    return assembly


def clamp(rng: np.random.Generator) -> Assembly:
    """Returns a C-clamp, G-clamp or caliper: a frame with a screw."""
    assembly = Assembly()
    height, depth = rng.uniform(0.6, 1.1), rng.uniform(0.35, 0.6)
    bar = rng.uniform(0.06, 0.1)
    path = np.array([(depth, 0, 0), (0.05, 0, 0), (0, 0, 0.05), (0, 0, height - 0.05),
                     (0.05, 0, height), (depth, 0, height)])
    frame_color = colors.metal(rng) if rng.uniform() < 0.5 else colors.saturated(rng)
    frame = sweep(path, np.array([[bar * 0.6, bar]] * 6), section=superellipse(5.0, 12),
                  side=(0, 1, 0))
    assembly.add(frame, frame_color)
    steel, screw = colors.metal(rng), rng.uniform(0.03, 0.045)
    reach = height * rng.uniform(0.3, 0.7)
    pad = [(screw * 1.9, 0), (screw * 1.9, 0.04), (screw, 0.05), (screw, reach + 0.25)]
    rod = lathe(np.array(pad), 14)
    low = height - reach
    assembly.add(rod.translate((depth - 0.06, 0, low)), steel)
    bar_height = low + reach + 0.22
    tommy = lathe(np.array([(0.016, -0.15), (0.016, 0.15)]), 10).rotate((90, 0, 0))
    assembly.add(tommy.translate((depth - 0.06, 0, bar_height)), steel)
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE)
    return assembly


def peg(rng: np.random.Generator) -> Assembly:
    """Returns a spring clamp or clothes peg: two levers crossing at a spring."""
    assembly = Assembly()
    thick, width, open_angle = rng.uniform(0.06, 0.1), rng.uniform(0.1, 0.22), rng.uniform(5, 16)
    color = colors.wood(rng) if rng.uniform() < 0.4 else colors.saturated(rng)
    for side in (-1, 1):
        t = np.linspace(-0.5, 0.5, 12)
        bulge = thick * (0.75 + 0.5 * np.exp(-((t - 0.1) / 0.18) ** 2))
        lever = stack(t, np.column_stack([np.full(12, width / 2), bulge / 2]), exponents=5.0,
                      segments=16).rotate((0, 90, 0))
        lever = lever.rotate((90, 0, 0))
        lever = lever.rotate((0, 0, -side * open_angle / 2)).translate((0, side * thick * 0.62, 0))
        assembly.add(lever, color)
    spring = Manifold.cylinder(width * 1.15, thick * 0.55, thick * 0.55, 16, True)
    assembly.add(spring.translate((0.1, 0, 0)), colors.metal(rng))
    link = Manifold.cube((0.08, thick * 1.3, width * 0.8), True)
    assembly.add(link.translate((0.1, 0, 0)), colors.metal(rng))
    return assembly


def drill(rng: np.random.Generator) -> Assembly:
    """Returns a pistol-shaped tool: drill, hair dryer, glue gun, scanner, water pistol."""
    assembly = Assembly()
    body_color, dark = colors.saturated(rng), colors.black(rng)
    length, radius = rng.uniform(0.5, 0.8), rng.uniform(0.12, 0.2)
    profile = np.array([(radius * 0.75, 0), (radius, 0.05), (radius, length * 0.75),
                        (radius * rng.uniform(0.6, 1.0), length)])
    body = squared(lathe(profile, 28), rng.uniform(2.0, 4.0)).rotate((0, 90, 0))
    assembly.add(body, body_color)
    nose = np.array([(radius * 0.6, 0), (radius * 0.55, 0.15), (radius * 0.25, 0.22)])
    if rng.uniform() < 0.4:
        nose = np.array([(radius * 0.7, 0), (radius * rng.uniform(0.7, 1.2), 0.25)])
    assembly.add(lathe(nose + (0, length - 0.02), 24).rotate((0, 90, 0)), dark)
    if rng.uniform() < 0.5:
        bit = lathe(np.array([(0.022, 0), (0.022, 0.35), (0.003, 0.38)]), 10).rotate((0, 90, 0))
        assembly.add(bit.translate((length + 0.15, 0, 0)), colors.metal(rng))
    drop, lean = rng.uniform(0.45, 0.7), rng.uniform(-0.05, 0.2)
    t = np.linspace(0, 1, 8)
    half = np.column_stack([0.095 - 0.02 * np.sin(np.pi * t), np.full(8, 0.07)])
    centres = np.column_stack([0.25 * length - lean * (1 - t), np.zeros(8)])
    handle = stack(-drop * (1 - t), half, exponents=3.0, centres=centres, segments=20)
    assembly.add(handle, dark if rng.uniform() < 0.5 else body_color)
    if rng.uniform() < 0.6:
        pack = rounded_box((rng.uniform(0.25, 0.4), 0.19, rng.uniform(0.08, 0.16)), 0.03, 4)
        assembly.add(pack.translate((0.25 * length - lean, 0, -drop)), dark)
    trigger = rounded_box((0.06, 0.05, 0.13), 0.02, 3)
    assembly.add(trigger.translate((0.25 * length + 0.1, 0, -radius - 0.08)), dark)
    if rng.uniform() < 0.5:
        assembly.turn(ON_EDGE)
    return assembly


def spray_bottle(rng: np.random.Generator) -> Assembly:
    """Returns a bottle with a trigger head, pump or flip nozzle."""
    assembly = Assembly()
    height, neck = rng.uniform(0.9, 1.5), rng.uniform(0.12, 0.2)
    heights = np.array([0, 0.04, 0.5, 0.75, 0.92, 1.0]) * height
    wide = np.array([0.36, 0.4, 0.4, rng.uniform(0.25, 0.4), neck, neck])
    deep = np.maximum(wide * rng.uniform(0.55, 1.0), neck * (heights > 0.9 * height))
    body = stack(heights, np.column_stack([wide, deep]), exponents=[3, 3, 3, 2.5, 2, 2])
    low, high = height * 0.1, height * rng.uniform(0.5, 0.7)
    assembly.add_painted(body, lambda p: (p[:, 2] > low) & (p[:, 2] < high),
                         [colors.plastic(rng), colors.plastic(rng)])
    head = colors.plastic(rng)
    steps = [(neck * 1.2, -0.02), (neck * 1.2, 0.16), (0.06, 0.2), (0.06, 0.36)]
    collar = lathe(np.array(steps), 24)
    assembly.add(collar.translate((0, 0, height)), head)
    top = height + 0.34
    if rng.uniform() < 0.7:
        gun = rounded_box((0.62, 0.15, 0.17), 0.05, 4).translate((0.08, 0, top))
        nozzle = lathe(np.array([(0.06, 0), (0.07, 0.12)]), 14).rotate((0, 90, 0))
        assembly.add(gun, head)
        assembly.add(nozzle.translate((0.36, 0, top)), colors.plastic(rng))
        curve = np.array([(0.2, 0, top), (0.26, 0, top - 0.14), (0.2, 0, top - 0.3)])
        assembly.add(capsule_sweep(smooth_curve(curve, 8), 0.035, segments=8), head)
    else:
        curve = np.array([(-0.05, 0, top), (0.2, 0, top + 0.02), (0.36, 0, top - 0.06)])
        assembly.add(capsule_sweep(smooth_curve(curve, 8), 0.06, segments=12), head)
    return assembly


def saw(rng: np.random.Generator) -> Assembly:
    """Returns a hand saw, trowel, hatchet or shovel: a blade with a handle."""
    assembly = Assembly()
    steel, thick = colors.metal(rng), rng.uniform(0.014, 0.03)
    if rng.uniform() < 0.4:
        deep, narrow = rng.uniform(0.18, 0.28), rng.uniform(0.06, 0.12)
        edge = np.array([(0, 0), (0.75, deep - narrow), (0.75, deep), (0, deep)])
        blade = CrossSection([edge], FillRule.NonZero).extrude(thick)
        assembly.add(blade.translate((0, -deep, -thick / 2)), steel)
        loop = rounded_rectangle(0.26, 0.24, 0.1, 5)
        handle = CrossSection([loop], FillRule.NonZero) - CrossSection(
            [loop * (0.5, 0.45)], FillRule.NonZero)
        solid = handle.extrude(0.05).translate((-0.09, -deep / 2, -0.025))
        assembly.add(solid, grip_color(rng))
        return assembly
    pointed = rng.uniform(0.0, 0.9)
    outline = smooth_curve(np.array([(0, 0.05), (0.08, 0.13), (0.25, 0.14), (0.42, 0.02 + 0.1 * (
        1 - pointed)), (0.42, -0.02 - 0.1 * (1 - pointed)), (0.25, -0.14), (0.08, -0.13),
        (0, -0.05)])[::-1], 40, closed=True)
    blade = extrusion(outline, thick).translate((0, 0, -thick / 2))
    bend = rng.uniform(0.0, 0.08)
    rod = smooth_curve(np.array([(0.08, 0, 0.0), (-0.05, 0, bend), (-0.25, 0, bend)]), 8)
    assembly.add(blade, steel)
    assembly.add(capsule_sweep(rod, 0.02, segments=8), steel)
    handle = lathe(np.array([(0.03, 0), (0.04, 0.1), (0.035, 0.25), (0.03, 0.3)]), 14)
    assembly.add(handle.rotate((0, -90, 0)).translate((-0.18, 0, bend)), grip_color(rng))
    return assembly


def marker(rng: np.random.Generator) -> Assembly:
    """Returns a pen, pencil, marker, lipstick, torch, candle or cigar, lying."""
    assembly = Assembly()
    radius = rng.uniform(0.035, 0.12)
    sides = int(rng.choice([6, 14, 24, 24]))
    split, color = rng.uniform(0.45, 0.8), colors.anything(rng)
    body = np.array([(radius * 0.9, 0.0), (radius, 0.02), (radius, split)])
    assembly.add(lathe(body, sides).rotate((0, 90, 0)), color)
    tip = rng.uniform()
    wide = radius * rng.uniform(1.02, 1.25)
    end = np.array([(wide, 0), (wide, 0.95 - split), (wide * 0.85, 1 - split)])
    if tip < 0.35:
        end = np.array([(radius, 0), (radius * 0.25, 0.12), (radius * 0.1, 0.15)])
    elif tip < 0.5:
        wide = radius * rng.uniform(1.3, 1.9)
        end = np.array([(radius, 0), (wide, 0.1), (wide, 0.2)])
    cap = lathe(end + (0, split - 0.01), sides).rotate((0, 90, 0))
    assembly.add(cap, colors.anything(rng))
    if rng.uniform() < 0.3:
        clip = rounded_box((0.25, radius * 0.4, 0.015), 0.006, 2)
        assembly.add(clip.translate((split + 0.1, 0, wide)), colors.metal(rng))
        link = Manifold.cube((0.03, radius * 0.4, 0.05), True)
        assembly.add(link.translate((split + 0.2, 0, wide - 0.02)), colors.metal(rng))
    return assembly
