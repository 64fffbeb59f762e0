# SPDX-License-Identifier: Apache-2.0
"""Open thin-walled vessels of revolution: cups, mugs, bowls, plates, pots, pans, vases, jugs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manifold3d import CrossSection, FillRule, JoinType, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import (
    evenly_spaced,
    rounded_rectangle,
    smooth_curve,
    superellipse,
)
from recon_node.training.shapes.solids import capsule_sweep, lathe, squared, sweep


@dataclass(frozen=True)
class Vessel:
    """The outside of a vessel as a solid, and the cavity to cut out of it once parts are joined."""

    outer: Manifold
    cavity: Manifold


def hollow(profile: np.ndarray, wall: float, segments: int, *, floor: float | None = None,
           squareness: float = 2.0, aspect: float = 1.0) -> Vessel:
    """Returns a vessel with walls of even thickness, open at the top.

    Args:
        profile: (N, 2), outer radius and height from the foot up to the rim.
        wall: thickness of the wall.
        segments: number of sides.
        floor: thickness of the floor; that of the wall by default.
        squareness: exponent of the horizontal superellipse; 2 is round.
        aspect: depth over width.
    """
    profile = np.asarray(profile, dtype=np.float64)
    low, high = profile[0, 1], profile[-1, 1]
    raised = np.concatenate([profile, [[profile[-1, 0], high + 3 * wall]]])
    outline = np.concatenate([raised, raised[::-1] * (-1, 1)])
    inner = CrossSection([outline], FillRule.NonZero).offset(-wall, JoinType.Miter, 2.0)
    floor = wall if floor is None else floor
    keep = CrossSection.square((10.0, 20.0)).translate((0.0, low + floor))
    cavity = (inner ^ keep).revolve(segments)
    outer = lathe(profile, segments)
    if squareness != 2.0 or aspect != 1.0:
        outer = squared(outer, squareness, aspect)
        cavity = squared(cavity, squareness, aspect)
    return Vessel(outer, cavity)


def smooth_profile(points: np.ndarray | list[tuple[float, float]], count: int) -> np.ndarray:
    """Returns a smooth profile through (radius, height) points, radii kept positive."""
    profile = smooth_curve(np.array(points), count)
    return np.maximum(profile, (1e-3, -np.inf))


def segment_count(rng: np.random.Generator) -> int:
    """Returns the number of sides of a vessel, smooth mostly."""
    return int(rng.choice([12, 16, 24, 32, 40, 48], p=[0.08, 0.1, 0.17, 0.25, 0.2, 0.2]))


def handle(rng: np.random.Generator, radius_at, low: float, high: float, reach: float) -> Manifold:
    """Returns an ear-shaped handle in the x-z plane, ends buried in the wall.

    Args:
        rng: draws the outline and thickness.
        radius_at: function from height to the outer radius of the vessel there.
        low: height of the lower end.
        high: height of the upper end.
        reach: how far the handle stands out.
    """
    start, end = radius_at(high), radius_at(low)
    swell = rng.uniform(0.75, 1.1)
    points = np.array([
        (start - 0.03, 0, high), (start + reach * 0.7, 0, high + 0.02),
        (max(start, end) + reach, 0, (0.35 * low + 0.65 * high)),
        (max(start, end) + reach * swell * 0.75, 0, (0.8 * low + 0.2 * high)),
        (end - 0.03, 0, low),
    ])
    if rng.uniform() < 0.25:
        points[1:4, 0] = max(start, end) + reach
        points[1, 2], points[3, 2] = high, low
    curve = smooth_curve(points, 18)
    thick = rng.uniform(0.035, 0.06)
    section = superellipse(float(rng.choice([2.0, 4.0])), 10)
    radii = np.array([[thick * rng.uniform(1.0, 2.0), thick * rng.uniform(0.7, 1.0)]])
    return sweep(curve, np.repeat(radii, len(curve), axis=0), section=section, side=(0, 1, 0))


def _radius_function(profile: np.ndarray):
    order = np.argsort(profile[:, 1])
    return lambda height: float(np.interp(height, profile[order, 1], profile[order, 0]))


def mug(rng: np.random.Generator) -> Assembly:
    """Returns a mug or cup with one handle."""
    assembly = Assembly()
    height = rng.uniform(0.7, 1.3)
    foot, belly, rim = rng.uniform(0.28, 0.5), rng.uniform(0.42, 0.55), rng.uniform(0.4, 0.55)
    if rng.uniform() < 0.5:
        foot = belly = rim = 0.45
        profile = np.array([(foot - 0.03, 0), (foot, 0.03), (rim, height)])
    else:
        profile = smooth_profile([(foot, 0), (belly, height * 0.4), (rim, height)], 14)
    vessel = hollow(profile, rng.uniform(0.02, 0.05), segment_count(rng))
    color = colors.ceramic(rng)
    assembly.add(vessel.outer, color)
    low, high = height * rng.uniform(0.12, 0.3), height * rng.uniform(0.72, 0.9)
    grip = handle(rng, _radius_function(profile), low, high, rng.uniform(0.22, 0.4))
    assembly.add(grip, color if rng.uniform() < 0.8 else colors.ceramic(rng))
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.6 else colors.ceramic(rng))
    return assembly


def tumbler(rng: np.random.Generator) -> Assembly:
    """Returns a cup without handle: drinking glass, paper cup, beaker, pen pot, bucket-like bin."""
    assembly = Assembly()
    height, rim = rng.uniform(0.9, 2.2), 0.5
    foot = rim * rng.uniform(0.6, 1.0)
    profile = np.array([(foot, 0.0), (rim, height)])
    squareness = 2.0 if rng.uniform() < 0.8 else rng.uniform(3.0, 8.0)
    vessel = hollow(profile, rng.uniform(0.015, 0.04), segment_count(rng), squareness=squareness)
    color = colors.anything(rng)
    assembly.add(vessel.outer, color)
    if rng.uniform() < 0.35:
        band = np.array([(0.0, 0.0), (0.03, 0.02), (0.0, 0.05)]) + (rim - 0.01, height - 0.06)
        assembly.add(lathe(band, 32), color)
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.6 else colors.anything(rng))
    return assembly


def bowl(rng: np.random.Generator) -> Assembly:
    """Returns a bowl, dish or basin, with or without foot ring, round, oval or squarish."""
    assembly = Assembly()
    height, foot = rng.uniform(0.25, 0.75), rng.uniform(0.3, 0.65)
    bend = (rng.uniform(0.75, 0.98), height * rng.uniform(0.3, 0.5))
    profile = smooth_profile([(foot, 0), bend, (1.0, height)], 14)
    if rng.uniform() < 0.4:
        ring = rng.uniform(0.04, 0.1)
        profile[:, 1] += ring
        profile = np.concatenate([[(foot, 0.0), (foot - 0.02, ring)], profile[1:]])
    squareness = 2.0 if rng.uniform() < 0.75 else rng.uniform(2.5, 8.0)
    aspect = 1.0 if rng.uniform() < 0.7 else rng.uniform(0.55, 1.0)
    vessel = hollow(profile, rng.uniform(0.03, 0.09), segment_count(rng),
                    squareness=squareness, aspect=aspect)
    color = colors.ceramic(rng)
    assembly.add(vessel.outer, color)
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.6 else colors.ceramic(rng))
    return assembly


def plate(rng: np.random.Generator) -> Assembly:
    """Returns a plate, saucer or tray, with a flat or sloping rim."""
    assembly = Assembly()
    height, flat = rng.uniform(0.08, 0.24), rng.uniform(0.45, 0.75)
    edge = rng.uniform(0.03, 0.2)
    profile = np.array([(flat - 0.04, 0), (flat, 0.0), (flat + edge, height * 0.7), (1.0, height)])
    if rng.uniform() < 0.5:
        profile = smooth_profile([(flat, 0), (0.85, height * 0.5), (1.0, height)], 10)
    squareness = 2.0 if rng.uniform() < 0.75 else rng.uniform(2.5, 8.0)
    aspect = 1.0 if rng.uniform() < 0.75 else rng.uniform(0.55, 1.0)
    vessel = hollow(profile, rng.uniform(0.025, 0.06), segment_count(rng),
                    squareness=squareness, aspect=aspect)
    color = colors.ceramic(rng)
    assembly.add(vessel.outer, color)
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.7 else colors.ceramic(rng))
    return assembly


def pan(rng: np.random.Generator) -> Assembly:
    """Returns a frying pan or saucepan with one long handle."""
    assembly = Assembly()
    height, rim = rng.uniform(0.15, 0.7), 0.5
    foot = rim * rng.uniform(0.75, 1.0)
    profile = np.array([(foot - 0.03, 0.0), (foot, 0.03), (rim, height)])
    vessel = hollow(profile, rng.uniform(0.015, 0.035), segment_count(rng))
    color = colors.metal(rng) if rng.uniform() < 0.5 else colors.black(rng)
    assembly.add(vessel.outer, color)
    length, lift = rng.uniform(0.45, 0.9), rng.uniform(0.0, 0.25)
    level = height * rng.uniform(0.7, 0.9)
    curve = smooth_curve(np.array([
        (rim - 0.06, 0, level), (rim + 0.2 * length, 0, level + 0.6 * lift),
        (rim + 0.6 * length, 0, level + lift), (rim + length, 0, level + 0.9 * lift)]), 14)
    radius = rng.uniform(0.03, 0.06)
    grip = capsule_sweep(curve, radius * np.linspace(0.8, 1.1, len(curve)), segments=12)
    grip_color = colors.black(rng) if rng.uniform() < 0.5 else colors.wood(rng)
    assembly.add(grip, grip_color if rng.uniform() < 0.7 else color)
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.5 else colors.metal(rng))
    return assembly


def pot(rng: np.random.Generator) -> Assembly:
    """Returns a cooking pot with two ears, open or under a lid with a knob."""
    assembly = Assembly()
    height = rng.uniform(0.4, 1.1)
    profile = np.array([(0.46, 0.0), (0.5, 0.04), (0.5, height)])
    vessel = hollow(profile, rng.uniform(0.015, 0.03), segment_count(rng))
    color = colors.anything(rng) if rng.uniform() < 0.5 else colors.metal(rng)
    ear_color = color if rng.uniform() < 0.5 else colors.black(rng)
    assembly.add(vessel.outer, color)
    reach, level = rng.uniform(0.1, 0.2), height * rng.uniform(0.7, 0.9)
    ear = evenly_spaced(rounded_rectangle(2 * reach, rng.uniform(0.2, 0.4), 0.08, 4), 24)
    curve = np.column_stack([ear, np.zeros(len(ear))])
    ring = sweep(curve, rng.uniform(0.02, 0.035), segments=8, closed=True)
    for side in (-1, 1):
        assembly.add(ring.translate((side * 0.5, 0, level)), ear_color)
    if rng.uniform() < 0.5:
        assembly.cut(vessel.cavity, color if rng.uniform() < 0.6 else colors.metal(rng))
        return assembly
    dome, knob = rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.09)
    lid = smooth_profile([(0.52, 0.0), (0.5, 0.04), (0.3, dome * 0.8), (0.05, dome)], 12)
    assembly.add(lathe(lid + (0, height - 0.02), 32), color)
    top = height + dome - 0.03
    stud = np.array([(knob * 0.5, 0), (knob * 0.5, 0.06), (knob, 0.07), (knob, 0.12)])
    assembly.add(lathe(stud + (0, top), 20), ear_color)
    return assembly
