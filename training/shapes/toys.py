# SPDX-License-Identifier: Apache-2.0
"""Toys: animals, figures, dolls, snowmen, trees, stacking rings, boats, planes, houses."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import smooth_curve
from recon_node.training.shapes.fruit import smooth_noise
from recon_node.training.shapes.solids import (
    capsule_sweep,
    extrusion,
    lathe,
    rounded_box,
    star_solid,
    superquadric,
)


def _lump(rng: np.random.Generator, half: np.ndarray) -> Manifold:
    style = rng.uniform()
    if style < 0.4:
        return superquadric(half, 2.0, 2.0, 20)
    if style < 0.7:
        return superquadric(half, rng.uniform(2.2, 4.0), rng.uniform(2.0, 4.0), 20)
    return rounded_box(2 * half, 0.3 * half.min(), int(rng.choice([1, 2, 4])))


def _limb(rng: np.random.Generator, start: np.ndarray, end: np.ndarray, radius: float) -> Manifold:
    radii = radius * np.linspace(1.0, rng.uniform(0.6, 1.1), 3)
    middle = (start + end) / 2 + rng.normal(size=3) * 0.05 * np.linalg.norm(end - start)
    return capsule_sweep(np.array([start, middle, end]), radii, segments=10, cap=3)


def animal(rng: np.random.Generator) -> Assembly:
    """Returns a four-legged animal with head, ears, snout and tail."""
    assembly = Assembly()
    coat = colors.anything(rng) if rng.uniform() < 0.4 else colors.leather(rng)
    second = coat if rng.uniform() < 0.5 else colors.anything(rng)
    body = np.array([0.5, rng.uniform(0.18, 0.32), rng.uniform(0.18, 0.32)])
    leg, thick = rng.uniform(0.15, 0.6), rng.uniform(0.05, 0.11)
    lift = leg + body[2] * 0.6
    assembly.add(_lump(rng, body).translate((0, 0, lift)), coat)
    for x in (-0.62, 0.62):
        for y in (-0.6, 0.6):
            hip = np.array([x * body[0], y * body[1], lift - 0.3 * body[2]])
            foot = hip * (1, 1, 0) + (0, 0, thick)
            assembly.add(_limb(rng, hip, foot, thick), second)
    head = rng.uniform(0.15, 0.28) * np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.8, 1.1)])
    rise = rng.uniform(0.0, 0.7)
    place = np.array([body[0] + 0.35 * head[0], 0, lift + 0.5 * body[2] + rise])
    neck = np.array([body[0] * 0.7, 0, lift])
    assembly.add(_limb(rng, neck, place, rng.uniform(0.08, 0.14)), coat)
    assembly.add(_lump(rng, head).translate(tuple(place)), coat)
    snout = np.array([rng.uniform(0.08, 0.2), 0.45 * head[1], 0.4 * head[2]])
    assembly.add(superquadric(snout, 2.0, 2.0, 16).translate(
        tuple(place + (head[0] + 0.3 * snout[0], 0, -0.2 * head[2]))), second)
    ear = superquadric((0.03, 0.06, rng.uniform(0.05, 0.2)), 2.0, 2.0, 12)
    for side in (-1, 1):
        top = place + (-0.1 * head[0], side * 0.6 * head[1], 0.8 * head[2])
        assembly.add(ear.rotate((-20.0 * side, 0, 0)).translate(tuple(top)), second)
    tail = np.array([-body[0] * 0.9, 0, lift])
    tip = tail + (-rng.uniform(0.1, 0.5), 0, rng.uniform(-0.4, 0.4))
    assembly.add(_limb(rng, tail, tip, rng.uniform(0.02, 0.07)), second)
    return assembly


def figure(rng: np.random.Generator) -> Assembly:
    """Returns a standing or sitting doll, robot, bear or action figure."""
    assembly = Assembly()
    skin, cloth, trousers = colors.anything(rng), colors.anything(rng), colors.anything(rng)
    torso = np.array([rng.uniform(0.1, 0.22), rng.uniform(0.16, 0.3), rng.uniform(0.22, 0.35)])
    leg, thick = rng.uniform(0.15, 0.55), rng.uniform(0.06, 0.11)
    lift = leg + 0.85 * torso[2]
    assembly.add(_lump(rng, torso).translate((0, 0, lift)), cloth)
    head = rng.uniform(0.14, 0.27) * np.array([1.0, 1.0, rng.uniform(0.85, 1.2)])
    height = lift + torso[2] + 0.75 * head[2]
    assembly.add(_lump(rng, head).translate((0, 0, height)), skin)
    sitting = rng.uniform() < 0.3
    raised = rng.uniform(-1.0, 0.9)
    for side in (-1, 1):
        hip = np.array([0, side * 0.5 * torso[1], leg + 0.2 * torso[2]])
        foot = hip + (leg, 0, -0.1) if sitting else hip * (1, 1, 0) + (0, 0, thick)
        assembly.add(_limb(rng, hip, foot, thick), trousers)
        if not sitting:
            assembly.add(rounded_box((0.24, 0.13, 0.1), 0.04, 3).translate(
                tuple(foot + (0.05, 0, -0.03))), trousers)
        shoulder = np.array([0, side * 0.8 * torso[1], lift + 0.65 * torso[2]])
        reach = rng.uniform(0.25, 0.4)
        hand = shoulder + (0.15, side * 0.6 * reach, reach * raised)
        assembly.add(_limb(rng, shoulder, hand, thick * 0.8), cloth)
        assembly.add(Manifold.sphere(thick, 12).translate(tuple(hand)), skin)
        if rng.uniform() < 0.4:
            ear = Manifold.sphere(0.4 * head[0], 14)
            assembly.add(ear.translate((0, side * 0.75 * head[1], height + 0.8 * head[2])), skin)
    if rng.uniform() < 0.4:
        rim = head[0] * rng.uniform(1.05, 1.6)
        crown = [(rim, 0), (rim, 0.03), (head[0] * 0.9, 0.05), (head[0] * 0.7, 0.3)]
        hat = lathe(np.array(crown), 18)
        assembly.add(hat.translate((0, 0, height + 0.55 * head[2])), colors.anything(rng))
    return assembly


def bird(rng: np.random.Generator) -> Assembly:
    """Returns a bird, duck, fish-like or dinosaur-like toy: body, head, beak, wings, tail."""
    assembly = Assembly()
    coat, second = colors.anything(rng), colors.anything(rng)
    noise = smooth_noise(rng, 0.05)
    body = star_solid(lambda d: np.exp(noise(d)) * (1 - 0.25 * d[..., 0] * d[..., 2]), 24)
    half = np.array([0.5, rng.uniform(0.25, 0.38), rng.uniform(0.28, 0.4)])
    assembly.add(body.scale(tuple(half)).trim_by_plane((0, 0, 1), -0.85 * half[2]), coat)
    size = rng.uniform(0.18, 0.28)
    place = np.array([rng.uniform(0.25, 0.45), 0, half[2] + rng.uniform(0.0, 0.5)])
    assembly.add(_limb(rng, np.array([0.25, 0, 0.1]), place, size * 0.7), coat)
    assembly.add(Manifold.sphere(size, 20).translate(tuple(place)), coat)
    beak = lathe(np.array([(0.09, 0), (0.07, 0.1), (0.01, 0.2)]), 12).rotate((0, 90, 0))
    beak = beak.scale((1, 1.2, 0.6)).translate(tuple(place + (0.85 * size, 0, -0.02)))
    assembly.add(beak, second)
    wing = superquadric((0.3, 0.05, 0.15), 2.0, 2.0, 18)
    for side in (-1, 1):
        assembly.add(wing.rotate((15.0 * side, -15, 0)).translate(
            (-0.05, side * half[1] * 0.95, 0.08)), second if rng.uniform() < 0.3 else coat)
        eye = Manifold.sphere(0.04, 10)
        assembly.add(eye.translate(tuple(place + (0.5 * size, side * 0.75 * size, 0.3 * size))),
                     colors.black(rng))
    tail = np.array([(-0.35, 0, 0.1), (-0.55, 0, 0.25), (-0.7, 0, 0.4)])
    assembly.add(capsule_sweep(tail, np.array([0.14, 0.1, 0.03]), segments=10), coat)
    return assembly


def stacked_toy(rng: np.random.Generator) -> Assembly:
    """Returns a snowman, stacking rings, tower of blocks, tree or skittle."""
    assembly = Assembly()
    level, size = 0.0, rng.uniform(0.4, 0.55)
    kind = str(rng.choice(["balls", "rings", "cones", "blocks"]))
    green = colors.from_hsv(rng.uniform(0.25, 0.4), 0.6, rng.uniform(0.3, 0.7))
    color = colors.white(rng)
    for i in range(int(rng.integers(2, 6))):
        if kind == "balls":
            level += 0.85 * size
            assembly.add(Manifold.sphere(size, 24).translate((0, 0, level)), color)
            level += 0.75 * size
        elif kind == "rings":
            thick = 0.25
            edge = [(size - 0.1, 0), (size, 0.08), (size, 0.17), (size - 0.1, thick)]
            tyre = lathe(np.array(edge), 28)
            assembly.add(tyre.translate((0, 0, level)), colors.saturated(rng))
            level += thick - 0.01
        elif kind == "cones":
            cone = lathe(np.array([(size, 0), (size * 0.25, 0.7), (0.01, 0.85)]), 16)
            assembly.add(cone.translate((0, 0, level)), green)
            level += 0.42
        else:
            cube = rounded_box((size, size, size), 0.03, int(rng.choice([1, 3])))
            spot = (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), level + size / 2)
            assembly.add(cube.rotate((0, 0, rng.uniform(0, 90))).translate(spot),
                         colors.saturated(rng))
            level += size - 0.005
        size *= rng.uniform(0.72, 0.92)
        if i == 0 and kind == "cones":
            trunk = lathe(np.array([(0.12, -0.35), (0.12, 0.1)]), 12)
            assembly.add(trunk, colors.wood(rng))
    if kind in ("balls", "rings"):
        nose = Manifold.sphere(0.13, 16)
        assembly.add(nose.translate((0, 0, level)), colors.saturated(rng))
    return assembly


def house(rng: np.random.Generator) -> Assembly:
    """Returns a house, bird house, castle tower or tent."""
    assembly = Assembly()
    width, depth, height = rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.2), rng.uniform(0.4, 1.0)
    wall, roof = colors.anything(rng), colors.anything(rng)
    assembly.add(Manifold.cube((width, depth, height), True).translate((0, 0, height / 2)), wall)
    rise, eave = rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.15)
    outline = np.array([(-width / 2 - eave, 0), (width / 2 + eave, 0), (0.0, rise)])
    gable = extrusion(outline, depth + 2 * eave).rotate((90, 0, 0))
    assembly.add(gable.translate((0, depth / 2 + eave, height - 0.01)), roof)
    if rng.uniform() < 0.5:
        chimney = Manifold.cube((0.12, 0.12, rise + 0.1), False)
        assembly.add(chimney.translate((width * 0.15, depth * 0.1, height)), colors.leather(rng))
    door = Manifold.cube((0.22, 0.2, rng.uniform(0.25, 0.4)), True)
    assembly.cut(door.translate((0, -depth / 2, 0.15)), colors.wood(rng))
    for x in (-0.3, 0.3):
        window = Manifold.cube((0.13, 0.06, 0.14), True)
        assembly.cut(window.translate((x * width, -depth / 2, height * 0.65)), colors.muted(rng))
    return assembly


def boat(rng: np.random.Generator) -> Assembly:
    """Returns a boat: a pointed hull, hollow or decked, with cabin, funnel or mast."""
    assembly = Assembly()
    beam, depth = rng.uniform(0.18, 0.3), rng.uniform(0.15, 0.3)
    knots = [(-0.5, 0.75 * beam), (-0.1, beam), (0.3, 0.8 * beam), (0.6, 0.02)]
    half = smooth_curve(np.array(knots), 16)
    outline = np.concatenate([half * (1, -1), half[::-1]])
    section = CrossSection([outline], FillRule.NonZero)
    hull = section.scale((0.85, 0.6)).extrude(depth, scale_top=(1 / 0.85, 1 / 0.6))
    color = colors.anything(rng)
    assembly.add(hull, color)
    deck = depth * rng.uniform(0.3, 0.9)
    inner = section.scale((0.9, 0.82)).extrude(1.0).translate((0, 0, deck))
    assembly.cut(inner, colors.wood(rng))
    if rng.uniform() < 0.7:
        cabin = rounded_box((0.35, beam, 0.3), 0.03, 3)
        assembly.add(cabin.translate((-0.15, 0, deck + 0.13)), colors.white(rng))
        funnel = lathe(np.array([(0.06, 0), (0.06, 0.3)]), 16)
        assembly.add(funnel.translate((-0.15, 0, deck + 0.25)), colors.saturated(rng))
    else:
        mast = lathe(np.array([(0.025, 0.02), (0.02, 1.0)]), 10)
        assembly.add(mast, colors.wood(rng))
        sail = np.array([(0.0, 0.3), (0.42, 0.32), (0.0, 0.98)])
        assembly.add(extrusion(sail, 0.03).rotate((90, 0, 0)).translate((0, 0.015, 0)),
                     colors.white(rng))
    return assembly
