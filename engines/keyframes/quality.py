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
_SHARP, _BLURRED = 0.6, 0.3  # sharpness / the usual one: counts fully, and not at all
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
    """Variance of the Laplacian of the luminance on the object, over its mean luminance squared.

    The variance of the Laplacian is a measure of focus (Pech-Pacheco 2000); the quotient does not
    change with exposure. It compares pictures of one object: a plain one is never sharp.

    Args:
        keyframe: a keyframe.

    Returns:
        The quotient; 0 where the object is of one colour.
    """
    luminance = keyframe.view.image.astype(np.float32) @ np.float32([0.299, 0.587, 0.114])
    padded = np.pad(luminance, 1, mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    mask = keyframe.view.mask
    mean = luminance[mask].mean()
    return float((around - 4 * luminance)[mask].var() / max(mean, 1.0) ** 2)


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
