# SPDX-License-Identifier: Apache-2.0
"""Closed containers of revolution: bottles, jars, cans, tubes, vases, turned parts."""

from __future__ import annotations

import numpy as np

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly, band
from recon_node.training.shapes.rotations import ON_SIDE
from recon_node.training.shapes.solids import lathe, squared
from recon_node.training.shapes.vessels import hollow, segment_count, smooth_profile


def bottle(rng: np.random.Generator) -> Assembly:
    """Returns a closed bottle: body, shoulder, neck and cap, with a label in relief or painted."""
    assembly = Assembly()
    segments = segment_count(rng)
    body, shoulder, neck = rng.uniform(0.8, 2.0), rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.6)
    radius, throat = 0.5, rng.uniform(0.12, 0.35)
    waist = radius * (rng.uniform(0.75, 1.05) if rng.uniform() < 0.35 else 1.0)
    low, high = 0.15 * body, rng.uniform(0.5, 0.95) * body
    top = body + shoulder
    arc = np.linspace(0.0, np.pi / 2, 7)
    ease = rng.uniform(0.0, 1.0)
    drop = np.column_stack([throat + (radius - throat) * ((1 - ease) * np.cos(arc)
                            + ease * (0.5 + 0.5 * np.cos(2 * arc))), body + shoulder * np.sin(arc)])
    profile = np.concatenate([
        [(radius - 0.06, 0.0), (radius - 0.015, 0.02), (radius, 0.06), (radius, low),
         ((radius + waist) / 2, low + 0.08 * body), (waist, (low + high) / 2),
         ((radius + waist) / 2, high - 0.08 * body), (radius, high)],
        drop, [(throat, top + neck)]])
    solid = lathe(profile, segments)
    aspect = rng.uniform(0.45, 0.9) if rng.uniform() < 0.35 else 1.0
    squareness = rng.uniform(2.5, 8.0) if rng.uniform() < 0.3 else 2.0
    solid = squared(solid, squareness, aspect)
    labels = band(low, high)
    main = colors.anything(rng)
    label = colors.plastic(rng) if rng.uniform() < 0.7 else main
    assembly.add_painted(solid, labels, [main, label])
    cap_radius = throat * rng.uniform(1.0, 1.35)
    cap_height = rng.uniform(0.12, 0.4)
    cap = np.array([(cap_radius, 0), (cap_radius, cap_height * 0.9),
                    (cap_radius * 0.9, cap_height)])
    cap_solid = lathe(cap + (0, top + neck - 0.5 * min(cap_height, neck)), segments)
    assembly.add(cap_solid.scale((1, max(aspect, 0.7), 1)), colors.plastic(rng))
    if rng.uniform() < 0.15:
        assembly.turn(ON_SIDE)
    return assembly


def jar(rng: np.random.Generator) -> Assembly:
    """Returns a wide-mouthed jar or tub with a lid."""
    assembly = Assembly()
    segments = segment_count(rng)
    height, mouth = rng.uniform(0.5, 1.5), rng.uniform(0.3, 0.5)
    belly = rng.uniform(0.47, 0.56)
    profile = np.array([(0.44, 0), (0.5, 0.05), (belly, height * 0.5), (0.5, height * 0.85),
                        (mouth, height), (mouth, height + 0.08)])
    solid = lathe(profile, segments)
    bands = band(rng.uniform(0.05, 0.3) * height, rng.uniform(0.5, 0.9) * height)
    assembly.add_painted(solid, bands, [colors.anything(rng), colors.plastic(rng)])
    width = mouth + rng.uniform(0.01, 0.06)
    lid = np.array([(width, 0), (width, 0.16), (width - 0.03, 0.19)]) * (1, rng.uniform(0.6, 1.6))
    assembly.add(lathe(lid + (0, height + 0.01), segments), colors.anything(rng))
    if rng.uniform() < 0.2:
        knob = lathe(smooth_profile([(0.05, 0), (0.09, 0.08), (0.02, 0.15)], 8), 16)
        assembly.add(knob.translate((0, 0, height + lid[-1, 1] - 0.01)), colors.anything(rng))
    return assembly


