# SPDX-License-Identifier: Apache-2.0
"""Closed solids from outlines and curves, as `manifold3d.Manifold`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from manifold3d import CrossSection, FillRule, Manifold, Mesh

from recon_node.training.shapes.curves import superellipse


def loft(
    rings: np.ndarray,
    *,
    bottom: np.ndarray | None = None,
    top: np.ndarray | None = None,
    closed: bool = False,
) -> Manifold:
    """Returns the solid whose skin runs through a stack of rings.

    Args:
        rings: (R, S, 3), rings of equal point count, none of them degenerate.
        bottom: (3,), the point that closes the first ring; its centroid by default.
        top: (3,), the point that closes the last ring; its centroid by default.
        closed: joins the last ring to the first instead of closing both.
    """
    rings = np.asarray(rings, dtype=np.float64)
    ring_count, size = rings.shape[:2]
    grid = np.arange(ring_count * size).reshape(ring_count, size)
    upper = np.roll(grid, -1, axis=0) if closed else grid[1:]
    lower = grid if closed else grid[:-1]
    lower_next, upper_next = np.roll(lower, -1, axis=1), np.roll(upper, -1, axis=1)
    faces = [
        np.stack([lower, lower_next, upper_next], axis=-1).reshape(-1, 3),
        np.stack([lower, upper_next, upper], axis=-1).reshape(-1, 3),
    ]
    vertices = rings.reshape(-1, 3)
    if not closed:
        bottom = rings[0].mean(axis=0) if bottom is None else bottom
        top = rings[-1].mean(axis=0) if top is None else top
        apex = np.full(size, len(vertices))
        vertices = np.concatenate([vertices, [bottom, top]])
        faces.append(np.stack([apex, lower_next[0], lower[0]], axis=-1))
        faces.append(np.stack([apex + 1, upper[-1], upper_next[-1]], axis=-1))
    triangles = np.concatenate(faces)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    if np.einsum("ij,ij->", a, np.cross(b, c)) < 0:
        triangles = triangles[:, ::-1]
    mesh = Mesh(
        vert_properties=vertices.astype(np.float32),
        tri_verts=np.ascontiguousarray(triangles, dtype=np.uint32),
    )
    return Manifold(mesh)


def sweep(
    curve: np.ndarray,
    radii: np.ndarray | float,
    *,
    segments: int = 12,
    section: np.ndarray | None = None,
    closed: bool = False,
    side: np.ndarray | None = None,
) -> Manifold:
    """Returns the solid that a cross-section fills when moved along a curve.

    The section is carried by the rotation-minimising frame (Wang et al. 2008, double reflection).

    Args:
        curve: (N, 3).
        radii: one value, (N,) or (N, 2): half sizes of the section along its two axes.
        segments: points of the default circular section.
        section: (S, 2), replaces the circle; roughly within [-1, 1]^2, counter-clockwise.
        closed: joins the end of the curve to its start.
        side: (3,), direction that the section's first axis should be close to at the start.
    """
    curve = np.asarray(curve, dtype=np.float64)
    section = superellipse(2.0, segments) if section is None else section
    radii = np.asarray(radii, dtype=np.float64)
    if radii.ndim < 2:
        radii = np.repeat(np.broadcast_to(radii, len(curve))[:, None], 2, axis=1)
    first, second = _moving_frame(curve, closed, side)
    offsets = section[None] * radii[:, None]
    rings = curve[:, None] + offsets[..., :1] * first[:, None] + offsets[..., 1:] * second[:, None]
    return loft(rings, closed=closed)


def _moving_frame(
    curve: np.ndarray, closed: bool, side: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    steps = np.roll(curve, -1, axis=0) - curve
    if not closed:
        steps[-1] = steps[-2]
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    before = np.roll(steps, 1, axis=0)
    if not closed:
        before[0] = steps[0]
    tangents = steps + before
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    start = np.eye(3)[np.abs(tangents[0]).argmin()] if side is None else np.asarray(side, float)
    normal = start - tangents[0] * (start @ tangents[0])
    normals = [normal / np.linalg.norm(normal)]
    for i in range(len(curve) - 1):
        step = steps[i]
        normal = normals[-1] - 2 * step * (step @ normals[-1])
        tangent = tangents[i] - 2 * step * (step @ tangents[i])
        mirror = tangents[i + 1] - tangent
        length = mirror @ mirror
        if length > 1e-18:
            normal = normal - 2 * mirror * (mirror @ normal) / length
        normals.append(normal)
    first = np.stack(normals)
    return first, np.cross(tangents, first)


def capsule_sweep(
    curve: np.ndarray, radii: np.ndarray | float, *, segments: int = 12, cap: int = 4, **options
) -> Manifold:
    """Returns `sweep` with round ends: half an ellipsoid prolongs the curve at either end."""
    curve = np.asarray(curve, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(curve))
    angle = np.linspace(0.0, 0.48 * np.pi, cap + 1)[1:]
    ends = []
    for tip, before, radius in ((0, 1, radii[0]), (-1, -2, radii[-1])):
        direction = curve[tip] - curve[before]
        direction /= np.linalg.norm(direction)
        points = curve[tip] + radius * np.sin(angle)[:, None] * direction
        ends.append((points, radius * np.cos(angle)))
    (head, head_radii), (tail, tail_radii) = ends
    curve = np.concatenate([head[::-1], curve, tail])
    radii = np.concatenate([head_radii[::-1], radii, tail_radii])
    return sweep(curve, radii, segments=segments, **options)


def lathe(profile: np.ndarray, segments: int) -> Manifold:
    """Returns the solid of revolution about z of a profile.

    Args:
        profile: (N, 2), radius and height from the bottom up; closed along the axis.
        segments: number of sides.
    """
    profile = np.asarray(profile, dtype=np.float64).copy()
    profile[:, 0] = np.maximum(profile[:, 0], 0.0)
    low, high = [0.0, profile[0, 1]], [0.0, profile[-1, 1]]
    outline = np.concatenate([[low], profile, [high]])
    return CrossSection([outline], FillRule.NonZero).revolve(segments)


def extrusion(outline: np.ndarray, height: float, **options) -> Manifold:
    """Returns the prism over an outline (N, 2), from z = 0 to `height`.

    Options are those of `Manifold.extrude`: n_divisions, twist_degrees, scale_top.
    """
    return CrossSection([outline], FillRule.NonZero).extrude(height, **options)


def rounded_box(size: np.ndarray, radius: float, steps: int = 3) -> Manifold:
    """Returns a box centred at 0 with edges rounded (steps ≥ 3), chamfered (2) or sharp (1)."""
    half = np.asarray(size, dtype=np.float64) / 2
    if steps == 1 or radius <= 0:
        return Manifold.cube(tuple(2 * half), True)
    radius = min(radius, 0.98 * half.min())
    angle = np.linspace(0.0, np.pi / 2, steps)
    directions = np.array([
        (np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)) for b in angle for a in angle
    ])
    corner = half - radius + radius * directions
    if steps == 2:
        corner = half - radius * (1 - np.eye(3))
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
    return Manifold.hull_points((corner[None] * signs[:, None]).reshape(-1, 3))


def stack(
    heights: np.ndarray,
    half: np.ndarray,
    *,
    exponents: np.ndarray | float = 2.0,
    centres: np.ndarray | None = None,
    segments: int = 32,
) -> Manifold:
    """Returns the solid through horizontal superelliptic sections at rising heights.

    Args:
        heights: (N,), rising.
        half: (N, 2), half widths of each section along x and y.
        exponents: one value or (N,): 2 for ellipses, larger for boxier sections.
        centres: (N, 2), x and y of each section's centre; 0 by default.
        segments: points around.
    """
    exponents = np.broadcast_to(exponents, len(heights))
    rings = np.empty((len(heights), segments, 3))
    for ring, height, widths, exponent in zip(rings, heights, half, exponents, strict=True):
        ring[:, :2] = superellipse(float(exponent), segments) * widths
        ring[:, 2] = height
    if centres is not None:
        rings[..., :2] += np.asarray(centres, dtype=np.float64)[:, None]
    return loft(rings)


def star_solid(radius: Callable[[np.ndarray], np.ndarray], segments: int = 32) -> Manifold:
    """Returns the solid seen from the origin at distance `radius(direction)` in every direction.

    Args:
        radius: from unit vectors (..., 3) to positive distances (...).
        segments: points around; half as many rings.
    """
    polar = np.linspace(np.pi, 0.0, max(segments // 2 + 1, 6))[1:-1, None]
    turn = np.arange(segments)[None] * (2 * np.pi / segments)
    directions = np.stack(np.broadcast_arrays(
        np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)), axis=-1)
    poles = np.array([(0.0, 0.0, -1.0), (0.0, 0.0, 1.0)])
    bottom, top = poles * radius(poles)[:, None]
    return loft(directions * radius(directions)[..., None], bottom=bottom, top=top)


def squared(solid: Manifold, exponent: float, aspect: float = 1.0) -> Manifold:
    """Returns a round upright solid with its horizontal circles turned into superellipses.

    Args:
        solid: a solid around the z axis.
        exponent: 2 keeps circles; larger is boxier.
        aspect: depth over width.
    """

    def warp(points: np.ndarray) -> np.ndarray:
        points = np.array(points)
        radius = np.linalg.norm(points[:, :2], axis=1)
        unit = points[:, :2] / np.maximum(radius, 1e-12)[:, None]
        norm = (np.abs(unit) ** exponent).sum(axis=1) ** (1 / exponent)
        points[:, :2] /= np.where(radius > 1e-9, norm, 1.0)[:, None]
        points[:, 1] *= aspect
        return points

    return solid.warp_batch(warp)


def superquadric(
    half: np.ndarray, vertical: float, lateral: float, segments: int = 40
) -> Manifold:
    """Returns a superellipsoid centred at 0.

    (|x/a|^l + |y/b|^l)^(v/l) + |z/c|^v = 1 (Barr 1981), with exponents 2 for an ellipsoid and
    larger ones for boxier solids.

    Args:
        half: (3,), half sizes a, b, c.
        vertical: exponent v.
        lateral: exponent l.
        segments: points around; half as many rings.
    """
    outline = superellipse(lateral, segments)
    angle = np.linspace(-np.pi / 2, np.pi / 2, max(segments // 2, 5))[1:-1]
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    side = unit / ((np.abs(unit) ** vertical).sum(axis=1) ** (1 / vertical))[:, None]
    rings = np.empty((len(side), segments, 3))
    rings[..., :2] = side[:, None, :1] * outline[None]
    rings[..., 2] = side[:, 1:]
    half = np.asarray(half, dtype=np.float64)
    return loft(rings * half, bottom=half * (0, 0, -1), top=half * (0, 0, 1))
