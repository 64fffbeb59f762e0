# SPDX-License-Identifier: Apache-2.0
"""Quality: what is wrong with a picture is named, and counts in proportion."""

import numpy as np
import pytest

from recon_node.engines.camera import Camera, View
from recon_node.engines.keyframes.keyframe import make_keyframe
from recon_node.engines.keyframes.quality import Refusal, assess, sharpness

CAMERA = Camera(np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]), 320, 240)


def picture(scene, arc):
    return scene("bracket").view(arc(3)[1])


def changed(view, *, image=None, mask=None, depth=None):
    given = (image, mask, depth)
    kept = (view.image, view.mask, view.depth)
    image, mask, depth = (k if g is None else g for g, k in zip(given, kept, strict=True))
    return make_keyframe(View(image, mask, view.camera, depth))


def blurred(image, length):
    """The image moved along x while it was taken."""
    padded = np.pad(image.astype(float), ((0, 0), (length, 0), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=1)
    return ((sums[:, length:] - sums[:, :-length]) / length).astype(np.uint8)


def test_a_good_picture_counts_fully(scene, arc):
    keyframe = make_keyframe(picture(scene, arc))
    quality = assess(keyframe, None)
    assert quality.weight == 1 and quality.refusal is None
    assert assess(keyframe, quality.sharpness).weight == 1
    assert (quality.cut, quality.hidden, quality.clipped) == (0, 0, 0)


def test_a_black_picture_is_refused_but_not_a_black_object(scene, arc):
    view = picture(scene, arc)
    assert assess(changed(view, image=view.image // 8), None).refusal is Refusal.DARK
    noise = np.random.default_rng(0).integers(0, 12, view.image.shape).astype(np.uint8)
    assert assess(changed(view, image=noise), None).refusal is Refusal.DARK
    black = np.where(view.mask[..., None], view.image // 8, view.image)
    assert assess(changed(view, image=black), None).refusal is None


def test_a_white_picture_is_refused_and_a_highlight_costs_weight(scene, arc):
    view = picture(scene, arc)
    white = np.full_like(view.image, 255)
    assert assess(changed(view, image=white), None).refusal is Refusal.SATURATED
    rows, columns = np.nonzero(view.mask)
    light = view.image.copy()
    quarter = rows < np.percentile(rows, 25)
    light[rows[quarter], columns[quarter]] = 255
    quality = assess(changed(view, image=light), None)
    assert quality.refusal is None
    assert quality.weight == pytest.approx(1 - quality.clipped) and 0.15 < quality.clipped < 0.3


def test_sharpness_falls_with_blur_and_not_with_exposure(scene, arc):
    view = picture(scene, arc)
    sharp = sharpness(make_keyframe(view))
    values = [sharpness(changed(view, image=blurred(view.image, n))) for n in (2, 4, 8)]
    assert sharp > values[0] > values[1] > values[2]
    dark = sharpness(changed(view, image=view.image // 2))
    assert dark == pytest.approx(sharp, rel=0.1)
    grey = np.full_like(view.image, 90)
    assert sharpness(changed(view, image=grey)) == 0


def test_a_blurred_picture_is_weighted_down_then_refused(scene, arc):
    view = picture(scene, arc)
    usual = sharpness(make_keyframe(view))
    qualities = [assess(changed(view, image=blurred(view.image, n)), usual) for n in (1, 2, 8)]
    assert qualities[0].weight == 1
    assert 0.1 <= qualities[1].weight < 1 and qualities[1].refusal is None
    assert qualities[2].refusal is Refusal.BLURRED and qualities[2].weight == 0
    # Nothing to compare with: it may be a plain object.
    assert assess(changed(view, image=blurred(view.image, 8)), None).refusal is None


def disc(x, *, radius=40, bar=None):
    """A grey disc at 1 m before a wall, its centre in column x, with a bar in front of it."""
    columns, rows = np.meshgrid(np.arange(320), np.arange(240))
    mask = (columns + 0.5 - x) ** 2 + (rows + 0.5 - 120) ** 2 < radius**2
    depth = np.where(mask, 1.0, 2.0)
    if bar is not None:
        depth[:, bar] = 0.7
        mask[:, bar] = False
    image = np.random.default_rng(0).integers(60, 200, (240, 320, 3)).astype(np.uint8)
    return make_keyframe(View(image, mask, CAMERA, depth.astype(np.float32)))


@pytest.mark.parametrize(
    ("x", "cut", "refused"), [(160, 0, False), (30, 0.21, False), (0, 0.39, True)]
)
def test_an_object_cut_by_the_border(x, cut, refused):
    quality = assess(disc(x), None)
    assert quality.cut == pytest.approx(cut, abs=0.06)
    assert quality.refusal is (Refusal.TRUNCATED if refused else None)
    assert refused or quality.weight == pytest.approx(1 - quality.cut)


@pytest.mark.parametrize(
    ("bar", "hidden", "refused"),
    [(slice(125, 132), 0.31, False), (slice(180, 250), 0.32, False), (slice(150, 153), 0.5, True)],
)
def test_an_object_behind_something(bar, hidden, refused):
    quality = assess(disc(160, bar=bar), None)
    assert quality.hidden == pytest.approx(hidden, abs=0.07)
    assert quality.cut == 0
    assert quality.refusal is (Refusal.OCCLUDED if refused else None)
    assert refused or quality.weight == pytest.approx(1 - quality.hidden)


def test_a_mask_full_of_holes_is_weighted_down_then_refused(scene, arc, rng):
    view = picture(scene, arc)
    chance = rng.random(view.mask.shape)
    some, many = (assess(changed(view, mask=view.mask & (chance > p)), None) for p in (0.1, 0.4))
    assert some.refusal is None and 0.5 < some.weight < 0.95
    assert many.refusal is Refusal.RAGGED
    ragged = assess(make_keyframe(scene("bracket").view(arc(3)[1], ragged=3)), None)
    assert ragged.weight > 0.9


def test_a_tiny_object_is_refused():
    assert assess(disc(160, radius=5), None).refusal is Refusal.SMALL
