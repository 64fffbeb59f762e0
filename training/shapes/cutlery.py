# SPDX-License-Identifier: Apache-2.0
"""Cutlery and kitchen utensils: spoon, ladle, fork, knife, spatula, tongs, whisk."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import rounded_rectangle, smooth_curve, superellipse
from recon_node.training.shapes.solids import extrusion, lathe, stack, sweep
from recon_node.training.shapes.tools import grip, grip_color


def _material(rng: np.random.Generator) -> np.ndarray:
    pick = rng.uniform()
    return colors.metal(rng) if pick < 0.55 else colors.wood(rng) if pick < 0.75 else (
        colors.plastic(rng))


def handle_bar(rng: np.random.Generator, length: float, lift: float) -> Manifold:
    """Returns a flat utensil handle along -x that ends at the origin, arched by `lift`."""
    curve = smooth_curve(np.array([(-length, 0, 0.0), (-0.6 * length, 0, 0.35 * lift),
                                   (-0.2 * length, 0, lift), (0.06, 0, 0.0)]), 16)
    wide = rng.uniform(0.03, 0.06) * np.interp(np.linspace(0, 1, 16), [0, 0.15, 0.7, 1],
                                               [0.8, 1.0, rng.uniform(0.4, 0.7), 0.5])
    thick = np.full(16, rng.uniform(0.012, 0.022))
    return sweep(curve, np.column_stack([wide, thick]), section=superellipse(3.0, 12),
                 side=(0, 1, 0))


def _bowl(size: np.ndarray, wall: float) -> tuple[Manifold, Manifold]:
    outer = Manifold.sphere(1.0, 32).scale(tuple(size)).trim_by_plane((0, 0, -1), 0.0)
    inner = Manifold.sphere(1.0, 32).scale(tuple(size - wall))
    return outer, inner


def spoon(rng: np.random.Generator) -> Assembly:
    """Returns a spoon, ladle, scoop or measuring spoon with a hollow bowl."""
    assembly = Assembly()
    color = _material(rng)
    long, wide = rng.uniform(0.13, 0.22), rng.uniform(0.09, 0.15)
    size = np.array([long, wide, rng.uniform(0.05, 0.14)])
    outer, inner = _bowl(size, rng.uniform(0.012, 0.025))
    if rng.uniform() < 0.35:
        assembly.add(outer, color)
        curve = smooth_curve(np.array([(-size[0] + 0.01, 0, -0.02), (-size[0] - 0.03, 0, 0.2),
                                       (-size[0] - 0.05, 0, 0.7), (-size[0] - 0.12, 0, 0.8)]), 14)
        bar = sweep(curve, np.array([[0.035, 0.015]] * 14), segments=10, side=(0, 1, 0))
        assembly.add(bar, color if rng.uniform() < 0.6 else grip_color(rng))
        assembly.cut(inner, color)
        return assembly
    bar = handle_bar(rng, rng.uniform(0.55, 0.8), rng.uniform(0.0, 0.08))
    assembly.add(outer, color)
    assembly.add(bar.translate((-size[0] + 0.01, 0, -0.012)), color)
    assembly.cut(inner, color)
    return assembly


def fork(rng: np.random.Generator) -> Assembly:
    """Returns a fork or a slotted server with a cupped head."""
    assembly = Assembly()
    color = _material(rng)
    length, half = rng.uniform(0.25, 0.36), rng.uniform(0.06, 0.1)
    t = np.linspace(0, 1, 12)
    sag = -rng.uniform(0.02, 0.06) * np.sin(np.pi * t)
    widths = half * np.interp(t, [0, 0.3, 0.5, 1], [0.3, 0.95, 1.0, 0.9])
    curve = np.column_stack([t * length, np.zeros(12), sag])
    thick = np.full(12, rng.uniform(0.012, 0.02))
    head = sweep(curve, np.column_stack([widths, thick]), section=superellipse(5.0, 16),
                 side=(0, 1, 0))
    assembly.add(head, color)
    assembly.add(handle_bar(rng, rng.uniform(0.55, 0.75), rng.uniform(0.0, 0.08)), color)
    tines = int(rng.integers(2, 5))
    pitch = 2 * half / tines
    for i in range(tines - 1):
        slot = extrusion(rounded_rectangle(length, pitch * 0.5, pitch * 0.24), 1.0)
        place = (length, -half + (i + 1) * pitch, -0.5)
        assembly.cut(slot.translate(place))
    return assembly


def knife(rng: np.random.Generator) -> Assembly:
    """Returns a table, kitchen or utility knife, cleaver or letter opener, lying flat."""
    assembly = Assembly()
    length, depth = rng.uniform(0.45, 0.75), rng.uniform(0.06, 0.2)
    tip = rng.uniform(0.0, 0.3)
    edge = np.array([(0, 0), (0.6 * length, -0.05 * depth), (length - tip * 0.4, 0.35 * depth),
                     (length, depth * 0.9), (length - tip, depth), (0, depth)])
    thick = rng.uniform(0.012, 0.03)
    section = CrossSection([edge], FillRule.NonZero)
    assembly.add(section.extrude(thick).translate((0, -depth, -thick / 2)), colors.metal(rng))
    handle_length = rng.uniform(0.28, 0.45)
    half = np.array([rng.uniform(0.03, 0.05), rng.uniform(0.018, 0.032)])
    t = np.linspace(0, 1, 12)
    wave = 1 + 0.15 * np.sin(2 * np.pi * t * rng.uniform(0.5, 1.5))
    widths = half[None] * wave[:, None] * np.where((t < 0.03) | (t > 0.97), 0.8, 1.0)[:, None]
    bar = stack(t * handle_length, widths[:, ::-1], exponents=3.5, segments=16)
    bar = bar.rotate((0, -90, 0)).translate((0.03, -half[0], 0))
    assembly.add(bar, grip_color(rng))
    if rng.uniform() < 0.3:
        bolster = Manifold.cube((0.03, 2.3 * half[0], 2.3 * half[1]), True)
        assembly.add(bolster.translate((0.02, -half[0], 0)), colors.metal(rng))
    return assembly


def spatula(rng: np.random.Generator) -> Assembly:
    """Returns a turner, scraper, paddle or pizza peel, with or without slots."""
    assembly = Assembly()
    color = _material(rng)
    length, width = rng.uniform(0.22, 0.4), rng.uniform(0.15, 0.3)
    thick = rng.uniform(0.014, 0.03)
    outline = rounded_rectangle(length, width, rng.uniform(0.01, 0.1))
    outline[:, 1] *= np.interp(outline[:, 0], [-length / 2, length / 2], [rng.uniform(0.6, 1), 1])
    section = CrossSection([outline], FillRule.NonZero)
    if rng.uniform() < 0.5:
        count = int(rng.integers(2, 5))
        for i in range(count):
            slot = rounded_rectangle(length * 0.6, width / count * 0.4, 0.02)
            place = (0.05 * length, width * ((i + 0.5) / count - 0.5) * 0.85)
            section = section - CrossSection([slot], FillRule.NonZero).translate(place)
    tilt = rng.uniform(0.0, 25.0)
    blade = section.extrude(thick).translate((length / 2 - 0.02, 0, -thick / 2))
    assembly.add(blade.rotate((0, tilt, 0)), color)
    if rng.uniform() < 0.5:
        assembly.add(handle_bar(rng, rng.uniform(0.5, 0.8), rng.uniform(0, 0.06)), color)
    else:
        rod = handle_bar(rng, 0.35, 0.03)
        assembly.add(rod, color)
        bar = grip(rng, rng.uniform(0.3, 0.45), rng.uniform(0.03, 0.045))
        assembly.add(bar.rotate((0, 0, 180)).translate((-0.3, 0, 0)), grip_color(rng))
    return assembly


def tongs(rng: np.random.Generator) -> Assembly:
    """Returns tongs or tweezers: two bowed arms joined at one end."""
    assembly = Assembly()
    color = _material(rng)
    gap, width = rng.uniform(0.06, 0.2), rng.uniform(0.03, 0.07)
    points = np.array([(0, 0, 0.0), (0.02, gap * 0.55, 0), (0.5, gap, 0), (1.0, gap * 0.4, 0)])
    for side in (-1, 1):
        curve = smooth_curve(points * (1, side, 1), 16)
        widths = width * np.interp(np.linspace(0, 1, 16), [0, 0.8, 1], [0.7, 0.7, 1.2])
        radii = np.column_stack([np.full(16, rng.uniform(0.012, 0.02)), widths])
        arm = sweep(curve, radii, section=superellipse(5.0, 12), side=(-0.2, side, 0))
        assembly.add(arm, color)
    pivot = Manifold.cylinder(1.7 * width, 0.04, 0.04, 16, True)
    assembly.add(pivot, color)
    return assembly


def whisk(rng: np.random.Generator) -> Assembly:
    """Returns a whisk or a wire sieve frame: looped wires on a handle."""
    assembly = Assembly()
    loops, belly = int(rng.integers(2, 5)), rng.uniform(0.1, 0.2)
    wire = rng.uniform(0.01, 0.018)
    knots = np.array([(0.0, 0.02), (0.12, 0.06), (0.4, belly), (0.55, 0.0)])
    right = np.column_stack([knots[:, 0], knots[:, 1], np.zeros(4)])
    path = smooth_curve(np.concatenate([right, (right * (1, -1, 1))[-2::-1]]), 30)
    steel = colors.metal(rng)
    for i in range(loops):
        loop = sweep(path, wire, segments=6).rotate((180.0 * i / loops, 0, 0))
        assembly.add(loop, steel)
    handle_length = rng.uniform(0.35, 0.5)
    collar = lathe(np.array([(0.045, -0.03), (0.045, 0.1)]), 14).rotate((0, 90, 0))
    assembly.add(collar, steel)
    bar = grip(rng, handle_length, rng.uniform(0.035, 0.05))
    assembly.add(bar.translate((-handle_length + 0.02, 0, 0)), grip_color(rng))
    return assembly
