# SPDX-License-Identifier: Apache-2.0
"""Random household objects, drawn with the frequencies of what robots pick up."""

from __future__ import annotations

import numpy as np

from recon_node.engines.errors import UnknownNameError
from recon_node.training.shapes import (
    bakery,
    bottles,
    cartons,
    csg,
    cutlery,
    electronics,
    extrusions,
    fruit,
    furniture,
    gripping,
    household,
    primitives,
    sweeps,
    tools,
    toys,
    vehicles,
    vessels,
)
from recon_node.training.shapes.rotations import any_rotation, quarter_turn
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
    "ring": (2.0, sweeps.ring),
    "pipe": (1.0, sweeps.pipe),
    "wire": (1.0, sweeps.wire),
    "spring": (0.5, sweeps.spring),
    "hanger": (0.5, sweeps.hanger),
    "padlock": (1.0, sweeps.hook),
    "chain": (0.5, sweeps.chain),
    "combination": (4.0, csg.combination),
    "machined": (2.0, csg.machined),
    "pliers": (1.5, gripping.pliers),
    "scissors": (1.5, gripping.scissors),
    "clamp": (1.0, gripping.clamp),
    "peg": (1.0, gripping.peg),
    "drill": (2.0, gripping.drill),
    "spray_bottle": (2.0, gripping.spray_bottle),
    "saw": (1.0, gripping.saw),
    "marker": (1.5, gripping.marker),
    "animal": (2.5, toys.animal),
    "figure": (2.0, toys.figure),
    "bird": (1.0, toys.bird),
    "stacked_toy": (1.0, toys.stacked_toy),
    "house": (0.7, toys.house),
    "boat": (0.7, toys.boat),
    "car": (2.0, vehicles.car),
    "truck": (1.5, vehicles.truck),
    "train": (0.7, vehicles.train),
    "aeroplane": (1.0, vehicles.aeroplane),
    "remote": (2.0, electronics.remote),
    "mouse": (1.5, electronics.mouse),
    "phone": (2.0, electronics.phone),
    "adapter": (1.5, electronics.adapter),
    "camera": (1.5, electronics.camera),
    "lamp": (1.5, electronics.lamp),
    "iron": (0.7, electronics.iron),
    "kettle": (3.0, electronics.kettle),
    "shoe": (2.5, household.shoe),
    "hat": (1.0, household.hat),
    "basket": (2.0, household.basket),
    "roll": (2.0, household.roll),
    "tube": (1.5, household.tube),
    "plant": (1.0, household.plant),
    "key": (0.7, household.key),
    "sponge": (2.0, household.sponge),
    "umbrella": (0.7, household.umbrella),
    "table": (0.8, furniture.table),
    "chair": (1.0, furniture.chair),
    "shelf": (0.8, furniture.shelf),
    "sofa": (0.6, furniture.sofa),
}

_NAMES = tuple(FAMILIES)
_CHANCES = np.array([weight for weight, _ in FAMILIES.values()])
_CHANCES = _CHANCES / _CHANCES.sum()


def sample_shape(rng: np.random.Generator, *, family: str | None = None) -> Shape:
    """Returns a random closed, coloured, normalised object.

    Most stand as they would on a table; some are tipped over or float at any orientation. Each is
    stretched a little along the axes; some lean or taper.

    Args:
        rng: the only source of randomness.
        family: a key of FAMILIES; drawn by weight if not given.

    Raises:
        UnknownNameError: there is no such family.
    """
    if family is None:
        family = _NAMES[rng.choice(len(_NAMES), p=_CHANCES)]
    elif family not in FAMILIES:
        raise UnknownNameError("family of shapes", family, FAMILIES)
    assembly = FAMILIES[family][1](rng)
    pose = rng.uniform()
    if pose < 0.1:
        assembly.turn(quarter_turn(rng))
    elif pose < 0.14:
        assembly.turn(any_rotation(rng))
    return assembly.shape(family, collineation=_collineation(rng))


def _collineation(rng: np.random.Generator) -> np.ndarray:
    matrix = np.diag([*np.exp(rng.uniform(-0.12, 0.12, size=3)), 1.0])
    if rng.uniform() < 0.2:
        matrix[:2, 2] += rng.uniform(-0.15, 0.15, size=2)
    if rng.uniform() < 0.25:
        matrix[3, rng.integers(3)] = rng.uniform(-0.35, 0.35)
    return matrix
