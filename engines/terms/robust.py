# SPDX-License-Identifier: Apache-2.0
"""A loss that large residuals cannot rule."""

import torch


def robust(squares: torch.Tensor, *, alpha: float, scale: float) -> torch.Tensor:
    """Barron's general loss of residuals x, of the squares' shape (Barron 2019, eq. 1).

    ρ = |α - 2| / α · ((x²/c² / |α - 2| + 1)^(α/2) - 1), with c the scale. For small x it is
    x² / 2c² whatever α is. α = 1 is Charbonnier's, which grows like |x|/c: far residuals keep
    pulling, all with one strength. α = -2 is Geman and McClure's, which never exceeds 2: far
    residuals stop pulling.

    Args:
        squares: x², any shape; of a vector the square of its length, so that a gradient exists
            at 0.
        alpha: any but 0 and 2, at which the equation needs its limits.
        scale: residual at which robustness sets in, in the unit of x.
    """
    bend = abs(alpha - 2.0)
    return bend / alpha * ((squares / (scale**2 * bend) + 1.0) ** (alpha / 2.0) - 1.0)
