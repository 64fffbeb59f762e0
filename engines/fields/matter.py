# SPDX-License-Identifier: Apache-2.0
"""Whether cubes of the box have to be looked into, from what a field says of a few places there."""

import itertools
from collections.abc import Callable

from torch import Tensor

_STEEPEST = 1.25  # slope that a learned signed distance may have
_THINNEST = 0.01  # optical thickness of a cube from which on it is looked into, instant-ngp's
_PLACES = tuple(itertools.product((-0.5, 0.5), repeat=3))


def near_surface(sdf: Tensor, half_side: float, reach: float) -> Tensor:
    """Whether a surface, or what is visible around it, may come into cubes, bool (M,).

    Args:
        sdf: Signed distance in their middles [box unit], f32 (M,).
        half_side: Of the cubes [box unit].
        reach: Distance from the surface up to which there is something to see [box unit].
    """
    return sdf.abs() <= _STEEPEST * 3**0.5 * half_side + reach


def thick_somewhere(
    density: Callable[[Tensor], Tensor], points: Tensor, half_side: float
) -> Tensor:
    """Whether one of eight places in cubes is thicker than 0.01 over the side, bool (M,).

    Args:
        density: Of points f32 (N, 3), f32 (N,) [1 / box unit].
        points: Middles of the cubes, f32 (M, 3) [box].
        half_side: Of the cubes [box unit].
    """
    places = points.new_tensor(_PLACES) * half_side
    densities = density((points[:, None] + places).flatten(0, 1))
    return densities.view(-1, len(places)).amax(dim=1) > _THINNEST / (2 * half_side)
