# SPDX-License-Identifier: Apache-2.0
"""The objects that refinement is tuned on and measured on, as scenes with keyframes and truth."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.evaluation.dataset import EvaluationObject, load_objects
from recon_node.evaluation.geometry import OccupancySamples, SurfaceSamples, sample_surface
from recon_node.evaluation.keyframe_sets import KeyframeScene
from recon_node.evaluation.solid import Solid
from recon_node.training.appearance import Appearance
from recon_node.training.collection import Collection

DATA = Path("/work/shared/data")
UNKNOWN_LONGEST = 0.15  # where an object's scale is not known [m]
SURFACE_COUNT, VOLUME_COUNT = 10_000, 8_000
PADDING = 0.1  # of the box in which occupancy is sampled, relative to each side
TUNING = (  # held-out objects of the training collection that an arm could pick up
    "m3_coffee_cup",
    "gsov_mario_figure",
    "m3_padlock",
    "kd_bottle_a_labeled_brown",
    "m3_library_stool",
    "mk_knife-block",
    "kr_food_ingredient_onion_rings",
    "qt_spaceships_striker",
)


@dataclass(frozen=True, eq=False)
class RefineObject:
    """One object: its scene, and its true surface and volume in the object's frame [m]."""

    scene: KeyframeScene
    surface: SurfaceSamples
    occupancy: OccupancySamples


def object_makers(source: str) -> dict[str, Callable[[], RefineObject]]:
    """What makes each object of a source, by name.

    Args:
        source: `tuning` (held-out training objects) or `eval` (the evaluation set).
    """
    appearance = Appearance(DATA)
    if source == "tuning":
        collection = Collection(DATA, held_out=True)
        known = collection.names()
        return {
            name: partial(_tuning, collection, known[name], name, appearance) for name in TUNING
        }
    if source == "eval":
        objects = load_objects(DATA / "eval_val")
        return {truth.name: partial(_evaluation, truth, appearance) for truth in objects}
    raise SystemExit(f"no source of objects is called {source}; known: tuning, eval")


def _scene(name: str, mesh: Mesh, appearance: Appearance) -> KeyframeScene:
    light = appearance.light(np.random.default_rng([zlib.crc32(name.encode()), 7]))
    return KeyframeScene(name, mesh, light)


def _tuning(
    collection: Collection, index: int, name: str, appearance: Appearance
) -> RefineObject:
    drawn = collection[index]
    size = collection.longest(index) or UNKNOWN_LONGEST
    vertices = (drawn.vertices * size).astype(np.float32)
    mesh = Mesh(vertices, drawn.faces.astype(np.int32), colors=drawn.colors)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    margin = PADDING * (high - low).max()
    points = rng.uniform(low - margin, high + margin, (VOLUME_COUNT, 3))
    occupancy = OccupancySamples(points, Solid(mesh).contains(points))
    surface = sample_surface(mesh, SURFACE_COUNT, rng=rng)
    return RefineObject(_scene(name, mesh, appearance), surface, occupancy)


def _evaluation(truth: EvaluationObject, appearance: Appearance) -> RefineObject:
    return RefineObject(
        _scene(truth.name, truth.solid.mesh, appearance),
        truth.surface.first(SURFACE_COUNT),
        truth.occupancy.first(VOLUME_COUNT),
    )
