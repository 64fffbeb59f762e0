# SPDX-License-Identifier: Apache-2.0
"""Prisms over outlines: polygons, stars, gears, profiles, brackets, letters, cookie cutters."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, FillRule, JoinType, Manifold, OpType

from recon_node.training.shapes import colors
from recon_node.training.shapes.assembly import Assembly
from recon_node.training.shapes.curves import regular_polygon, rounded_rectangle, smooth_curve
from recon_node.training.shapes.rotations import ON_EDGE

STROKES = {
    "L": ((0, 1, 0, 0), (0, 0, 0.7, 0)),
    "T": ((0, 1, 1, 1), (0.5, 1, 0.5, 0)),
    "U": ((0, 1, 0, 0), (0, 0, 0.8, 0), (0.8, 0, 0.8, 1)),
    "H": ((0, 0, 0, 1), (0.8, 0, 0.8, 1), (0, 0.5, 0.8, 0.5)),
    "I": ((0, 0, 0.8, 0), (0.4, 0, 0.4, 1), (0, 1, 0.8, 1)),
    "E": ((0, 0, 0, 1), (0, 0, 0.7, 0), (0, 0.5, 0.6, 0.5), (0, 1, 0.7, 1)),
    "F": ((0, 0, 0, 1), (0, 0.5, 0.6, 0.5), (0, 1, 0.7, 1)),
    "A": ((0, 0, 0.45, 1), (0.45, 1, 0.9, 0), (0.2, 0.4, 0.7, 0.4)),
    "Z": ((0, 1, 0.8, 1), (0.8, 1, 0, 0), (0, 0, 0.8, 0)),
    "N": ((0, 0, 0, 1), (0, 1, 0.8, 0), (0.8, 0, 0.8, 1)),
    "X": ((0, 0, 0.8, 1), (0, 1, 0.8, 0)),
    "Y": ((0, 1, 0.45, 0.5), (0.9, 1, 0.45, 0.5), (0.45, 0.5, 0.45, 0)),
    "plus": ((0, 0.5, 1, 0.5), (0.5, 0, 0.5, 1)),
    "P": ((0, 0, 0, 1), (0, 1, 0.6, 1), (0.6, 1, 0.6, 0.5), (0.6, 0.5, 0, 0.5)),
    "O": ((0, 0, 0, 1), (0, 1, 0.7, 1), (0.7, 1, 0.7, 0), (0.7, 0, 0, 0)),
    "hook": ((0, 0.3, 0, 0), (0, 0, 0.5, 0), (0.5, 0, 0.5, 1), (0.5, 1, 0.9, 1)),
    "stairs": ((0, 0, 0.3, 0), (0.3, 0, 0.3, 0.4), (0.3, 0.4, 0.6, 0.4), (0.6, 0.4, 0.6, 0.8)),
}


def stroked(strokes: np.ndarray, width: float, *, rounded: bool = False) -> CrossSection:
    """Returns the union of thick line segments.

    Args:
        strokes: (N, 4), x and y of start and end.
        width: of the line.
        rounded: gives the ends and joints a round cap instead of a square one.
    """
    cap = regular_polygon(12 if rounded else 4, width / 2 * (1.0 if rounded else np.sqrt(2)))
    bars = []
    for x0, y0, x1, y1 in strokes:
        ends = np.concatenate([cap + (x0, y0), cap + (x1, y1)])
        bars.append(CrossSection.hull_points(ends))
    return CrossSection.batch_boolean(bars, OpType.Add)


def solid_over(section: CrossSection, height: float, bevel: float = 0.0) -> Manifold:
    """Returns the prism over a section, its edges stepped in by `bevel` at top and bottom."""
    if bevel <= 0 or height < 3 * bevel:
        return section.extrude(height)
    inner = section.offset(-bevel, JoinType.Miter)
    if inner.is_empty():
        return section.extrude(height)
    middle = section.extrude(height - 2 * bevel).translate((0, 0, bevel))
    return middle + inner.extrude(height)


def random_outline(rng: np.random.Generator) -> np.ndarray:
    """Returns a random outline (N, 2) about the origin: star, flower, blob, irregular polygon."""
    kind = rng.uniform()
    if kind < 0.3:
        count = int(rng.integers(4, 9))
        outline = regular_polygon(2 * count)
        outline[::2] *= rng.uniform(0.35, 0.8)
        return outline
    if kind < 0.5:
        angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radius = 1 + rng.uniform(0.08, 0.3) * np.cos(rng.integers(2, 8) * angle)
        return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    count = int(rng.integers(4, 10))
    angle = (np.arange(count) + rng.uniform(-0.35, 0.35, size=count)) * (2 * np.pi / count)
    corners = rng.uniform(0.5, 1.0, size=(count, 1)) * np.column_stack(
        [np.cos(angle), np.sin(angle)])
    return corners if kind < 0.75 else smooth_curve(corners, 48, closed=True)


def prism(rng: np.random.Generator) -> Assembly:
    """Returns a straight, tapered or twisted prism over a random outline, perhaps pierced."""
    assembly = Assembly()
    outline = random_outline(rng)
    height = float(np.exp(rng.uniform(np.log(0.1), np.log(3.0))))
    options = {}
    if rng.uniform() < 0.3:
        taper = rng.uniform(0.3, 0.95)
        options = {"scale_top": (taper, taper)}
    if rng.uniform() < 0.2:
        options |= {"twist_degrees": rng.uniform(-120, 120), "n_divisions": 14}
    section = CrossSection([outline], FillRule.NonZero)
    if rng.uniform() < 0.25:
        section = section - CrossSection.circle(rng.uniform(0.1, 0.28), 24)
    assembly.add(section.extrude(height, **options), colors.anything(rng))
    if rng.uniform() < 0.4:
        assembly.turn(ON_EDGE)
    return assembly


def gear(rng: np.random.Generator) -> Assembly:
    """Returns a gear, pulley or cog with bore, hub and lightening holes."""
    assembly = Assembly()
    teeth = int(rng.integers(8, 28))
    depth = rng.uniform(0.08, 0.2)
    angle = (np.arange(4 * teeth) + 0.5) * (2 * np.pi / (4 * teeth))
    high = (np.arange(4 * teeth) % 4) < 2
    radius = np.where(high, 1.0, 1.0 - depth)
    outline = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    section = CrossSection([outline], FillRule.NonZero)
    height = rng.uniform(0.12, 0.6)
    body = section.extrude(height)
    color = colors.metal(rng) if rng.uniform() < 0.5 else colors.plastic(rng)
    assembly.add(body, color)
    hub = rng.uniform(0.2, 0.35)
    if rng.uniform() < 0.6:
        assembly.add(CrossSection.circle(hub, 24).extrude(height * 1.8), color)
    assembly.cut(CrossSection.circle(hub * 0.6, 20).extrude(4).translate((0, 0, -1)))
    if rng.uniform() < 0.4:
        count = int(rng.integers(3, 7))
        hole = CrossSection.circle(0.14, 16).extrude(4).translate((0.6, 0, -1))
        for i in range(count):
            assembly.cut(hole.rotate((0, 0, 360.0 * i / count)))
    if rng.uniform() < 0.4:
        assembly.turn(ON_EDGE)
    return assembly


def letter(rng: np.random.Generator) -> Assembly:
    """Returns a letter-like block or a length of profile bar with such a section."""
    assembly = Assembly()
    strokes = np.array(STROKES[str(rng.choice(sorted(STROKES)))])
    width = rng.uniform(0.1, 0.3)
    section = stroked(strokes, width, rounded=rng.uniform() < 0.4)
    height = rng.uniform(0.12, 0.5) if rng.uniform() < 0.6 else rng.uniform(0.5, 3.0)
    bevel = rng.uniform(0.01, 0.03) if rng.uniform() < 0.4 else 0.0
    assembly.add(solid_over(section, height, bevel), colors.anything(rng))
    if rng.uniform() < 0.6:
        assembly.turn(ON_EDGE)
    return assembly


def bracket(rng: np.random.Generator) -> Assembly:
    """Returns a bent plate with screw holes: angle, shelf bracket, hinge, channel."""
    assembly = Assembly()
    thick, depth = rng.uniform(0.04, 0.12), rng.uniform(0.2, 0.8)
    kind = str(rng.choice(["L", "U", "T", "hook", "Z"]))
    section = stroked(np.array(STROKES[kind]), thick)
    color = colors.metal(rng) if rng.uniform() < 0.6 else colors.anything(rng)
    assembly.add(section.extrude(depth), color)
    if kind in "LT" and rng.uniform() < 0.5:
        reach = rng.uniform(0.3, 0.6)
        start = 0.0 if kind == "L" else 0.5
        corner = 0.0 if kind == "L" else 1.0
        sign = 1 if kind == "L" else -1
        web = np.array([(start, corner), (start + reach, corner),
                        (start, corner + sign * reach)])[::sign]
        rib = CrossSection([web], FillRule.NonZero).extrude(thick)
        assembly.add(rib.translate((0, 0, depth / 2)), color)
    hole = CrossSection.circle(rng.uniform(0.03, 0.09), 16).extrude(6.0).translate((0, 0, -3))
    for height in rng.uniform(0.2, 0.85, size=rng.integers(1, 4)):
        place = (0, height, depth * rng.choice([0.25, 0.5, 0.75]))
        assembly.cut(hole.rotate((0, 90, 0)).translate(place))
    if rng.uniform() < 0.5:
        assembly.turn(ON_EDGE)
    return assembly


def cutter(rng: np.random.Generator) -> Assembly:
    """Returns a thin-walled extruded outline, open at both ends or with a floor."""
    assembly = Assembly()
    outline = random_outline(rng)
    if rng.uniform() < 0.3:
        outline = rounded_rectangle(2.0, rng.uniform(0.8, 2.0), rng.uniform(0.05, 0.5))
    section = CrossSection([outline], FillRule.NonZero)
    wall, height = rng.uniform(0.03, 0.1), rng.uniform(0.25, 1.5)
    color = colors.anything(rng)
    assembly.add(section.offset(wall, JoinType.Round, 2.0, 16).extrude(height), color)
    floor = wall if rng.uniform() < 0.5 else -0.1
    assembly.cut(section.extrude(height + 1).translate((0, 0, floor)), color)
    return assembly


def block_toy(rng: np.random.Generator) -> Assembly:
    """Returns a studded building brick or plate."""
    assembly = Assembly()
    columns, rows = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    height = float(rng.choice([0.4, 1.2]))
    color = colors.saturated(rng)
    size = (columns, rows, height)
    assembly.add(Manifold.cube(size, False), color)
    stud = Manifold.cylinder(0.25, 0.3, 0.3, 16)
    for i in range(columns):
        for j in range(rows):
            assembly.add(stud.translate((i + 0.5, j + 0.5, height - 0.03)), color)
    if rng.uniform() < 0.5:
        inner = Manifold.cube((columns - 0.3, rows - 0.3, height - 0.15), False)
        assembly.cut(inner.translate((0.15, 0.15, -0.01)), color)
    return assembly
