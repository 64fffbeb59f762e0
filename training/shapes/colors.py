# SPDX-License-Identifier: Apache-2.0
"""Plausible colours of household materials, u8 (3,) sRGB."""

from __future__ import annotations

import colorsys

import numpy as np


def from_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """Returns the sRGB colour of a hue [turns], saturation and value."""
    rgb = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return np.round(255 * np.array(rgb)).astype(np.uint8)


def saturated(rng: np.random.Generator) -> np.ndarray:
    """Returns the strong colour of plastic or print."""
    return from_hsv(rng.uniform(), rng.uniform(0.65, 1.0), rng.uniform(0.5, 1.0))


def muted(rng: np.random.Generator) -> np.ndarray:
    """Returns a pastel, earthen or greyish colour."""
    return from_hsv(rng.uniform(), rng.uniform(0.1, 0.45), rng.uniform(0.35, 0.9))


def white(rng: np.random.Generator) -> np.ndarray:
    """Returns white, ivory or light grey."""
    return from_hsv(rng.uniform(0.05, 0.2), rng.uniform(0, 0.12), rng.uniform(0.82, 1.0))


def black(rng: np.random.Generator) -> np.ndarray:
    """Returns black or dark grey."""
    return from_hsv(rng.uniform(), rng.uniform(0, 0.15), rng.uniform(0.04, 0.22))


def metal(rng: np.random.Generator) -> np.ndarray:
    """Returns steel and aluminium mostly, sometimes brass, gold or copper."""
    if rng.uniform() < 0.8:
        return from_hsv(rng.uniform(0.5, 0.7), rng.uniform(0, 0.08), rng.uniform(0.45, 0.85))
    return from_hsv(rng.uniform(0.05, 0.13), rng.uniform(0.3, 0.65), rng.uniform(0.55, 0.85))


def wood(rng: np.random.Generator) -> np.ndarray:
    """Returns pale beech to dark walnut."""
    return from_hsv(rng.uniform(0.055, 0.105), rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.85))


def cardboard(rng: np.random.Generator) -> np.ndarray:
    """Returns the brown of cardboard and paper bags."""
    return from_hsv(rng.uniform(0.07, 0.1), rng.uniform(0.3, 0.45), rng.uniform(0.55, 0.8))


def leather(rng: np.random.Generator) -> np.ndarray:
    """Returns the brown, black or tan of leather and rubber."""
    if rng.uniform() < 0.4:
        return black(rng)
    return from_hsv(rng.uniform(0.03, 0.09), rng.uniform(0.4, 0.75), rng.uniform(0.2, 0.65))


def ceramic(rng: np.random.Generator) -> np.ndarray:
    """Returns a glaze: white half of the time, else muted or strong."""
    pick = rng.uniform()
    return white(rng) if pick < 0.45 else muted(rng) if pick < 0.75 else saturated(rng)


def plastic(rng: np.random.Generator) -> np.ndarray:
    """Returns any colour that plastic comes in."""
    pick = rng.uniform()
    if pick < 0.5:
        return saturated(rng)
    return muted(rng) if pick < 0.7 else white(rng) if pick < 0.85 else black(rng)


def anything(rng: np.random.Generator) -> np.ndarray:
    """Returns a colour of any material."""
    materials = (plastic, muted, saturated, white, metal, wood, black, leather)
    chances = (0.35, 0.15, 0.2, 0.1, 0.07, 0.06, 0.04, 0.03)
    return materials[rng.choice(len(materials), p=chances)](rng)