def can(rng: np.random.Generator) -> Assembly:
    """Returns a tin or drinks can with rims, a recessed lid and a printed band."""
    assembly = Assembly()
    segments = segment_count(rng)
    height = float(np.exp(rng.uniform(np.log(0.3), np.log(2.2))))
    bead, tin = rng.uniform(0.01, 0.025), colors.metal(rng)
    if rng.uniform() < 0.4:
        inset = rng.uniform(0.05, 0.12)
        profile = np.array([(0.5 - inset, 0), (0.5 - inset, 0.02), (0.5, inset), (0.5, height),
                            (0.5 - inset, height + inset), (0.5 - inset, height + inset + 0.03)])
    else:
        profile = np.array([(0.5 + bead, 0), (0.5 + bead, 0.03), (0.5, 0.045),
                            (0.5, height - 0.045), (0.5 + bead, height - 0.03),
                            (0.5 + bead, height)])
    solid = lathe(profile, segments)
    labels = band(0.06, profile[-3, 1] - 0.02)
    printed = colors.plastic(rng) if rng.uniform() < 0.8 else tin
    assembly.add_painted(solid, labels, [tin, printed])
    depth = rng.uniform(0.015, 0.04)
    recess = lathe(np.array([(profile[-1, 0] - 0.025, 0), (profile[-1, 0] - 0.025, 1)]), segments)
    assembly.cut(recess.translate((0, 0, profile[-1, 1] - depth)), tin)
    if rng.uniform() < 0.15:
        assembly.turn(ON_SIDE)
    return assembly


def vase(rng: np.random.Generator) -> Assembly:
    """Returns a vase, urn or carafe with a cavity down to the floor."""
    assembly = Assembly()
    height = rng.uniform(1.0, 2.4)
    radii = rng.uniform(0.15, 0.6, size=4)
    radii[1] = max(radii[1], 0.35)
    knots = [(radii[i], height * h) for i, h in enumerate((0.0, rng.uniform(0.25, 0.5), 0.75, 1.0))]
    profile = smooth_profile(knots, 24)
    profile[:, 0] = np.maximum(profile[:, 0], 0.12)
    squareness = 2.0 if rng.uniform() < 0.8 else rng.uniform(2.5, 6.0)
    vessel = hollow(profile, rng.uniform(0.025, 0.06), segment_count(rng), squareness=squareness)
    color = colors.ceramic(rng)
    low, high = np.sort(rng.uniform(0.0, height, size=2))
    second = color if rng.uniform() < 0.5 else colors.ceramic(rng)
    assembly.add_painted(vessel.outer, band(low, high), [color, second])
    assembly.cut(vessel.cavity, color)
    return assembly


def turned(rng: np.random.Generator) -> Assembly:
    """Returns a turned part: chess piece, knob, spindle, candlestick, spinning top, pin."""
    assembly = Assembly()
    count = int(rng.integers(5, 11))
    heights = np.sort(rng.uniform(0.0, 1.0, size=count)) * rng.uniform(0.8, 3.5)
    radii = rng.uniform(0.08, 0.5, size=count)
    profile = np.column_stack([radii, heights])
    if rng.uniform() < 0.6:
        profile = smooth_profile(list(map(tuple, profile)), 30)
        profile[:, 0] = np.maximum(profile[:, 0], 0.06)
        profile[:, 1] = np.maximum.accumulate(profile[:, 1])
    solid = lathe(profile, segment_count(rng))
    low, high = np.sort(rng.uniform(0.0, profile[-1, 1], size=2))
    first = colors.anything(rng)
    second = first if rng.uniform() < 0.5 else colors.anything(rng)
    assembly.add_painted(solid, band(low, high), [first, second])
    if rng.uniform() < 0.3:
        assembly.turn(ON_SIDE)
    return assembly
