# SPDX-License-Identifier: Apache-2.0
"""Draws examples/coffee/coffee_mask.png: the cup, its saucer and the spoon, outlined by hand.

The outline was clicked on scikit-image's `coffee` picture (600 x 400), which is not part of this
repository; pixels are counted from the upper left corner, the first one's centre at (0.5, 0.5).
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = (600, 400)
_FINE = 8  # the outline is drawn at this many times the size

# Clockwise from the left of the cup's rim.
CUP = [
    (173.5, 96), (174.5, 84), (180, 72.5), (186, 62.5), (195, 52), (206.5, 41.3), (221, 31.3),
    (237.5, 24.3), (256, 19.5), (276, 18), (296, 18.6), (316, 21), (334, 25.5), (352, 33),
    (368, 43), (382, 56),
    (393, 69), (401, 84), (406, 98), (408, 112), (408, 126), (406, 140), (403, 155), (399, 170),
]  # fmt: skip
SPOON_HANDLE = [
    (397, 74), (398, 70), (402, 67.6), (410, 67), (417, 68.5), (421.5, 72), (423.5, 77),
    (423, 84), (418, 99), (414.5, 111), (409, 130), (402, 150),
]  # fmt: skip
SAUCER = [
    (183, 70), (166, 77.5), (148, 87), (132, 98), (117, 112), (104, 127), (93, 144), (85, 162),
    (80, 180), (77, 200), (76.5, 220), (78.5, 240), (83, 260), (90, 279), (99, 297), (111, 314),
    (126, 330), (143, 344), (162, 356), (184, 367), (206, 376), (230, 383), (256, 387.5),
    (284, 389.5), (312, 388.5), (338, 384.5), (362, 378), (386, 368), (408, 355), (427, 341),
    (444, 324), (457, 306), (467, 287), (474, 267), (478.5, 246), (480, 226), (478.5, 206),
    (474, 186), (467, 167), (457, 149), (445, 132), (432, 117), (418, 105), (404, 96),
]  # fmt: skip


def coffee_mask() -> Image.Image:
    """The mask: 255 on the object, antialiased at its outline."""
    sheet = Image.new("L", (SIZE[0] * _FINE, SIZE[1] * _FINE))
    draw = ImageDraw.Draw(sheet)
    for outline in (SAUCER, CUP, SPOON_HANDLE):
        draw.polygon([tuple(_FINE * v for v in point) for point in _rounded(outline)], fill=255)
    return sheet.resize(SIZE, Image.Resampling.BOX)


def _rounded(outline: list[tuple[float, float]]) -> np.ndarray:
    """The outline with its corners cut twice (Chaikin 1974)."""
    points = np.array(outline)
    for _ in range(2):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1)
        points = points.reshape(-1, 2)
    return points


if __name__ == "__main__":
    path = Path(__file__).parent / "coffee" / "coffee_mask.png"
    path.parent.mkdir(exist_ok=True)
    coffee_mask().save(path, optimize=True)
