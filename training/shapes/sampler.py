# SPDX-License-Identifier: Apache-2.0
"""Random household objects, drawn with the frequencies of what robots pick up."""

from __future__ import annotations

import numpy as np

from recon_node.training.shapes import (
    bakery,
    bottles,
    cartons,
    cutlery,
    extrusions,
    fruit,
    primitives,
    tools,
    vessels,
)
from recon_node.training.shapes.shape import Shape

FAMILIES = {
    "block": (3.0, primitives.block),
    "superquadric": (3.0, primitives.superquadric_solid),
    "ball": (2.0, primitives.ball),
    "cylinder": (3.0, primitives.cylinder),
    "wedge": (1.5, primitives.wedge),
    "carton": (6.0, cartons.carton),
    "open_box": (3.0, cartons.open_box),
    "lidded_box": (3.0, cartons.lidded_box),
    "book": (2.5, cartons.book),
    "gable_carton": (2.0, cartons.gable_carton),
    "packet": (3.0, cartons.packet),
    "mug": (5.0, vessels.mug),
    "tumbler": (3.5, vessels.tumbler),
    "bowl": (5.0, vessels.bowl),
    "plate": (3.0, vessels.plate),
    "pan": (2.0, vessels.pan),
    "pot": (2.0, vessels.pot),
    "bottle": (6.0, bottles.bottle),
    "jar": (4.0, bottles.jar),
    "can": (5.0, bottles.can),
    "vase": (2.0, bottles.vase),
    "turned": (2.0, bottles.turned),
    "hammer": (1.5, tools.hammer),
    "screwdriver": (1.5, tools.screwdriver),
    "spanner": (1.5, tools.spanner),
    "brush": (1.5, tools.brush),
    "prism": (2.5, extrusions.prism),
    "gear": (1.0, extrusions.gear),
    "letter": (1.5, extrusions.letter),
    "bracket": (1.5, extrusions.bracket),
    "cutter": (1.0, extrusions.cutter),
    "brick": (1.0, extrusions.block_toy),
    "round_fruit": (4.0, fruit.round_fruit),
    "long_fruit": (2.0, fruit.long_fruit),
    "bent_fruit": (2.5, fruit.bent_fruit),
    "lump": (2.0, fruit.potato),
    "bunch": (0.7, fruit.bunch),
    "loaf": (1.5, bakery.loaf),
    "ring_cake": (1.0, bakery.ring_cake),
    "layered_food": (1.5, bakery.burger),
    "cupcake": (1.0, bakery.cupcake),
    "mushroom": (1.0, bakery.mushroom),
    "meat": (1.0, bakery.meat),
    "spoon": (1.5, cutlery.spoon),
    "fork": (1.0, cutlery.fork),
    "knife": (1.5, cutlery.knife),
    "spatula": (1.5, cutlery.spatula),
    "tongs": (0.7, cutlery.tongs),
    "whisk": (0.5, cutlery.whisk),
}

_NAMES = tuple(FAMILIES)
_CHANCES = np.array([weight for weight, _ in FAMILIES.values()])
_CHANCES = _CHANCES / _CHANCES.sum()


def sample_shape(rng: np.random.Generator, *, family: str | None = None) -> Shape:
    """Returns a random closed, coloured, normalised object.

    Args:
        rng: the only source of randomness.
        family: a key of FAMILIES; drawn by weight if not given.
    """
    if family is None:
        family = _NAMES[rng.choice(len(_NAMES), p=_CHANCES)]
    assembly = FAMILIES[family][1](rng)
    return assembly.shape(family, stretch=np.exp(rng.uniform(-0.12, 0.12, size=3)))
