# SPDX-License-Identifier: Apache-2.0
"""Fruit and vegetables: warped spheres, turned profiles, bent tapered tubes."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import regular_polygon, smooth_curve
from recon_node.training.shapes.rotations import any_rotation
from recon_node.training.shapes.solids import capsule_sweep, lathe, star_solid, sweep
from recon_node.training.shapes.vessels import smooth_profile

STEM = (0.09, 0.5, 0.3)


def smooth_noise(rng: np.random.Generator, amplitude: float, waves: int = 5):
    """Returns a smooth random field over directions: (..., 3) to (...), of that amplitude."""
    frequencies = rng.normal(size=(waves, 3)) * 1.6
    phases = rng.uniform(0, 2 * np.pi, size=waves)
    scale = amplitude / np.sqrt(waves)
    return lambda directions: scale * np.sin(directions @ frequencies.T + phases).sum(axis=-1)


def stem(rng: np.random.Generator, base: float, length: float, radius: float) -> Manifold:
    """Returns a short bent stalk that starts at height `base`."""
    lean = rng.uniform(-0.5, 0.5, size=2) * length
    points = np.array([(0, 0, base), (0.2 * lean[0], 0.2 * lean[1], base + 0.6 * length),
                       (lean[0], lean[1], base + length)])
    return sweep(smooth_curve(points, 5), radius * np.linspace(0.8, 1.2, 5), segments=7)


def round_fruit(rng: np.random.Generator) -> Assembly:
    """Returns an apple, peach, tomato, orange, plum, pumpkin or pepper."""
    assembly = Assembly()
    lobes, depth = int(rng.integers(3, 11)), rng.uniform(0.0, 0.12) * (rng.uniform() < 0.6)
    top, bottom = rng.uniform(0.0, 0.55), rng.uniform(0.0, 0.3)
    squash, taper = rng.uniform(0.7, 1.25), rng.uniform(-0.05, 0.3)
    noise = smooth_noise(rng, 0.03)

    def radius(d: np.ndarray) -> np.ndarray:
        polar = np.arccos(np.clip(d[..., 2], -1, 1))
        turn = np.arctan2(d[..., 1], d[..., 0])
        value = 1 - top * np.exp(-((polar / 0.45) ** 2)) + taper * d[..., 2] * 0.5
        value = value - bottom * np.exp(-(((np.pi - polar) / 0.35) ** 2))
        ribs = depth * np.sin(polar) * np.abs(np.sin(lobes * turn / 2)) ** 0.7
        return value + ribs + noise(d)

    solid = star_solid(radius, int(rng.choice([20, 32, 40])))
    hue = float(rng.choice([0.0, 0.02, 0.07, 0.1, 0.14, 0.25, 0.3, 0.8, 0.95]))
    shade = rng.uniform(0.5, 0.95) * (0.5 if 0.7 < hue < 0.9 else 1.0)
    skin = colors.from_hsv(hue + rng.normal() * 0.01, rng.uniform(0.6, 1), shade)
    assembly.add(solid.scale((1, 1, squash)), skin)
    if rng.uniform() < 0.75:
        base = (1 - top + taper * 0.5) * squash
        stalk = stem(rng, base - 0.12, rng.uniform(0.2, 0.5), rng.uniform(0.03, 0.09))
        assembly.add(stalk, colors.from_hsv(*STEM) if rng.uniform() < 0.5
                     else colors.from_hsv(0.28, 0.6, rng.uniform(0.25, 0.6)))
    if rng.uniform() < 0.4:
        assembly.turn(any_rotation(rng))
    return assembly


def long_fruit(rng: np.random.Generator) -> Assembly:
    """Returns a pear, aubergine, lemon, avocado, egg, acorn, strawberry or bulb."""
    assembly = Assembly()
    kind = str(rng.choice(["pear", "egg", "lemon", "strawberry", "bulb"]))
    knots = {
        "pear": [(0.2, 0), (0.52, 0.28), (0.45, 0.6), (0.24, 0.95), (0.16, 1.25), (0.05, 1.34)],
        "egg": [(0.12, 0), (0.42, 0.22), (0.5, 0.5), (0.4, 0.92), (0.18, 1.18), (0.05, 1.24)],
        "lemon": [(0.06, 0), (0.12, 0.08), (0.4, 0.3), (0.48, 0.62), (0.38, 0.95), (0.1, 1.2),
                  (0.04, 1.28)],
        "strawberry": [(0.05, 0), (0.2, 0.15), (0.42, 0.6), (0.48, 0.85), (0.3, 1.02), (0.1, 1.0)],
        "bulb": [(0.15, 0), (0.45, 0.2), (0.5, 0.45), (0.2, 0.8), (0.1, 1.0), (0.06, 1.2)],
    }[kind]
    hues = {"pear": (0.2, 0.15, 0.25), "egg": (0.09, 0.25, 0.3), "lemon": (0.14, 0.16, 0.25),
            "strawberry": (0.0, 0.98, 0.02), "bulb": (0.08, 0.93, 0.12)}[kind]
    knots = np.array(knots) * rng.uniform(0.85, 1.15, size=(len(knots), 1))
    knots[:, 1] = np.maximum.accumulate(knots[:, 1])
    skin = colors.from_hsv(float(rng.choice(hues)), rng.uniform(0.4, 0.95), rng.uniform(0.35, 0.95))
    if kind == "egg" and rng.uniform() < 0.5:
        skin = colors.white(rng)
    profile = smooth_profile(knots, 20)
    segments = int(rng.choice([12, 24, 32]))
    assembly.add(lathe(profile, segments), skin)
    green = colors.from_hsv(0.3, rng.uniform(0.5, 0.8), rng.uniform(0.25, 0.6))
    top = float(profile[-1, 1])
    if kind == "strawberry":
        leaves = star_solid(lambda d: 0.14 + 0.3 * np.sin(np.arccos(np.clip(d[..., 2], -1, 1)))
                            * (0.5 + 0.5 * np.cos(6 * np.arctan2(d[..., 1], d[..., 0]))), 36)
        assembly.add(leaves.scale((1, 1, 0.4)).translate((0, 0, top)), green)
    if kind in ("pear", "strawberry"):
        assembly.add(stem(rng, top - 0.05, rng.uniform(0.15, 0.3), 0.035), green)
    if rng.uniform() < 0.6:
        assembly.turn(any_rotation(rng))
    return assembly


def bent_fruit(rng: np.random.Generator) -> Assembly:
    """Returns a banana, cucumber, carrot, chilli, courgette, bean or sausage."""
    assembly = Assembly()
    bend, thick = rng.uniform(0.0, 2.0), rng.uniform(0.06, 0.16)
    count = 20
    t = np.linspace(0.0, 1.0, count)
    angle = bend * (t - 0.5)
    span = 1.0 / max(bend, 1e-2)
    curve = np.column_stack([span * np.sin(angle), span * (1 - np.cos(angle)), np.zeros(count)])
    tip, tail = rng.uniform(0.1, 0.9), rng.uniform(0.15, 0.9)
    belly = (4 * t * (1 - t)) ** rng.uniform(0.25, 0.6)
    radii = thick * np.maximum(belly * 1.0, 0.0) * (tail + (1 - tail) * (1 - t) ** 0.5)
    radii = np.maximum(radii, thick * 0.18 * (tip + 0.5))
    sides = int(rng.choice([5, 6, 14, 20]))
    section = regular_polygon(sides)
    hue = float(rng.choice([0.14, 0.15, 0.3, 0.28, 0.07, 0.0, 0.04]))
    skin = colors.from_hsv(hue, rng.uniform(0.6, 1.0), rng.uniform(0.45, 0.95))
    solid = capsule_sweep(curve, radii, section=section)
    low, high = curve[1, 0], curve[-2, 0]
    tips = colors.from_hsv(0.1, 0.6, 0.25) if rng.uniform() < 0.6 else skin
    assembly.add_painted(solid, lambda p: (p[:, 0] < low) | (p[:, 0] > high), [skin, tips])
    if hue == 0.07 and rng.uniform() < 0.7:
        leaf = lathe(smooth_profile([(0.02, 0), (0.07, 0.12), (0.01, 0.3)], 8), 8)
        for tilt in (-35.0, 0.0, 35.0):
            assembly.add(leaf.rotate((0, -90, tilt)).translate(tuple(curve[0] + (0.02, 0, 0))),
                         colors.from_hsv(0.3, 0.7, 0.5))
    return assembly


def potato(rng: np.random.Generator) -> Assembly:
    """Returns an irregular lump: potato, stone, ginger, loaf, nut, crumpled soft thing."""
    assembly = Assembly()
    noise = smooth_noise(rng, rng.uniform(0.1, 0.45), 6)
    fine = smooth_noise(rng, 0.04, 8)
    solid = star_solid(lambda d: np.exp(noise(d) + fine(3 * d)), int(rng.choice([14, 24, 36])))
    half = np.sort(rng.uniform(0.4, 1.0, size=3))[::-1]
    pick = rng.uniform()
    skin = colors.wood(rng) if pick < 0.5 else colors.muted(rng) if pick < 0.8 else (
        colors.anything(rng))
    assembly.add(solid.scale(tuple(half)), skin)
    return assembly


def bunch(rng: np.random.Generator) -> Assembly:
    """Returns a bunch or pile of berries, or a pineapple-like head with leaves."""
    assembly = Assembly()
    skin = colors.from_hsv(float(rng.choice([0.25, 0.8, 0.95, 0.6])), 0.7, rng.uniform(0.3, 0.8))
    green = colors.from_hsv(0.3, rng.uniform(0.5, 0.8), rng.uniform(0.25, 0.6))
    if rng.uniform() < 0.5:
        berry = Manifold.sphere(0.2, 12)
        places = [(0.0, 0.0, 0.0)]
        for layer in range(1, int(rng.integers(3, 6))):
            count = min(layer + 2, 5)
            turn = rng.uniform(0, 6.28)
            for i in range(count):
                a = turn + 2 * np.pi * i / count
                ring = 0.2 * np.sqrt(layer)
                places.append((ring * np.cos(a), ring * np.sin(a), 0.25 * layer))
        core = lathe(np.array([(0.1, 0.0), (0.3, 0.25 * layer)]), 8)
        assembly.add(core, skin)
        for place in places:
            assembly.add(berry.translate(place), skin)
        assembly.add(stem(rng, 0.25 * layer, 0.4, 0.05), green)
    else:
        body = lathe(smooth_profile([(0.2, 0), (0.45, 0.35), (0.45, 0.8), (0.15, 1.15)], 14), 20)
        assembly.add(body, colors.from_hsv(rng.uniform(0.08, 0.15), 0.7, rng.uniform(0.5, 0.85)))
        leaf = lathe(smooth_profile([(0.02, 0), (0.07, 0.2), (0.01, 0.6)], 7), 6)
        for i in range(9):
            tilt = leaf.rotate((rng.uniform(0, 40), 0, 40.0 * i)).translate((0, 0, 1.08))
            assembly.add(tilt, green)
    if rng.uniform() < 0.4:
        assembly.turn(any_rotation(rng))
    return assembly
