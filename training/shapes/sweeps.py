# SPDX-License-Identifier: Apache-2.0
"""Swept things: pipes, rings, wires, springs, hangers, hooks, chains, tape rolls."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import (
    evenly_spaced,
    rounded_rectangle,
    smooth_curve,
    superellipse,
)
from recon_node.training.shapes.rotations import ON_EDGE, any_rotation
from recon_node.training.shapes.solids import capsule_sweep, lathe, stack, sweep


def ring(rng: np.random.Generator) -> Assembly:
    """Returns a torus, washer, bangle, hoop, tape roll or tyre."""
    assembly = Assembly()
    if rng.uniform() < 0.5:
        inner, height = rng.uniform(0.3, 0.92), rng.uniform(0.08, 1.2)
        sides = int(rng.choice([6, 16, 32, 48]))
        color = colors.anything(rng)
        assembly.add(lathe(np.array([(1.0, 0.0), (1.0, height)]), sides), color)
        bore = lathe(np.array([(inner, -1.0), (inner, height + 1.0)]), 40)
        assembly.cut(bore, color if rng.uniform() < 0.5 else colors.muted(rng))
        return _maybe_on_edge(assembly, rng)
    corner, aspect = rng.uniform(0.3, 1.0), rng.uniform(0.5, 1.0)
    outline = evenly_spaced(rounded_rectangle(2.0, 2.0 * aspect, corner, 10), 44)
    curve = np.column_stack([outline, np.zeros(len(outline))])
    section = superellipse(float(rng.choice([2.0, 2.0, 4.0])), 14)
    reach = min(0.3, 0.8 * corner, 0.7 * aspect)
    radii = np.repeat([[rng.uniform(0.03, 0.3), rng.uniform(0.03, reach)]], len(curve), axis=0)
    solid = sweep(curve, radii, section=section, closed=True, side=(0, 0, 1))
    assembly.add(solid, colors.anything(rng))
    return _maybe_on_edge(assembly, rng)


def _maybe_on_edge(assembly: Assembly, rng: np.random.Generator) -> Assembly:
    if rng.uniform() < 0.4:
        assembly.turn(ON_EDGE)
    return assembly


def pipe(rng: np.random.Generator) -> Assembly:
    """Returns a straight, bent or branching pipe with open bore and perhaps flanges."""
    assembly = Assembly()
    radius, bend = rng.uniform(0.12, 0.3), rng.uniform(0.0, 1.8)
    t = np.linspace(0, 1, 16)
    if bend < 0.3:
        curve = np.column_stack([np.zeros(16), np.zeros(16), 2 * t - 1])
    else:
        angle = bend * t
        arm = np.column_stack([1 - np.cos(angle), np.zeros(16), np.sin(angle)])
        curve = np.concatenate([[(0, 0, -rng.uniform(0.1, 0.6))], arm])
        end = arm[-1] - arm[-2]
        curve = np.concatenate([curve, [arm[-1] + 4 * end]])
    wall = radius * rng.uniform(0.12, 0.35)
    color = colors.metal(rng) if rng.uniform() < 0.4 else colors.anything(rng)
    assembly.add(sweep(curve, radius, segments=24), color)
    bores = [sweep(_prolonged(curve), radius - wall, segments=24)]
    if rng.uniform() < 0.4:
        collar = sweep(np.array([curve[0], curve[0] + (0, 0, 0.1)]), radius * 1.35, segments=24)
        assembly.add(collar, color)
    if rng.uniform() < 0.35:
        branch = np.array([(0, 0, 0.0), (0, 0.4, 0.0), (0, 2.2 * radius + 0.3, 0.0)]) + curve[8]
        assembly.add(sweep(branch, radius * 0.9, segments=24), color)
        bores.append(sweep(_prolonged(branch)[1:], radius * 0.9 - wall, segments=24))
    for bore in bores:
        assembly.cut(bore, color if rng.uniform() < 0.7 else colors.black(rng))
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE)
    return assembly


def _prolonged(curve: np.ndarray) -> np.ndarray:
    head, tail = 2 * curve[0] - curve[1], 2 * curve[-1] - curve[-2]
    return np.concatenate([[head], curve, [tail]])


def wire(rng: np.random.Generator) -> Assembly:
    """Returns a rod bent along a random smooth curve: wire, cable, hose, rope, twig."""
    assembly = Assembly()
    flat = rng.uniform() < 0.6
    turns = np.cumsum(rng.normal(size=(int(rng.integers(3, 7)), 3)) * 0.8, axis=0)
    knots = np.cumsum(turns / np.linalg.norm(turns, axis=1, keepdims=True), axis=0)
    if flat:
        knots[:, 2] *= 0.05
    span = np.ptp(knots, axis=0).max()
    curve = smooth_curve(knots / span, 50)
    radius = rng.uniform(0.012, 0.06)
    profile = radius * np.interp(np.linspace(0, 1, 50), [0, 1], [1.0, rng.uniform(0.5, 1.0)])
    assembly.add(capsule_sweep(curve, profile, segments=10, cap=3), colors.anything(rng))
    if rng.uniform() < 0.3:
        plug = Manifold.sphere(radius * rng.uniform(1.5, 3.0), 16)
        assembly.add(plug.translate(tuple(curve[-1])), colors.anything(rng))
    return assembly


def spring(rng: np.random.Generator) -> Assembly:
    """Returns a coil: spring, corkscrew, curly cable, spiral on a rod."""
    assembly = Assembly()
    turns, height = rng.uniform(2.0, 7.0), rng.uniform(0.6, 2.2)
    per_turn = int(np.clip(160 // turns, 16, 26))
    t = np.linspace(0, 1, int(per_turn * turns))
    angle = 2 * np.pi * turns * t
    radius = 0.5 * np.interp(t, [0, 1], [1.0, rng.uniform(0.4, 1.0)])
    curve = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height * t])
    limit = min(0.4 * height / turns, 0.12)
    thick = rng.uniform(0.4, 1.0) * limit
    assembly.add(sweep(curve, thick, segments=8), colors.metal(rng))
    if rng.uniform() < 0.3:
        rod = lathe(np.array([(0.42, -0.05), (0.42, height + 0.05)]), 20)
        assembly.add(rod, colors.anything(rng))
    if rng.uniform() < 0.5:
        assembly.turn(ON_EDGE)
    return assembly


def hanger(rng: np.random.Generator) -> Assembly:
    """Returns a clothes hanger: triangle of wire, wood or plastic with a hook."""
    assembly = Assembly()
    wide, drop = 1.0, rng.uniform(0.25, 0.5)
    thick = rng.uniform(0.012, 0.035)
    color = colors.anything(rng)
    knots = np.array([(-wide, -drop), (-0.4 * wide, -0.25 * drop), (0, 0),
                      (0.4 * wide, -0.25 * drop), (wide, -drop)])
    shoulder = smooth_curve(np.insert(knots, 1, 0.0, axis=1), 26)
    radii = np.repeat([[thick * rng.uniform(1.0, 2.0), thick]], 26, axis=0)
    assembly.add(sweep(shoulder, radii, segments=10, side=(0, 1, 0)), color)
    if rng.uniform() < 0.8:
        bar = np.array([(-wide, 0, -drop), (0, 0, -drop), (wide, 0, -drop)])
        assembly.add(capsule_sweep(bar, thick * 0.9, segments=10), color)
    angle = np.linspace(-0.5 * np.pi, 0.95 * np.pi, 16)
    size = rng.uniform(0.1, 0.16)
    arc = np.column_stack([size * np.cos(angle), np.zeros(16), size * np.sin(angle)])
    arc += (0, 0, 0.2 + size)
    hook = np.concatenate([[(0, 0, -0.01), (0, 0, 0.1)], arc])
    assembly.add(capsule_sweep(hook, thick * 0.7, segments=8, cap=2), colors.metal(rng))
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE)
    return assembly


def hook(rng: np.random.Generator) -> Assembly:
    """Returns a hook, carabiner-like loop, padlock or U-bolt: a bent rod with a body."""
    assembly = Assembly()
    thick = rng.uniform(0.04, 0.09)
    size = rng.uniform(0.2, 0.35)
    angle = np.linspace(0.0, np.pi, 14)
    arc = np.column_stack([size * np.cos(angle), np.zeros(14), 0.4 + size * np.sin(angle)])
    left, right = arc[-1] * (1, 1, 0), arc[0] * (1, 1, rng.choice([0.0, 1.0]))
    curve = np.concatenate([[right], arc, [left]]) if right[2] == 0 else np.concatenate(
        [arc, [left]])
    assembly.add(sweep(curve, thick, segments=12), colors.metal(rng))
    body = np.array([2 * size + rng.uniform(0.16, 0.4), rng.uniform(0.2, 0.4),
                     rng.uniform(0.4, 0.9)])
    block = stack(np.array([0.05 - body[2], 0.05]), np.array([body[:2], body[:2]]) / 2,
                  exponents=rng.uniform(2.5, 9.0))
    assembly.add(block, colors.metal(rng) if rng.uniform() < 0.5 else colors.plastic(rng))
    if rng.uniform() < 0.5:
        assembly.turn(ON_EDGE)
    return assembly


def chain(rng: np.random.Generator) -> Assembly:
    """Returns a short chain or a linked pair of rings, standing as if frozen."""
    assembly = Assembly()
    links = int(rng.integers(2, 8))
    outline = evenly_spaced(rounded_rectangle(1.0, rng.uniform(0.5, 0.7), 0.25, 6), 22)
    curve = np.column_stack([outline, np.zeros(len(outline))])
    thick = rng.uniform(0.06, 0.1)
    link = sweep(curve, thick, segments=8, closed=True)
    color = colors.metal(rng) if rng.uniform() < 0.7 else colors.plastic(rng)
    second = color if rng.uniform() < 0.6 else colors.anything(rng)
    bend = rng.uniform(-25, 25)
    for i in range(links):
        piece = link.rotate((90.0 * (i % 2), 0, 0)).translate((i * (1.0 - 1.9 * thick), 0, 0))
        assembly.add(piece, color if i % 2 else second)
    if bend > 10:
        assembly.turn(any_rotation(rng))
    return assembly
