# SPDX-License-Identifier: Apache-2.0
"""A mask whose outline lies where the colours of the picture change."""

from __future__ import annotations

import numpy as np

from recon_node.engines.morphology import dilated

BAND = 4  # on either side of the outline that may change hands [px]
LEAST_CHANGE = 0.8  # pixels that change, for each of the outline's
LEAST_CLEAR = 0.85  # of the pixels beyond the band that are more like their own side, and of the
# changed ones that were measured on the other
_SURE = 2  # from the first outline found, beyond which colours are learned for the second [px]
_CELL, _REACH = 4, 2  # colours are learned in a window of so many cells to every side, so wide [px]
_FEWEST = 4  # pixels of either side that tell its colours
_NOISE = 0.03  # of colours, 0 to 1
_CLEAREST = 4.0  # most that a pixel's colour counts [nat]
_GAP = 0.005  # between the surfaces inside and outside, to tell them apart [m]
_PRIOR = 0.3  # what a pixel's place counts, for each that it lies off the outline [nat]
_BESIDE, _MIDDLE = 0.25, 0.5  # weights of a pixel's neighbours and of itself, along each axis
_FIRST, _SECOND = np.triu_indices(3)  # channels of the six products of colours


def snapped_mask(
    image: np.ndarray, mask: np.ndarray, depth: np.ndarray | None = None
) -> np.ndarray:
    """The mask, its outline moved by up to `BAND` pixels to where the colours change.

    Every pixel near the outline joins the side whose colours around it it is more like: Gaussians
    learned in a window from what is clearly inside and clearly outside (Bai 2009, "Video
    SnapCut", with one Gaussian in place of a mixture), then once more from the new
    sides. Where the two sides look alike its place decides.

    A segmentation network's outline wanders by several pixels of a large picture; one that is good
    loses a third of a pixel by this. So a mask stays as it is where less than `LEAST_CHANGE` pixels
    for each of its outline's would change, or where the colours do not tell the two sides apart. It
    stays as well if nearly all of them would leave, or join, unless they were measured on the
    surface of the side they go to: the rim of a bowl may look like the table behind it.

    Args:
        image: uint8 (H, W, 3) sRGB.
        mask: bool (H, W).
        depth: f32 (H, W) [m], NaN unknown.

    Returns:
        bool (H, W), the mask itself where it stays.
    """
    inside = np.nonzero(mask)
    if len(inside[0]) == 0:
        return mask
    margin = BAND + _CELL * (_REACH + 1)
    part = tuple(slice(max(line.min() - margin, 0), line.max() + margin + 1) for line in inside)
    given, moments = mask[part], _moments(image[part].astype(np.float32) / 255.0)
    distances = _signed_distances(given, 2 * BAND + 1)
    around = np.abs(distances) <= 2 * BAND
    evidence = _evidence(moments, around, distances > BAND, distances < -BAND)
    near = np.abs(distances) <= BAND
    beyond = around & ~near & (evidence != 0)
    if not (evidence[beyond] * distances[beyond] > 0).sum() >= LEAST_CLEAR * beyond.sum() > 0:
        return mask
    found = np.where(near, _sides(evidence, near, distances), given)
    sure = _signed_distances(found, _SURE + 1)
    evidence = _evidence(moments, near, sure > _SURE, sure < -_SURE)
    found = np.where(near, _sides(evidence, near, distances), given)
    joining, leaving = (np.count_nonzero(each) for each in (found & ~given, given & ~found))
    least = LEAST_CHANGE * np.count_nonzero(distances == 0.5)
    if joining + leaving < least or not found.any():
        return mask
    is_one_sided = 2 * min(joining, leaving) < least
    if is_one_sided and (depth is None or not _are_on(depth[part], distances, found, given)):
        return mask
    snapped = mask.copy()
    snapped[part] = found
    return snapped


