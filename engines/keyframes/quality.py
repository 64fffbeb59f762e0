# SPDX-License-Identifier: Apache-2.0
"""How much a keyframe is worth, or why it is worth nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.occluders import hidden_pixels
from recon_node.engines.morphology import eroded

_SMALLEST_AREA = 100  # of the mask [px]
_DARK = 40  # of 255: nothing but noise, even in the brightest channel of the brightest pixels
_CLIPPED = 250  # of 255: in all channels
_MOST_CLIPPED = 0.5  # of the mask
_MOST_CUT = 0.3  # of the outline, by the border of the picture
_MOST_HIDDEN = 0.4  # of the outline, by something in front
_MOST_RAGGED, _RAGGED = 0.5, 0.1  # of the outline; a mask ragged by 3 px has less than the second
_SHARP, _BLURRED = 1.0, 0.4  # sharpness / the usual one: counts fully, and not at all
_GRAIN = 0.06  # differences of neighbours that may be noise, of the mean luminance
_SMALLEST_WEIGHT = 0.1


class Refusal(Enum):
    """Why a keyframe was not taken."""

    SMALL = "small"  # too few pixels in the mask
    DARK = "dark"  # black, or nearly
    SATURATED = "saturated"  # most of the object is clipped to white
    TRUNCATED = "truncated"  # the border of the picture cuts the object
    OCCLUDED = "occluded"  # something in front of it does, as its depth tells
    RAGGED = "ragged"  # the mask is full of holes, or dust
    BLURRED = "blurred"  # against the other keyframes of the object
    DISAGREES = "disagrees"  # shows another shape or place than the other keyframes
    REDUNDANT = "redundant"  # adds no direction to the other keyframes


@dataclass(frozen=True)
class Quality:
    """What was found about a keyframe.

    Attributes:
        weight: above 0, at most 1; 0 where it is refused.
        refusal: why it is refused, or None.
        sharpness: see `sharpness`.
        cut: share of the mask's outline that lies at the border of the picture.
        hidden: share of it that lies beside something in front.
        clipped: share of the mask that is white in all channels.
        raggedness: pixels that differ from the majority of the nine around them / the outline's.
    """

    weight: float
    refusal: Refusal | None
    sharpness: float
    cut: float
    hidden: float
    clipped: float
    raggedness: float


def assess(keyframe: Keyframe, usual_sharpness: float | None) -> Quality:
    """The quality of a keyframe, by itself and against the object's other ones.

    Args:
        keyframe: a keyframe.
        usual_sharpness: median of the object's other keyframes; None without any.

    Returns:
        Its quality.
    """
    image, mask = keyframe.view.image, keyframe.view.mask
    if mask.sum() < _SMALLEST_AREA:
        return Quality(0.0, Refusal.SMALL, 0.0, 0.0, 0.0, 0.0, 0.0)
    sharp = sharpness(keyframe)
    cut, hidden, raggedness = _outline_shares(keyframe)
    clipped = float((image[mask].min(axis=1) >= _CLIPPED).mean())
    relative = 1.0 if not usual_sharpness else sharp / usual_sharpness
    refusal = None
    if np.percentile(image.max(axis=2), 95) < _DARK:
        refusal = Refusal.DARK
    elif clipped > _MOST_CLIPPED:
        refusal = Refusal.SATURATED
    elif cut > _MOST_CUT:
        refusal = Refusal.TRUNCATED
    elif hidden > _MOST_HIDDEN:
        refusal = Refusal.OCCLUDED
    elif raggedness > _MOST_RAGGED:
        refusal = Refusal.RAGGED
    elif relative < _BLURRED:
        refusal = Refusal.BLURRED
    blur = np.clip((relative - _BLURRED) / (_SHARP - _BLURRED), 0, 1)
    smooth = min(1 + _RAGGED - raggedness, 1)
    weight = max(float(blur * smooth * (1 - cut) * (1 - hidden) * (1 - clipped)), _SMALLEST_WEIGHT)
    return Quality(0.0 if refusal else weight, refusal, sharp, cut, hidden, clipped, raggedness)


def sharpness(keyframe: Keyframe) -> float:
    """Share of the energy of the luminance's differences that a small blur would take away.

    A sharp picture loses much of it, a blurred one has little to lose (Crete 2007, "The blur
    effect"); along the axis of the picture where that is less, as motion blurs along one. `_GRAIN`
    keeps noise from passing for detail. Exposure changes nothing, and how much of a texture is in
    sight, or how much of the object is an edge, far less than in the energy itself.

    Args:
        keyframe: a keyframe.

    Returns:
        The share, 0 to 1; 0 where the object is of one colour.
    """
    luminance = keyframe.view.image.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])
    mask = keyframe.view.mask
    relative = luminance / max(luminance[mask].mean(), 1.0)
    return min(_lost(relative, mask), _lost(relative.T, mask.T))


def _lost(luminance: np.ndarray, mask: np.ndarray) -> float:
    """`sharpness` along the rows of relative luminance."""
    padded = np.pad(luminance, ((0, 0), (1, 1)), mode="edge")
    blurred = (padded[:, :-2] + luminance + padded[:, 2:]) / 3
    counts = mask[:, 1:] | mask[:, :-1]
    before, after = (np.square(np.diff(each))[counts].mean() for each in (luminance, blurred))
    return float(max(before - after, 0.0) / (before + _GRAIN**2))


def _outline_shares(keyframe: Keyframe) -> tuple[float, float, float]:
    """`Quality.cut`, `Quality.hidden` and `Quality.raggedness`."""
    mask, depth = keyframe.view.mask, keyframe.view.depth
    height, width = mask.shape
    padded = np.pad(mask, 1).astype(np.uint8)
    around = sum(padded[dy : dy + height, dx : dx + width] for dy, dx in np.ndindex(3, 3))
    outline = mask & ~eroded(mask)
    # The part around a mask has a margin, but for where the picture ends.
    border = np.ones_like(mask)
    border[1:-1, 1:-1] = False
    hidden = np.zeros_like(mask)
    if depth is not None:
        hidden = hidden_pixels(mask, depth, keyframe.known)
    odd = (around >= 5) != mask
    cut, hidden, odd = (int(each.sum()) for each in (outline & border, outline & hidden, odd))
    count = int(outline.sum())
    return cut / count, hidden / count, odd / count
