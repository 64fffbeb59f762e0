# SPDX-License-Identifier: Apache-2.0
"""What a field is to whoever renders, extracts or optimises it.

Fields live in a box frame: a cube [-1, 1]³ around the object, whose scale a `Similarity` to the
world holds. All distances below are in units of the box, densities in one over it.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, eq=False)
class FieldSamples:
    """What a field says about M intervals of rays.

    Attributes:
        sigmas: Mean density of each interval [1 / box unit], f32 (M,).
        rgbs: sRGB colour in [0, 1], f32 (M, 3).
        sdf: Signed distance in the middle [box unit], negative inside, f32 (M,); None where the
            field is a density.
        gradients: Gradient of the signed distance in space, f32 (M, 3), if asked for.
    """

    sigmas: Tensor
    rgbs: Tensor
    sdf: Tensor | None = None
    gradients: Tensor | None = None


class Field(Protocol):
    """Matter and colour in the box [-1, 1]³; differentiable in its parameters and in the points.

    Points and directions are f32 (M, 3) in the box frame, on the device of the field.
    """

    def sample(
        self, points: Tensor, directions: Tensor, lengths: Tensor, *, with_gradients: bool = False
    ) -> FieldSamples:
        """What the field says about intervals of rays.

        Args:
            points: Middles of the intervals, f32 (M, 3) [box].
            directions: Unit directions of their rays, f32 (M, 3) [box].
            lengths: Of the intervals [box unit], f32 (M,).
            with_gradients: Also the gradients of the signed distance, differentiable in turn.
        """
        ...

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """sRGB colour in [0, 1], f32 (M, 3), seen along unit directions."""
        ...

    def normals(self, points: Tensor) -> Tensor:
        """Unit normals, f32 (M, 3), that point to where there is less matter; differentiable."""
        ...

    def may_hold_matter(self, points: Tensor, half_side: float) -> Tensor:
        """Whether a cube of that half side around each point has to be looked into, bool (M,)."""
        ...


class SignedDistanceField(Field, Protocol):
    """A field with a surface where its signed distance is zero."""

    def sdf(self, points: Tensor) -> Tensor:
        """Signed distance [box unit], negative inside, f32 (M,)."""
        ...

    def sdf_gradients(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed distance f32 (M,) and its gradient in space f32 (M, 3), both differentiable."""
        ...


class DensityField(Field, Protocol):
    """A field with matter where its density is above zero."""

    def density(self, points: Tensor) -> Tensor:
        """Density [1 / box unit], not negative, f32 (M,)."""
        ...