def _sides(evidence: np.ndarray, near: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Which pixels their colours and places put inside, bool (H, W)."""
    inside = np.where(near, evidence + _PRIOR * distances, np.sign(distances) * _CLEAREST)
    return _smoothed(inside) > 0


def _are_on(depth: np.ndarray, distances: np.ndarray, found: np.ndarray, given: np.ndarray) -> bool:
    """Whether the pixels that change were measured on the surface of the side that they go to."""
    known = np.isfinite(depth)
    asked = known & (found != given)
    rows, columns = (places // _CELL for places in np.nonzero(asked))
    off = []
    for side in (distances > BAND, distances < -BAND):
        learned = known & side
        sums = _window_sums(np.stack([learned, np.where(learned, depth, 0)], axis=-1))
        counts, total = sums[rows, columns].T
        off.append(np.abs(depth[asked] - total / np.where(counts > 0, counts, np.nan)))
    is_clear = np.abs(off[0] - off[1]) > _GAP  # false without either
    right = (off[0] < off[1]) == found[asked]
    return right[is_clear].sum() >= LEAST_CLEAR * is_clear.sum() > 0


def _signed_distances(mask: np.ndarray, most: int) -> np.ndarray:
    """From the outline, negative outside, f32 (H, W) [px], at most `most`.

    The pixels at the outline have 0.5 and -0.5. Steps along sides and across corners take turns,
    so that distances are those of an octagon.
    """
    distances = np.where(mask, np.float32(most - 0.5), np.float32(0.5 - most))
    inner = outer = mask
    for step in range(most - 1, 0, -1):
        corners = (most - step) % 2 == 0
        inner, outer = ~dilated(~inner, corners=corners), dilated(outer, corners=corners)
        distances -= mask & ~inner
        distances += outer & ~mask
    return distances


def _evidence(
    moments: np.ndarray, near: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """How much likelier colours are inside than outside, f32 (H, W) [nat], clipped; else 0.

    Args:
        moments: f32 (H, W, 10), see `_moments`.
        near: bool (H, W), the pixels that are asked about.
        inside: bool (H, W), pixels that are surely inside; `outside` likewise.
    """
    likelihoods, enough = [], np.ones(np.count_nonzero(near), bool)
    rows, columns = (places // _CELL for places in np.nonzero(near))
    for side in (inside, outside):
        sums = _window_sums(moments * side[..., None])[rows, columns]
        enough &= sums[:, 0] >= _FEWEST
        means = sums[:, 1:] / np.maximum(sums[:, :1], 1)
        likelihoods.append(_log_likelihoods(moments[near, 1:4], means))
    evidence = np.zeros(near.shape, np.float32)
    evidence[near] = enough * np.clip(likelihoods[0] - likelihoods[1], -_CLEAREST, _CLEAREST)
    return evidence


def _moments(colours: np.ndarray) -> np.ndarray:
    """1, r, g, b and their products of colours (H, W, 3), f32 (H, W, 10)."""
    products = colours[..., _FIRST] * colours[..., _SECOND]
    return np.concatenate([np.ones_like(colours[..., :1]), colours, products], axis=-1)


def _log_likelihoods(colours: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Of colours f32 (N, 3) under the Gaussians of mean moments (N, 9), but for a constant.

    The covariance's Cholesky factor, written out: three by three, and one for every pixel.
    """
    mean, products = means[:, :3], means[:, 3:]
    xx, xy, xz, yy, yz, zz = (products - mean[:, _FIRST] * mean[:, _SECOND]).T
    noise = np.float32(_NOISE**2)
    a = np.sqrt(np.maximum(xx, 0) + noise)
    b, c = xy / a, xz / a
    d = np.sqrt(np.maximum(yy + noise - b * b, noise))
    e = (yz - b * c) / d
    f = np.sqrt(np.maximum(zz + noise - c * c - e * e, noise))
    x, y, z = (colours - mean).T
    u = x / a
    v = (y - b * u) / d
    w = (z - c * u - e * v) / f
    return -0.5 * (u * u + v * v + w * w) - np.log(a * d * f)


def _window_sums(values: np.ndarray) -> np.ndarray:
    """Sums of (H, W, C) over a window around each cell of `_CELL` pixels, f32 (h, w, C)."""
    height, width, channels = values.shape
    padding = ((0, -height % _CELL), (0, -width % _CELL), (0, 0))
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    cells = np.pad(values, padding).reshape(rows, _CELL, columns, _CELL, channels).sum((1, 3))
    padded = np.pad(cells, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)))
    sums = sum(padded[step : step + rows] for step in range(2 * _REACH + 1))
    return sum(sums[:, step : step + columns] for step in range(2 * _REACH + 1))


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Values (H, W) averaged with their neighbours'."""
    padded = np.pad(values, 1, mode="edge")
    rows = _BESIDE * (padded[:-2] + padded[2:]) + _MIDDLE * padded[1:-1]
    return _BESIDE * (rows[:, :-2] + rows[:, 2:]) + _MIDDLE * rows[:, 1:-1]
