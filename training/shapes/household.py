# SPDX-License-Identifier: Apache-2.0
"""Things of bathroom, wardrobe, desk and garden: shoes, hats, baskets, rolls, plants, keys."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import regular_polygon, rounded_rectangle, superellipse
from recon_node.training.shapes.rotations import ON_EDGE
from recon_node.training.shapes.solids import (
    capsule_sweep,
    extrusion,
    lathe,
    loft,
    rounded_box,
    squared,
    star_solid,
    sweep,
)
from recon_node.training.shapes.vessels import hollow, smooth_profile


def _shoe_rings(t: np.ndarray, wide: np.ndarray, tall: np.ndarray, sole: float) -> np.ndarray:
    section = superellipse(2.6, 28)
    rings = np.empty((len(t), 28, 3))
    rings[..., 0] = t[:, None]
    rings[..., 1] = wide[:, None] * section[None, :, 0]
    height = np.maximum(section[None, :, 1], -0.35)
    rings[..., 2] = sole + tall[:, None] * (height + 0.35) / 1.35
    return rings


def shoe(rng: np.random.Generator) -> Assembly:
    """Returns a shoe, trainer, boot, slipper or high heel with an opening for the foot."""
    assembly = Assembly()
    t = np.array([0, 0.03, 0.12, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0])
    wide = rng.uniform(0.15, 0.19) * np.array([0.35, 0.65, 0.82, 0.85, 0.85, 1.0, 0.95, 0.65, 0.25])
    rise = rng.uniform(0.22, 0.4)
    tall = np.array([0.85, 0.95, 1.0, 0.98, 0.72, 0.45, 0.35, 0.28, 0.15]) * rise
    slipper = rng.uniform() < 0.25
    if slipper:
        tall = np.array([0.1, 0.1, 0.1, 0.25, 0.5, 0.5, 0.4, 0.3, 0.2]) * rise
    sole = rng.uniform(0.03, 0.09)
    upper, bottom = colors.anything(rng), colors.anything(rng)
    assembly.add(loft(_shoe_rings(t, wide, tall, sole * 0.8)), upper)
    outline = np.concatenate([np.column_stack([t, -wide]), np.column_stack([t, wide])[::-1]])
    plate = CrossSection([outline], FillRule.NonZero).offset(0.012)
    assembly.add(plate.extrude(sole), bottom)
    wall = rng.uniform(0.02, 0.035)
    inside = _shoe_rings(t[1:-1] * 0.96 + 0.02, wide[1:-1] - wall,
                         np.maximum(tall[1:-1] - wall, 0.01), sole)
    cavity = loft(inside)
    shaft = rng.uniform(0.3, 0.7) if rng.uniform() < 0.25 and not slipper else 0.0
    mouth = superellipse(2.2, 24) * (0.15, 0.75 * wide.max())
    opening = extrusion(mouth, 2.0).translate((0.21, 0, sole + 0.5 * rise))
    if shaft:
        leg = extrusion(mouth + np.sign(mouth) * wall, shaft + 0.6 * rise)
        assembly.add(leg.translate((0.21, 0, sole + 0.4 * rise)), upper)
    if slipper:
        opening = Manifold.cube((0.5, 1.0, 1.0), True).translate((0.2, 0, sole + 0.56))
    assembly.cut(cavity + opening, colors.muted(rng))
    if rng.uniform() < 0.3 and not slipper:
        heel = extrusion(superellipse(3.0, 16) * (0.1, 0.09), 0.12)
        assembly.add(heel.translate((0.11, 0, -0.1)), bottom)
    return assembly


def hat(rng: np.random.Generator) -> Assembly:
    """Returns a cap, hat, helmet or lampshade-like hollow dome with a brim or peak."""
    assembly = Assembly()
    height, brim = rng.uniform(0.5, 0.9), rng.uniform(0.05, 0.5)
    wall, color = rng.uniform(0.025, 0.05), colors.anything(rng)
    top = rng.uniform(0.05, 0.4)
    profile = smooth_profile([(0.5, 0), (0.48, height * 0.5), (top, height), (0.02, height * 1.02)],
                             16)
    stretch = (1.0, rng.uniform(0.8, 1.0), 1.0)
    assembly.add(lathe(profile, 32).scale(stretch), color)
    second = color if rng.uniform() < 0.6 else colors.anything(rng)
    if rng.uniform() < 0.5:
        peak = extrusion(superellipse(2.0, 32) * (0.5 + brim, 0.48), wall)
        peak = peak.trim_by_plane((1, 0, 0), 0.0).rotate((0, rng.uniform(0, 12), 0))
        assembly.add(peak, second)
    else:
        edge = lathe(np.array([(0.5 + brim, 0), (0.5 + brim, wall)]), 40)
        assembly.add(edge.scale(stretch), second)
    inner = lathe(np.concatenate([[(0.5 - wall, -1.0)], profile - (wall, wall)]), 32)
    assembly.cut(inner.scale(stretch), color)
    if rng.uniform() < 0.25:
        assembly.turn(np.diag([1.0, -1.0, -1.0]))
    return assembly


def basket(rng: np.random.Generator) -> Assembly:
    """Returns a bucket, basket, watering pail or shopping bag with an overhead handle."""
    assembly = Assembly()
    height, foot = rng.uniform(0.5, 1.1), rng.uniform(0.32, 0.5)
    squareness = float(rng.choice([2.0, 2.0, 4.0, 8.0]))
    aspect = 1.0 if squareness == 2.0 else rng.uniform(0.5, 1.0)
    profile = np.array([(foot, 0), (0.5, height)])
    vessel = hollow(profile, rng.uniform(0.018, 0.04), 32, squareness=squareness, aspect=aspect)
    color = colors.anything(rng)
    assembly.add(vessel.outer, color)
    rim = squared(lathe(np.array([(0.52, 0), (0.53, 0.03), (0.52, 0.06)]), 32), squareness, aspect)
    assembly.add(rim.translate((0, 0, height - 0.06)), color)
    assembly.cut(vessel.cavity, color if rng.uniform() < 0.6 else colors.muted(rng))
    angle = np.linspace(0.0, np.pi, 20)
    rise = rng.uniform(0.25, 0.7)
    arch = np.column_stack([0.5 * np.cos(angle), np.zeros(20), rise * np.sin(angle)])
    radii = np.repeat([[rng.uniform(0.015, 0.05), 0.018]], 20, axis=0)
    bar = sweep(arch, radii, segments=10, side=(0, 1, 0))
    lean = rng.uniform(-70, 70) if rng.uniform() < 0.4 else 0.0
    assembly.add(bar.rotate((lean, 0, 0)).translate((0, 0, height - 0.04)),
                 color if rng.uniform() < 0.4 else colors.metal(rng))
    return assembly


def roll(rng: np.random.Generator) -> Assembly:
    """Returns a paper roll, tape, spool, reel, dumbbell or coil bobbin."""
    assembly = Assembly()
    height, core = rng.uniform(0.3, 2.5), rng.uniform(0.12, 0.35)
    kind = rng.uniform()
    bore = lathe(np.array([(core, -3.0), (core, 3.0)]), 32)
    if kind < 0.5:
        body = lathe(np.array([(0.5, -height / 2), (0.5, height / 2)]), 44)
        assembly.add(body, colors.white(rng) if rng.uniform() < 0.6 else colors.anything(rng))
        assembly.cut(bore, colors.cardboard(rng))
    elif kind < 0.8:
        flange = rng.uniform(0.03, 0.1)
        rim = np.array([(0.5, 0.0), (0.5, flange)])
        color = colors.anything(rng)
        wound = rng.uniform(core + 0.03, 0.48)
        assembly.add(lathe(np.array([(wound, -height / 2), (wound, height / 2)]), 32),
                     colors.anything(rng))
        for level in (-height / 2, height / 2 - flange):
            assembly.add(lathe(rim + (0, level), 36), color)
        assembly.cut(bore.scale((0.8, 0.8, 1)), color)
    else:
        sides = int(rng.choice([6, 32]))
        bar = lathe(np.array([(0.12, -0.7), (0.12, 0.7)]), 20)
        assembly.add(bar, colors.metal(rng))
        weight = lathe(np.array([(0.3, 0), (0.36, 0.06), (0.36, 0.34), (0.3, 0.4)]), sides)
        color = colors.anything(rng)
        for level in (-0.8, 0.4):
            assembly.add(weight.translate((0, 0, level)), color)
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE)
    return assembly


def tube(rng: np.random.Generator) -> Assembly:
    """Returns a squeeze tube: round at the cap, pressed flat at the crimped end."""
    assembly = Assembly()
    length, radius = 1.0, rng.uniform(0.1, 0.2)
    t = np.linspace(0, 1, 16)
    press = t ** rng.uniform(0.8, 2.0)
    rings = np.empty((16, 32, 3))
    circle = superellipse(2.0, 32)
    rings[..., 0] = circle[None, :, 0] * (radius * (1 + 0.35 * press))[:, None]
    rings[..., 1] = circle[None, :, 1] * (radius * (1 - press) + 0.008)[:, None]
    rings[..., 2] = t[:, None] * length
    low, high = np.sort(rng.uniform(0.05, 0.95, size=2))
    body = loft(rings)
    assembly.add_painted(body, lambda p: (p[:, 2] > low) & (p[:, 2] < high),
                         [colors.plastic(rng), colors.plastic(rng)])
    cap = np.array([(0.6, -0.28), (0.75, -0.06), (0.75, 0.01)])
    cap = cap * (radius * rng.uniform(0.8, 1.3), 1)
    assembly.add(lathe(cap, 20), colors.plastic(rng))
    if rng.uniform() < 0.7:
        assembly.turn(ON_EDGE)
    return assembly


def plant(rng: np.random.Generator) -> Assembly:
    """Returns a potted plant, cactus or a pot full of soil."""
    assembly = Assembly()
    pot = np.array([(0.28, 0), (0.38, 0.5), (0.42, 0.5), (0.42, 0.62)]) * (1, rng.uniform(0.7, 1.4))
    top = float(pot[-1, 1])
    sides = int(rng.choice([8, 20, 32]))
    assembly.add(lathe(pot, sides), colors.ceramic(rng))
    earth = lathe(np.array([(0.37, 0), (0.37, 1)]), sides)
    assembly.cut(earth.translate((0, 0, top - rng.uniform(0.04, 0.12))), colors.leather(rng))
    green = colors.from_hsv(rng.uniform(0.2, 0.4), rng.uniform(0.4, 0.8), rng.uniform(0.25, 0.7))
    kind = rng.uniform()
    if kind < 0.4:
        body = star_solid(lambda d: 1 + 0.08 * np.cos(10 * np.arctan2(d[..., 1], d[..., 0])), 40)
        tall = rng.uniform(0.25, 0.8)
        body = body.scale((rng.uniform(0.2, 0.32), rng.uniform(0.2, 0.32), tall))
        assembly.add(body.translate((0, 0, top + tall * 0.7)), green)
    elif kind < 0.85:
        for i in range(int(rng.integers(4, 9))):
            length = rng.uniform(0.5, 1.1)
            t = np.linspace(0, 1, 8)
            bend = rng.uniform(0.1, 0.9)
            path = np.column_stack([bend * t**1.6, np.zeros(8), length * t - 0.4 * bend * t**3])
            wide = 0.09 * np.sin(np.pi * np.clip(0.12 + 0.85 * t, 0, 1)) + 0.008
            leaf = sweep(path, np.column_stack([wide, np.full(8, 0.014)]), segments=8,
                         side=(0, 1, 0))
            leaf = leaf.rotate((0, 0, 137.5 * i)).translate((0, 0, top - 0.14))
            assembly.add(leaf, green)
    return assembly


def key(rng: np.random.Generator) -> Assembly:
    """Returns a key, bottle opener, medal or tag: a flat head with a hole and a shank."""
    assembly = Assembly()
    thick, color = rng.uniform(0.03, 0.08), colors.metal(rng)
    sides = int(rng.choice([5, 6, 8, 28]))
    outline = regular_polygon(sides, 0.2) * (1, rng.uniform(0.7, 1.2))
    head = CrossSection([outline], FillRule.NonZero)
    hole = CrossSection.circle(rng.uniform(0.04, 0.1), 20).translate((-0.06, 0))
    shank = rounded_rectangle(0.65, rng.uniform(0.07, 0.13), 0.02)
    teeth = CrossSection([shank], FillRule.NonZero).translate((0.45, 0))
    for x in np.linspace(0.35, 0.7, int(rng.integers(2, 6))):
        notch = regular_polygon(3, rng.uniform(0.02, 0.045)) + (x, 0.065)
        teeth = teeth - CrossSection([notch], FillRule.NonZero)
    assembly.add(((head + teeth) - hole).extrude(thick), color)
    if rng.uniform() < 0.4:
        grip = rounded_box((0.36, 0.36, thick + 0.04), 0.02, 3)
        grip = grip - hole.extrude(1).translate((0, 0, -0.4))
        assembly.add(grip.translate((-0.02, 0, thick / 2)), colors.plastic(rng))
    return assembly


def sponge(rng: np.random.Generator) -> Assembly:
    """Returns a sponge, cushion, folded towel, pillow or soft parcel, puffed and uneven."""
    assembly = Assembly()
    size = np.array([1.0, rng.uniform(0.5, 1.0), rng.uniform(0.12, 0.45)])
    t = np.linspace(0, np.pi, 13)[1:-1]
    corner = rng.uniform(2.6, 8.0)
    outline = superellipse(corner, 44)
    flat = np.sin(t) ** rng.uniform(0.25, 0.8)
    rings = np.empty((len(t), 44, 3))
    rings[..., :2] = outline[None] * size[:2] / 2 * flat[:, None, None]
    rings[..., 2] = -np.cos(t)[:, None] * size[2] / 2
    dent = rng.uniform(-0.2, 0.4, size=2)
    waves = np.cos(3 * rings[..., 0] + dent[1] * 9) * np.cos(3 * rings[..., 1])
    rings[..., 2] *= 1 - dent[0] * waves
    body = loft(rings)
    level = size[2] * rng.uniform(-0.2, 0.3)
    first = colors.anything(rng)
    second = colors.anything(rng) if rng.uniform() < 0.5 else first
    assembly.add_painted(body, lambda p: p[:, 2] > level, [first, second])
    return assembly


def umbrella(rng: np.random.Generator) -> Assembly:
    """Returns a stick with a crooked handle and a furled or open top: umbrella, cane, club, bat."""
    assembly = Assembly()
    color = colors.anything(rng)
    stick = np.array([(0.0, 0, 0.0), (0.5, 0, 0), (1.0, 0, 0)])
    thin = rng.uniform(0.014, 0.025)
    assembly.add(capsule_sweep(stick, thin, segments=10), colors.metal(rng))
    angle = np.linspace(0, np.pi, 12)
    crook = np.column_stack([-0.07 * np.sin(angle), np.zeros(12), 0.07 - 0.07 * np.cos(angle)])
    if rng.uniform() < 0.5:
        assembly.add(capsule_sweep(crook, 0.03, segments=10), colors.wood(rng))
    else:
        bar = lathe(np.array([(0.03, -0.2), (0.04, 0.0), (0.035, 0.05)]), 14).rotate((0, 90, 0))
        assembly.add(bar, colors.wood(rng))
    fat = rng.uniform(0.035, 0.11)
    furled = smooth_profile([(0.02, 0.2), (fat, 0.35), (fat * 0.8, 0.75), (0.02, 0.98)], 12)
    assembly.add(lathe(furled, 12).rotate((0, 90, 0)), color)
    return assembly
