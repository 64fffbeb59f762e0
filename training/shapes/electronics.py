# SPDX-License-Identifier: Apache-2.0
"""Appliances and electronics: remotes, mice, phones, adapters, cameras, lamps, kettles, irons."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import rounded_rectangle, smooth_curve, superellipse
from recon_node.training.shapes.rotations import ON_EDGE
from recon_node.training.shapes.solids import (
    capsule_sweep,
    lathe,
    loft,
    rounded_box,
    squared,
    stack,
    sweep,
)


def casing(rng: np.random.Generator) -> np.ndarray:
    """Returns the colour of a casing: black, white, grey, sometimes bright."""
    pick = rng.uniform()
    return colors.black(rng) if pick < 0.4 else colors.white(rng) if pick < 0.6 else (
        colors.metal(rng) if pick < 0.75 else colors.plastic(rng))


def remote(rng: np.random.Generator) -> Assembly:
    """Returns a remote control, calculator, keypad, game console or keyboard with raised keys."""
    assembly = Assembly()
    width, thick = rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.12)
    assembly.add(rounded_box((1.0, width, thick), rng.uniform(0.01, 0.05), 4), casing(rng))
    screen = rng.uniform(0.0, 0.4) if rng.uniform() < 0.6 else 0.0
    if screen > 0.1:
        panel = rounded_box((screen, 0.8 * width, 0.02), 0.008, 2)
        assembly.add(panel.translate((0.47 - screen / 2, 0, thick / 2)), colors.black(rng))
    columns = int(rng.integers(3, 9))
    rows = max(2, int(columns * width / (0.95 - screen)))
    pitch = np.array([(0.92 - screen) / columns, 0.88 * width / rows])
    height = rng.uniform(0.015, 0.04)
    key = rounded_box((*(0.7 * pitch), 2 * height), 0.01, 2)
    if rng.uniform() < 0.4:
        key = Manifold.cylinder(2 * height, 0.36 * pitch.min(), 0.36 * pitch.min(), 12, True)
    tints = [casing(rng), colors.saturated(rng)]
    for i in range(columns):
        for j in range(min(rows, 6)):
            place = (-0.46 + (i + 0.5) * pitch[0],
                     (j + 0.5 - min(rows, 6) / 2) * pitch[1] * rows / min(rows, 6), thick / 2)
            assembly.add(key.translate(place), tints[int(rng.uniform() < 0.1)])
    if rng.uniform() < 0.2:
        assembly.turn(ON_EDGE)
    return assembly


def mouse(rng: np.random.Generator) -> Assembly:
    """Returns a computer mouse, soap bar, pebble-like device or electric shaver."""
    assembly = Assembly()
    count, height = 9, rng.uniform(0.25, 0.45)
    t = np.linspace(0, 1, count)
    fade = np.sqrt(np.clip(1 - t ** rng.uniform(1.8, 4.0), 0.03, 1))
    wide = rng.uniform(0.26, 0.36)
    waist = 1 - 0.25 * np.cos(t)
    half = np.column_stack([0.5 * fade, wide * fade * waist])
    shift = np.column_stack([-0.2 * rng.uniform(0, 1) * t, np.zeros(count)])
    body = stack(t * height, half, exponents=rng.uniform(2.2, 3.2), centres=shift, segments=36)
    for piece in body.split_by_plane((1, 0, 0), rng.uniform(0.0, 0.2)):
        assembly.add(piece, casing(rng))
    wheel = Manifold.cylinder(0.06, 0.07, 0.07, 18, True).rotate((90, 0, 0))
    assembly.add(wheel.translate((0.28, 0, height * 0.72)), colors.black(rng))
    if rng.uniform() < 0.4:
        cord = smooth_curve(np.array([(0.42, 0, 0.05), (0.7, 0.05, 0.03), (0.9, -0.1, 0.03)]), 12)
        assembly.add(capsule_sweep(cord, 0.022, segments=8), colors.black(rng))
    return assembly


def phone(rng: np.random.Generator) -> Assembly:
    """Returns a phone, tablet, card, tile, hard disk or picture frame: a slab with a panel."""
    assembly = Assembly()
    width, thick = rng.uniform(0.45, 0.85), rng.uniform(0.03, 0.1)
    radius = rng.uniform(0.01, 0.09)
    outline = rounded_rectangle(1.0, width, radius, 5)
    body = CrossSection([outline], FillRule.NonZero)
    assembly.add(body.extrude(thick).translate((0, 0, -thick / 2)), casing(rng))
    border = rng.uniform(0.02, 0.08)
    panel = CrossSection([rounded_rectangle(1.0 - 2 * border, width - 2 * border, radius, 5)],
                         FillRule.NonZero)
    tint = colors.black(rng) if rng.uniform() < 0.5 else colors.anything(rng)
    if rng.uniform() < 0.5:
        assembly.cut(panel.extrude(thick).translate((0, 0, 0.4 * thick)), tint)
    else:
        assembly.add(panel.extrude(0.01).translate((0, 0, thick / 2 - 0.002)), tint)
    if rng.uniform() < 0.5:
        bump = rounded_box((0.16, 0.14, 0.04), 0.02, 3)
        assembly.add(bump.translate((0.38, 0.25 * width, -thick / 2)), colors.black(rng))
    if rng.uniform() < 0.35:
        tilt = np.radians(rng.uniform(55, 90))
        assembly.turn(np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)],
                                [0, np.sin(tilt), np.cos(tilt)]]))
    return assembly


def adapter(rng: np.random.Generator) -> Assembly:
    """Returns a plug, power adapter, USB stick or socket block with pins and cable."""
    assembly = Assembly()
    size = np.array([rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.5)])
    assembly.add(rounded_box(size, rng.uniform(0.02, 0.1), 4), casing(rng))
    steel = colors.metal(rng)
    if rng.uniform() < 0.6:
        for side in (-1, 1):
            pin = Manifold.cylinder(0.3, 0.035, 0.035, 12)
            if rng.uniform() < 0.4:
                pin = Manifold.cube((0.03, 0.08, 0.3), True).translate((0, 0, 0.14))
            pin = pin.rotate((0, 90, 0))
            assembly.add(pin.translate((size[0] / 2 - 0.02, side * 0.25 * size[1], 0)), steel)
    else:
        plug = rounded_box((0.3, 0.6 * size[1], 0.35 * size[2]), 0.02, 2)
        assembly.add(plug.translate((size[0] / 2 + 0.1, 0, 0)), steel)
    if rng.uniform() < 0.6:
        ends = rng.uniform(-0.4, 0.4, size=4)
        low = -size[2] / 2 + 0.04
        cord = np.array([(-size[0] / 2 + 0.02, 0, 0), (-size[0] / 2 - 0.2, 0, 0.5 * low),
                         (-size[0] / 2 - 0.45, ends[0], low), (-size[0] / 2 - 0.7, ends[1], low)])
        assembly.add(capsule_sweep(smooth_curve(cord, 18), 0.035, segments=8), colors.black(rng))
    return assembly


def camera(rng: np.random.Generator) -> Assembly:
    """Returns a camera, webcam, projector, speaker or alarm clock: a box with a round face."""
    assembly = Assembly()
    size = np.array([rng.uniform(0.25, 0.5), 1.0, rng.uniform(0.5, 0.9)])
    body = casing(rng)
    assembly.add(rounded_box(size, rng.uniform(0.02, 0.12), int(rng.choice([2, 4]))), body)
    radius = rng.uniform(0.18, 0.3)
    length = rng.uniform(0.05, 0.5)
    barrel = lathe(np.array([(radius, 0), (radius, length * 0.6), (radius * 0.92, length)]), 32)
    place = (size[0] / 2 - 0.02, rng.uniform(-0.15, 0.15), rng.uniform(-0.05, 0.02))
    assembly.add(barrel.rotate((0, 90, 0)).translate(place), casing(rng))
    well = lathe(np.array([(radius * 0.75, 0.03 + 0.5 * length), (radius * 0.8, length + 1)]), 28)
    assembly.cut(well.rotate((0, 90, 0)).translate(place), colors.black(rng))
    if rng.uniform() < 0.6:
        hump = rounded_box((size[0] * 0.8, 0.3, 0.16), 0.04, 3)
        assembly.add(hump.translate((0, 0, size[2] / 2 + 0.05)), body)
    for _ in range(int(rng.integers(0, 4))):
        knob = Manifold.cylinder(0.06, rng.uniform(0.03, 0.08), -1.0, 14)
        spot = (0, rng.uniform(-0.4, 0.4), size[2] / 2 - 0.01)
        assembly.add(knob.translate(spot), colors.metal(rng))
    return assembly


def lamp(rng: np.random.Generator) -> Assembly:
    """Returns a desk or table lamp, bulb, torch or microphone."""
    assembly = Assembly()
    metal_color, shade_color = casing(rng), colors.anything(rng)
    kind = rng.uniform()
    if kind < 0.3:
        glass = [(0.05, 0.0), (0.2, 0.15), (0.33, 0.42), (0.25, 0.68), (0.02, 0.78)]
        assembly.add(lathe(smooth_curve(np.array(glass), 20) + (0.02, 0.3), 28),
                     colors.white(rng))
        rings = np.array([(0.12 + 0.02 * (i % 2), 0.05 * i) for i in range(8)])
        assembly.add(lathe(rings, 20), colors.metal(rng))
        assembly.add(lathe(np.array([(0.14, 0.3), (0.15, 0.4)]), 20), colors.metal(rng))
        return assembly
    foot, height = rng.uniform(0.2, 0.4), rng.uniform(0.5, 1.1)
    assembly.add(lathe(np.array([(foot, 0), (foot, 0.04), (0.05, 0.1)]), 28), metal_color)
    low, high, drop = rng.uniform(0.25, 0.5), rng.uniform(0.1, 0.25), rng.uniform(0.25, 0.5)
    outer = lathe(np.array([(low, 0), (high, drop)]), 32)
    inner = lathe(np.array([(low - 0.02, -0.01), (high - 0.02, drop - 0.02)]), 32)
    shade = outer - inner
    if kind < 0.7:
        assembly.add(lathe(np.array([(0.035, 0.02), (0.03, height + drop)]), 14), metal_color)
        assembly.add(shade.translate((0, 0, height)), shade_color)
        assembly.add(Manifold.cylinder(0.02, high).translate((0, 0, height + drop - 0.02)),
                     shade_color)
        return assembly
    reach = rng.uniform(0.3, 0.7)
    arm = np.array([(0, 0, 0.05), (-0.15, 0, height * 0.6), (0.1, 0, height), (reach, 0, height)])
    assembly.add(capsule_sweep(smooth_curve(arm, 20), 0.03, segments=10), metal_color)
    tilted = shade.translate((0, 0, -drop)).rotate((0, -rng.uniform(0, 50), 0))
    assembly.add(tilted.translate((reach, 0, height + 0.02)), shade_color)
    return assembly


def iron(rng: np.random.Generator) -> Assembly:
    """Returns an iron, steamer or tape dispenser: a wedge body with an arched handle."""
    assembly = Assembly()
    t = np.linspace(0, 1, 7)
    wide = rng.uniform(0.2, 0.28)
    rings = []
    height = rng.uniform(0.2, 0.35)
    base = smooth_curve(np.array([(0.6, 0.0), (0.2, wide), (-0.4, wide * 0.95), (-0.45, 0.0),
                                  (-0.4, -wide * 0.95), (0.2, -wide)]), 40, closed=True)
    for k in t:
        shrink = 1 - 0.55 * k**1.5
        rings.append(np.column_stack([base * shrink - (0.12 * k, 0), np.full(40, k * height)]))
    color = colors.plastic(rng)
    assembly.add(loft(np.stack(rings)), color)
    sole = CrossSection([base * 1.02], FillRule.NonZero).extrude(0.035)
    assembly.add(sole.translate((0, 0, -0.03)), colors.metal(rng))
    arch = np.array([(0.2, 0, height * 0.85), (0.12, 0, height + 0.15), (-0.15, 0, height + 0.22),
                     (-0.36, 0, height + 0.14), (-0.36, 0, height * 0.7)])
    if rng.uniform() < 0.4:
        arch = arch[:4]
    assembly.add(capsule_sweep(smooth_curve(arch, 20), 0.055, segments=12), colors.black(rng))
    return assembly


def kettle(rng: np.random.Generator) -> Assembly:
    """Returns a kettle, teapot, watering can or jug: body, spout, handle, lid or open top."""
    assembly = Assembly()
    height, belly = rng.uniform(0.6, 1.1), rng.uniform(0.38, 0.55)
    mouth, foot = rng.uniform(0.2, 0.36), rng.uniform(0.3, 0.5)
    knots = np.array([(foot, 0), (belly, height * rng.uniform(0.25, 0.45)),
                      (mouth * 1.15, height * 0.85), (mouth, height)])
    profile = smooth_curve(knots, 16)
    body_color = colors.ceramic(rng) if rng.uniform() < 0.6 else colors.metal(rng)
    second = body_color if rng.uniform() < 0.5 else casing(rng)
    outer = squared(lathe(profile, 32), 2.0 if rng.uniform() < 0.8 else 3.5)
    assembly.add(outer, body_color)
    reach, lip = rng.uniform(0.25, 0.5), rng.uniform(0.7, 1.05)
    spout = smooth_curve(np.array([
        (belly * 0.8, 0, height * 0.3), (belly + 0.4 * reach, 0, height * 0.45),
        (belly + reach, 0, height * lip)]), 12)
    girth = np.linspace(rng.uniform(0.1, 0.14), 0.06, 12)
    assembly.add(sweep(spout, girth, segments=16), body_color)
    longer = np.concatenate([spout, [2 * spout[-1] - spout[-2]]])
    bore = sweep(longer, np.append(girth, 0.06) - 0.022, segments=12)
    if rng.uniform() < 0.7:
        back = np.array([(-mouth * 0.95, 0, height * 0.88), (-belly - 0.22, 0, height * 0.92),
                         (-belly - 0.26, 0, height * 0.5), (-belly * 0.85, 0, height * 0.25)])
    else:
        back = np.array([(-mouth, 0, height * 0.93), (-mouth, 0, height * 1.35),
                         (0, 0, height * 1.5), (mouth, 0, height * 1.35),
                         (mouth, 0, height * 0.93)])
    radii = np.repeat([[0.045, 0.03]], 20, axis=0)
    bar = sweep(smooth_curve(back, 20), radii, section=superellipse(3.0, 10), side=(0, 1, 0))
    assembly.add(bar, second)
    if rng.uniform() < 0.65:
        dome = rng.uniform(0.04, 0.2)
        lid = np.array([(mouth * 1.05, -0.02), (mouth * 0.98, 0.03), (mouth * 0.6, dome),
                        (0.05, dome + 0.02), (0.04, dome + 0.05), (0.075, dome + 0.1),
                        (0.03, dome + 0.14)])
        assembly.add(lathe(lid + (0, height), 28), second)
        assembly.cut(bore, body_color)
    else:
        inner = lathe(np.concatenate([profile - (0.035, 0), [(mouth - 0.035, height + 1)]]), 32)
        inner = inner.trim_by_plane((0, 0, 1), 0.04)
        assembly.cut(inner + bore, body_color)
    return assembly
