# SPDX-License-Identifier: Apache-2.0
"""Toy vehicles: cars, trucks, trains, aeroplanes."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import smooth_curve
from recon_node.training.shapes.rotations import ON_SIDE
from recon_node.training.shapes.solids import extrusion, lathe, rounded_box, stack


def _add_wheels(
    assembly: Assembly, rng: np.random.Generator, places: list[float], half: float, radius: float
) -> None:
    thick = rng.uniform(0.07, 0.14)
    tyre = Manifold.cylinder(thick, radius, radius, 22, True).rotate((90, 0, 0))
    hub = Manifold.cylinder(thick + 0.02, 0.5 * radius, 0.5 * radius, 16, True).rotate((90, 0, 0))
    axle = Manifold.cylinder(2 * half, 0.03, 0.03, 8, True).rotate((90, 0, 0))
    rubber, rim = colors.black(rng), colors.metal(rng)
    for x in places:
        assembly.add(axle.translate((x, 0, radius)), rim)
        for side in (-1, 1):
            place = (x, side * half, radius)
            assembly.add(tyre.translate(place), rubber)
            assembly.add(hub.translate(place), rim)


def car(rng: np.random.Generator) -> Assembly:
    """Returns a saloon, van, bus or sports car."""
    assembly = Assembly()
    radius, half = rng.uniform(0.09, 0.14), rng.uniform(0.18, 0.24)
    deck, roof = rng.uniform(0.14, 0.22), rng.uniform(0.15, 0.32)
    low, nose = 0.6 * radius, rng.uniform(0.15, 0.45)
    rear = rng.uniform(0.02, 0.3)
    outline = np.array([(-0.5, 0), (0.5, 0), (0.5, deck * 0.9), (0.5 - nose, deck),
                        (0.5 - nose - roof * 0.5, deck + roof), (-0.5 + rear, deck + roof),
                        (-0.5 + rear * 0.3, deck), (-0.5, deck * 0.95)])
    if rng.uniform() < 0.5:
        outline = smooth_curve(outline[2:], 30)
        outline = np.concatenate([[(-0.5, 0), (0.5, 0)], outline])
    paint = colors.saturated(rng) if rng.uniform() < 0.6 else colors.anything(rng)
    section = CrossSection([outline], FillRule.NonZero)
    body = section.extrude(2 * half).rotate((90, 0, 0)).translate((0, half, low))
    assembly.add(body, paint)
    glass = CrossSection([(outline - (0, deck)) * (0.86, 0.8) + (0, deck)], FillRule.NonZero)
    glass = glass ^ CrossSection.square((2, roof * 0.75)).translate((-1, deck + 0.03))
    if not glass.is_empty():
        window = glass.extrude(2 * half + 0.01).rotate((90, 0, 0))
        assembly.add(window.translate((0, half + 0.005, low)), colors.black(rng))
    _add_wheels(assembly, rng, [-0.3, 0.3], half, radius)
    for side in (-1, 1):
        lamp = Manifold.sphere(0.035, 10).translate((0.49, side * half * 0.7, low + deck * 0.6))
        assembly.add(lamp, colors.white(rng))
    return assembly


def truck(rng: np.random.Generator) -> Assembly:
    """Returns a truck, tipper, tractor, bus or wagon: cab, load and wheels on a chassis."""
    assembly = Assembly()
    radius, half = rng.uniform(0.08, 0.16), rng.uniform(0.16, 0.26)
    low = radius * 1.1
    chassis = Manifold.cube((1.0, 1.6 * half, 0.08), True).translate((0, 0, low + 0.02))
    assembly.add(chassis, colors.black(rng))
    cab = np.array([rng.uniform(0.22, 0.32), 2 * half, rng.uniform(0.25, 0.42)])
    steps = int(rng.choice([1, 2, 4]))
    paint = colors.saturated(rng)
    place = np.array([0.5 - cab[0] / 2, 0, low + cab[2] / 2])
    assembly.add(rounded_box(cab, 0.05, steps).translate(tuple(place)), paint)
    window = np.array([cab[0] * 0.5, cab[1] + 0.01, cab[2] * 0.35])
    assembly.add(Manifold.cube(tuple(window), True).translate(
        tuple(place + (0.03, 0, 0.2 * cab[2]))), colors.black(rng))
    load = np.array([0.95 - cab[0], 2 * half, rng.uniform(0.15, 0.5)])
    centre = np.array([-0.5 + load[0] / 2, 0, low + load[2] / 2])
    second = colors.anything(rng)
    kind = rng.uniform()
    if kind < 0.6:
        assembly.add(rounded_box(load, 0.02, steps).translate(tuple(centre)), second)
        if kind < 0.3:
            bed = Manifold.cube(tuple(load - (0.06, 0.06, 0.0)), True)
            assembly.cut(bed.translate(tuple(centre + (0, 0, 0.05))), second)
    else:
        tank = Manifold.cylinder(load[0], half, half, 28, True).rotate((0, 90, 0))
        assembly.add(tank.translate(tuple(centre * (1, 1, 0) + (0, 0, low + half))), second)
    _add_wheels(assembly, rng, [-0.35, 0.32] if rng.uniform() < 0.6 else [-0.38, -0.1, 0.32],
                half, radius)
    return assembly


def train(rng: np.random.Generator) -> Assembly:
    """Returns a toy locomotive or wagon."""
    assembly = Assembly()
    paint, second = colors.saturated(rng), colors.saturated(rng)
    radius, half = rng.uniform(0.08, 0.13), rng.uniform(0.15, 0.2)
    low = 1.2 * radius
    assembly.add(rounded_box((1.0, 2 * half, 0.1), 0.02, 2).translate((0, 0, low)), second)
    boiler = Manifold.cylinder(0.62, half * 0.9, half * 0.9, 26, True).rotate((0, 90, 0))
    assembly.add(boiler.translate((0.16, 0, low + half * 0.9)), paint)
    cab = np.array([0.32, 2 * half, rng.uniform(0.38, 0.5)])
    assembly.add(Manifold.cube(tuple(cab), True).translate((-0.32, 0, low + cab[2] / 2)), second)
    roof = rounded_box((0.4, 2.3 * half, 0.05), 0.02, 3)
    assembly.add(roof.translate((-0.32, 0, low + cab[2])), paint)
    stack_profile = np.array([(0.05, 0), (0.05, 0.15), (rng.uniform(0.05, 0.1), 0.26)])
    funnel = lathe(stack_profile, 18).translate((0.36, 0, low + 1.6 * half))
    assembly.add(funnel, colors.black(rng))
    window = Manifold.cube((0.16, 4 * half, 0.14), True)
    assembly.cut(window.translate((-0.32, 0, low + cab[2] * 0.68)), second)
    _add_wheels(assembly, rng, [-0.33, 0.0, 0.33], half, radius)
    return assembly


def aeroplane(rng: np.random.Generator) -> Assembly:
    """Returns an aeroplane, glider or rocket."""
    assembly = Assembly()
    paint, second = colors.anything(rng), colors.anything(rng)
    fat = rng.uniform(0.06, 0.12)
    t = np.array([0, 0.03, 0.15, 0.4, 0.7, 0.9, 1.0])
    widths = fat * np.array([0.25, 0.6, 0.95, 1.0, 0.8, 0.4, 0.2])
    half = np.column_stack([widths, widths * rng.uniform(0.9, 1.1)])
    body = stack(t, half, exponents=rng.uniform(2.0, 3.0), segments=22)
    assembly.add(body.rotate((0, -90, 0)), paint)
    if rng.uniform() < 0.25:
        fin = np.array([(0.0, 0.0), (0.26, 0.0), (0.05, 0.22), (-0.05, 0.22)])
        blade = extrusion(fin, 0.03).translate((0, 0, -0.015)).rotate((90, 0, 0))
        for i in range(int(rng.integers(3, 5))):
            turned = blade.translate((0, 0, fat * 0.3)).rotate((90.0 * i + 45, 0, 0))
            assembly.add(turned.translate((-0.98, 0, 0)), second)
        assembly.turn(ON_SIDE.T)
        return assembly
    span, chord, sweep = rng.uniform(0.35, 0.6), rng.uniform(0.12, 0.25), rng.uniform(0.0, 0.3)
    thick = rng.uniform(0.02, 0.035)
    tip = chord * rng.uniform(0.4, 1.0)
    wing = np.array([(0, 0), (chord, 0), (chord - sweep, span), (chord - sweep - tip, span)])
    plan = np.concatenate([wing, (wing * (1, -1))[:0:-1]])
    middle = CrossSection([plan], FillRule.NonZero).extrude(thick)
    height = rng.choice([-0.5, 0.0, 0.6]) * fat
    assembly.add(middle.translate((-0.5, 0, height)), second)
    tail = CrossSection([plan * 0.42], FillRule.NonZero).extrude(thick)
    assembly.add(tail.translate((-0.98, 0, 0)), second)
    fin = np.array([(0, 0), (0.16, 0), (0.05, 0.2), (-0.03, 0.2)])
    rudder = extrusion(fin, thick).rotate((90, 0, 0))
    assembly.add(rudder.translate((-0.97, thick / 2, 0)), second)
    if rng.uniform() < 0.5:
        prop = rounded_box((0.025, 0.03, 0.32), 0.01, 2).rotate((rng.uniform(0, 90), 0, 0))
        assembly.add(prop.translate((0.0, 0, 0)), colors.black(rng))
    else:
        for side in (-1, 1):
            engine = Manifold.cylinder(0.16, 0.035, 0.035, 16, True).rotate((0, 90, 0))
            assembly.add(engine.translate((-0.42, side * span * 0.45, height - 0.02)), second)
    return assembly
