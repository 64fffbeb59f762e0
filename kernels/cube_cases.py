# SPDX-License-Identifier: Apache-2.0
"""Triangles of the 256 sign cases of a cube, generated so that neighbouring cubes always fit."""

import functools

import numpy as np

CORNERS = tuple((c & 1, c >> 1 & 1, c >> 2 & 1) for c in range(8))
"""Corner c of the unit cube sits at x = bit 0, y = bit 1, z = bit 2 of c."""

EDGES = tuple((c, axis) for axis in range(3) for c in range(8) if not c >> axis & 1)
"""Edge e of the cube starts at corner EDGES[e][0] and runs along +axis EDGES[e][1]."""


def _faces() -> list[tuple[int, ...]]:
    """The four corners of each of the six faces, counter-clockwise seen from outside the cube."""
    faces = []
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        for base in (0, 1 << axis):
            cycle = (base, base | u, base | u | v, base | v)
            faces.append(cycle if base else cycle[::-1])
    return faces


_FACES = _faces()
_EDGE_OF = {frozenset((c, c | 1 << axis)): e for e, (c, axis) in enumerate(EDGES)}
_FACES_OF = [{f for f, face in enumerate(_FACES) if {c, c | 1 << a} <= {*face}} for c, a in EDGES]


def _loops(case: int) -> list[list[int]]:
    """The closed curves in which the surface meets the faces, each a list of edges in order.

    On every face, each run of neighbouring inside corners is cut off by one segment. A face with
    two inside corners on a diagonal thus gets two segments that keep those corners apart: a rule
    that needs the face alone, so both cubes at a face draw the same segments on it.
    """
    follower = {}
    for face in _FACES:
        inside = [bool(case >> c & 1) for c in face]
        for first in range(4):
            if inside[first] and not inside[first - 1]:
                last = first
                while inside[(last + 1) % 4]:
                    last += 1
                entered = _EDGE_OF[frozenset((face[first - 1], face[first]))]
                left = _EDGE_OF[frozenset((face[last % 4], face[(last + 1) % 4]))]
                follower[entered] = left
    loops = []
    while follower:
        edge = min(follower)
        loop = []
        while edge in follower:
            loop.append(edge)
            edge = follower.pop(edge)
        loops.append(loop)
    return loops


@functools.cache
def _separation(a: int, b: int) -> float:
    """Distance between the midpoints of two edges, inf if one face holds both of them.

    A diagonal on a face could be drawn by the cube beyond that face too, and would then be an
    edge of four triangles.
    """
    if _FACES_OF[a] & _FACES_OF[b]:
        return np.inf
    start_a, start_b = (np.array(CORNERS[EDGES[e][0]]) for e in (a, b))
    half_a, half_b = (0.5 * (np.arange(3) == EDGES[e][1]) for e in (a, b))
    return float(np.linalg.norm(start_a + half_a - start_b - half_b))


def _triangulate(loop: list[int]) -> tuple[float, list[tuple[int, int, int]]]:
    """The triangulation of a loop with the shortest diagonals: their summed length, triangles."""
    if len(loop) < 3:
        return 0.0, []
    best = (np.inf, [])
    for k in range(1, len(loop) - 1):
        length = sum(
            _separation(loop[i], loop[j]) for i, j in ((0, k), (k, len(loop) - 1)) if j - i > 1
        )
        if length < best[0]:
            before, after = _triangulate(loop[: k + 1]), _triangulate(loop[k:])
            length += before[0] + after[0]
            if length < best[0]:
                best = (length, [*before[1], (loop[0], loop[k], loop[-1]), *after[1]])
    return best


@functools.cache
def triangle_table() -> tuple[np.ndarray, np.ndarray]:
    """The triangles of all cases as (starts i32 (257,), edges i32 (T, 3)).

    Bit c of a case is set where corner c is inside; the triangles of a case are rows
    starts[case] … starts[case + 1] of `edges`, counter-clockwise seen from outside the surface.

    The union over the cubes of any lattice whose outermost corners are outside is a closed
    2-manifold. Every side of a triangle is either a segment on a cube's face, which the two cubes
    at that face draw once each and in opposite directions, or a diagonal between two edges that
    share no face, hence seen by one cube only and drawn by the two triangles beside it. Around a
    vertex, the fans of the four cubes at its edge join through the four faces into one cycle.
    """
    rows = []
    starts = [0]
    for case in range(256):
        for loop in _loops(case):
            length, triangles = _triangulate(loop)
            assert np.isfinite(length), f"loop {loop} of case {case} has no triangulation"
            rows += triangles
        starts.append(len(rows))
    return np.array(starts, np.int32), np.array(rows, np.int32)
