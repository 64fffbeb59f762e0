# SPDX-License-Identifier: Apache-2.0
"""Box-like goods: cartons, open boxes, books, milk cartons, trays, packets."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly, band
from recon_node.training.shapes.curves import superellipse
from recon_node.training.shapes.rotations import ON_EDGE
from recon_node.training.shapes.solids import extrusion, lathe, loft, rounded_box


def _paper(rng: np.random.Generator) -> np.ndarray:
    return colors.cardboard(rng) if rng.uniform() < 0.2 else colors.plastic(rng)


def carton(rng: np.random.Generator) -> Assembly:
    """Returns a food box with printed panels: cereal, tea, sugar, soap, jelly."""
    assembly = Assembly()
    size = np.array([1.0, rng.uniform(0.4, 1.0), rng.uniform(0.12, 0.5)])
    assembly.add(rounded_box(size, rng.uniform(0.004, 0.02), int(rng.choice([1, 2, 3]))),
                 _paper(rng))
    for axis in rng.permutation(3)[: rng.integers(0, 3)]:
        panel = size * rng.uniform(0.35, 0.9, size=3)
        panel[axis] = size[axis] + 0.003
        centre = (size - panel) / 2 * rng.uniform(-0.8, 0.8, size=3)
        centre[axis] = 0.0
        assembly.add(Manifold.cube(tuple(panel), True).translate(tuple(centre)), _paper(rng))
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE if rng.uniform() < 0.5 else np.roll(np.eye(3), 1, axis=0))
    return assembly


def open_box(rng: np.random.Generator) -> Assembly:
    """Returns a thin-walled box without lid, with an ajar lid, or with flaps or handles."""
    assembly = Assembly()
    size = np.array([1.0, rng.uniform(0.4, 1.0), rng.uniform(0.15, 0.9)])
    wall = rng.uniform(0.012, 0.05)
    taper = rng.uniform(1.0, 1.3)
    outline = superellipse(float(rng.choice([6.0, 12.0, 40.0])), 48) / 2
    outer = extrusion(outline * size[:2], size[2], scale_top=(taper, taper))
    inner_size = size[:2] - 2 * wall
    top = (size[:2] * taper - 2 * wall) / inner_size
    inner = extrusion(outline * inner_size, size[2], scale_top=tuple(top)).translate((0, 0, wall))
    inner = inner + extrusion(outline * inner_size * top, wall + 0.1).translate((0, 0, size[2]))
    color = colors.anything(rng)
    assembly.add(outer, color)
    if rng.uniform() < 0.4:
        rim = extrusion(outline * (size[:2] * taper + rng.uniform(0.03, 0.1)), 0.03)
        assembly.add(rim.translate((0, 0, size[2] - 0.03)), color)
    assembly.cut(inner, color if rng.uniform() < 0.6 else colors.muted(rng))
    if rng.uniform() < 0.3:
        slot = rounded_box((0.3, 4.0, 0.1), 0.05, 4).translate((0, 0, size[2] - 0.12))
        assembly.cut(slot)
    elif rng.uniform() < 0.4:
        _add_ajar_lid(assembly, rng, size, taper, color)
    return assembly


def _add_ajar_lid(
    assembly: Assembly, rng: np.random.Generator, size: np.ndarray, taper: float, color: np.ndarray
) -> None:
    width, depth = size[:2] * taper
    lid = rounded_box((width, depth, 0.03), 0.01, 2).translate((0, depth / 2, 0.0))
    lid = lid.rotate((rng.uniform(20.0, 110.0), 0, 0))
    assembly.add(lid.translate((0, -depth / 2 + 0.01, size[2])), color)


def lidded_box(rng: np.random.Generator) -> Assembly:
    """Returns a closed box with an overlapping lid: shoe box, tin, lunch box, case with handle."""
    assembly = Assembly()
    size = np.array([1.0, rng.uniform(0.4, 1.0), rng.uniform(0.2, 0.7)])
    steps, radius = int(rng.choice([1, 3, 5])), rng.uniform(0.02, 0.12)
    assembly.add(rounded_box(size, radius, steps), colors.anything(rng))
    lid = size * (1, 1, rng.uniform(0.1, 0.4)) + (0.03, 0.03, 0.015)
    height = size[2] / 2 - lid[2] / 2 + 0.015
    assembly.add(rounded_box(lid, radius, steps).translate((0, 0, height)), colors.anything(rng))
    if rng.uniform() < 0.4:
        grip = rounded_box((rng.uniform(0.2, 0.5), 0.08, 0.16), 0.03, 4)
        grip = grip - Manifold.cube((rng.uniform(0.1, 0.3), 1.0, 0.07), True)
        assembly.add(grip.translate((0, 0, size[2] / 2 + 0.06)), colors.anything(rng))
    return assembly


def book(rng: np.random.Generator) -> Assembly:
    """Returns a closed book: two boards and a spine around a recessed block of pages."""
    assembly = Assembly()
    width, thick = rng.uniform(0.6, 0.8), rng.uniform(0.05, 0.25)
    board = rng.uniform(0.012, 0.02)
    cover = colors.plastic(rng)
    assembly.add(Manifold.cube((width, 1.0, thick), True), cover)
    gap = Manifold.cube((width, 1.2, thick - 2 * board), True).translate((2 * board, 0, 0))
    assembly.cut(gap, cover)
    pages = (width - 0.04, 0.96, thick - 2 * board + 0.002)
    assembly.add(Manifold.cube(pages, True).translate((-0.01, 0, 0)), colors.white(rng))
    if rng.uniform() < 0.3:
        assembly.turn(ON_EDGE)
    return assembly


def gable_carton(rng: np.random.Generator) -> Assembly:
    """Returns a milk or juice carton with a gable top and perhaps a screw cap."""
    assembly = Assembly()
    depth, height = rng.uniform(0.8, 1.0), rng.uniform(1.4, 2.4)
    roof = rng.uniform(0.25, 0.5)
    color = colors.plastic(rng)
    half = depth / 2
    outline = [(-half, 0), (half, 0), (half, height), (0.02, height + roof),
               (0.02, height + roof + 0.15), (-0.02, height + roof + 0.15), (-0.02, height + roof),
               (-half, height)]
    body = extrusion(np.array(outline), 1.0).translate((0, 0, -0.5)).rotate((90, 0, 0))
    assembly.add(body, color)
    if rng.uniform() < 0.7:
        band = rng.uniform(0.1, 0.5) * height
        panel = Manifold.cube((depth + 0.006, 1.006, band), True)
        assembly.add(panel.translate((0, 0, rng.uniform(0.3, 0.6) * height)), colors.plastic(rng))
    if rng.uniform() < 0.5:
        cap = lathe(np.array([(0.17, 0.0), (0.17, 0.2), (0.15, 0.22)]), 20)
        tilt = -np.degrees(np.arctan2(roof, half))
        cap = cap.translate((0, 0, -0.05)).rotate((0, -tilt, 0))
        assembly.add(cap.translate((half * 0.5, 0, height + roof * 0.5)), colors.plastic(rng))
    return assembly


def packet(rng: np.random.Generator) -> Assembly:
    """Returns a soft pack: pillow bag, pouch or sachet, puffed in the middle, flat at the seams."""
    assembly = Assembly()
    width, thick = rng.uniform(0.45, 0.9), rng.uniform(0.12, 0.4)
    count = 26
    t = np.linspace(0.0, 1.0, count)
    puff = np.clip(4 * t * (1 - t), 0, None) ** rng.uniform(0.3, 0.7)
    if rng.uniform() < 0.4:
        puff = np.maximum(puff, np.where(t < 0.5, rng.uniform(0.6, 1.0), 0.0))
    puff = np.maximum(puff * thick, 0.03)
    outline = superellipse(rng.uniform(2.2, 5.0), 40) / 2
    across = width * (1 - 0.12 * puff / thick)
    rings = np.zeros((count, 40, 3))
    rings[..., 0] = across[:, None] * outline[None, :, 0]
    rings[..., 1] = puff[:, None] * outline[None, :, 1]
    rings[..., 2] = t[:, None]
    body = loft(rings)
    low, high = np.sort(rng.uniform(0.1, 0.9, size=2))
    assembly.add_painted(body, band(low, high), [colors.plastic(rng), colors.plastic(rng)])
    if rng.uniform() < 0.5:
        assembly.turn(ON_EDGE)
    return assembly
