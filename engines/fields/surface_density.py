# SPDX-License-Identifier: Apache-2.0
"""Density of a surface: what compositing needs to draw the zero level of a signed distance."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_REACH = 7.0  # widths of the transition from the surface to where less than 0.2 % is left to add


def laplace_density(sdf: Tensor, beta: Tensor) -> Tensor:
    """Density of signed distances [1 / box unit], f32 (M,).

    sigma = Psi(-sdf) / beta, with Psi the distribution function of Laplace's distribution of mean
    zero and scale beta (Yariv 2021, eqs. 2 and 3, with their alpha = 1 / beta): 1 / beta inside,
    0 outside, and half of the first on the surface.

    >>> laplace_density(torch.tensor([-99.0, 0.0, 99.0]), torch.tensor(0.5)).tolist()
    [2.0, 1.0, 0.0]

    Args:
        sdf: Signed distances [box unit], negative inside, f32 (M,).
        beta: Width of the transition [box unit], f32 ().
    """
    rate = beta.reciprocal()
    tail = 0.5 * torch.exp(-rate * sdf.abs())
    return rate * torch.where(sdf > 0, tail, 1 - tail)


def logistic_density(
    sdf: Tensor, cosines: Tensor, lengths: Tensor, sharpness: Tensor, *, anneal: float = 1.0
) -> Tensor:
    """Mean density of intervals of rays [1 / box unit], f32 (M,).

    With Phi(x) = 1 / (1 + exp(-sharpness x)) an interval from signed distance a to b <= a has the
    opacity alpha = 1 - Phi(b) / Phi(a) (Wang 2021, eq. 13), which is that of the density
    -log(1 - alpha) / length = (softplus(-s b) - softplus(-s a)) / length. The two ends are
    estimated from the middle: sdf ± length / 2 · c. c is -max(-cos, 0), or at the beginning of a
    training, before gradients can be trusted, -max((1 - cos) / 2, 0), mixed by `anneal`.

    Args:
        sdf: Signed distances in the middle [box unit], f32 (M,).
        cosines: Gradient of the signed distance along the ray, f32 (M,).
        lengths: Of the intervals [box unit], above zero, f32 (M,).
        sharpness: s [1 / box unit], f32 ().
        anneal: Share of the true cosine, 0 to 1.
    """
    falls = F.relu(-cosines)
    if anneal < 1:
        falls = torch.lerp(F.relu(0.5 - 0.5 * cosines), falls, anneal)
    half = 0.5 * lengths * falls
    ahead, behind = -sharpness * (sdf + half), -sharpness * (sdf - half)
    return (F.softplus(behind) - F.softplus(ahead)) / lengths


class LaplaceDensity(nn.Module):
    """VolSDF's density with a width that is learned.

    Args:
        beta: Width at the start [box unit].
    """

    needs_cosines = False

    def __init__(self, beta: float = 0.02):
        super().__init__()
        self.log_beta = nn.Parameter(torch.tensor(math.log(beta)))

    @property
    def beta(self) -> Tensor:
        """Width of the transition [box unit], f32 ()."""
        return self.log_beta.exp()

    @property
    def reach(self) -> float:
        """Distance from the surface beyond which there is nothing to see [box unit]."""
        return _REACH * self.beta.item()

    def forward(self, sdf: Tensor, cosines: None, lengths: Tensor) -> Tensor:
        """Densities f32 (M,) of signed distances f32 (M,)."""
        return laplace_density(sdf, self.beta)


class LogisticDensity(nn.Module):
    """NeuS's density with a sharpness that is learned.

    Args:
        sharpness: At the start [1 / box unit].

    Attributes:
        anneal: Share of the true cosine, 0 to 1; raise it over the first steps.
    """

    needs_cosines = True

    def __init__(self, sharpness: float = 50.0):
        super().__init__()
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness)))
        self.anneal = 1.0

    @property
    def sharpness(self) -> Tensor:
        """Steepness of the transition [1 / box unit], f32 ()."""
        return self.log_sharpness.exp()

    @property
    def reach(self) -> float:
        """Distance from the surface beyond which there is nothing to see [box unit]."""
        return _REACH / self.sharpness.item()

    def forward(self, sdf: Tensor, cosines: Tensor, lengths: Tensor) -> Tensor:
        """Densities f32 (M,) of signed distances, cosines and lengths f32 (M,)."""
        return logistic_density(sdf, cosines, lengths, self.sharpness, anneal=self.anneal)
