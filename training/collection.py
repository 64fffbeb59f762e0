# SPDX-License-Identifier: Apache-2.0
"""Objects to train on: a collection of meshes in one npz file, and procedural shapes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.training.shapes.sampler import sample_shape

FAVOURED = {
    "food": 1.0,
    "box_case": 1.5,
    "bottle_jar": 1.5,
    "can_tin": 1.5,
    "mug_cup": 2.5,
    "bowl_plate": 1.5,
    "pan_pot": 1.5,
    "tool": 1.2,
    "toy_figure": 1.2,
    "shoe_clothing": 1.2,
    "appliance_electronics": 1.0,
    "stationery_bath": 1.2,
    "book_paper": 1.2,
    "procedural": 0.5,
}
"""How often a category is drawn, per object; the ones a robot seldom picks up count 0.6."""

_SOLID = 0.04  # share of its bounding cube that a thing fills to be drawn at its full weight
_HELD_OUT = 10  # of 256
_COLOURS_INVENTED = 0
_COLOURS_FLAT = 1


@dataclass(frozen=True, eq=False)
class TrainingObject:
    """A mesh with z up and longest side 1 around its box's centre.

    Attributes:
        vertices: f32 (V, 3).
        faces: i32 (F, 3).
        colors: sRGB of each vertex, u8 (V, 3).
        parts: Colour group of each vertex, u8 (V,).
        textured: Whether the colours come from a texture and should be kept as they are.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray
    parts: np.ndarray
    textured: bool


class Collection:
    """The meshes of one npz file, drawn by favoured category; thin things are drawn less often.

    Args:
        data: Folder with `objects_train.npz`, whose arrays `vertices`, `triangles`, `colors`,
            `parts` are concatenated and cut by `vert_offset` and `tri_offset`, with `name`,
            `category` and `color_kind`; and `objects_train_occ64.npz`, its packed occupancy.
        held_out: Draw only the objects that are held out for validation, or only the others.
    """

    def __init__(self, data: Path, *, held_out: bool):
        path, volumes = data / "objects_train.npz", data / "objects_train_occ64.npz"
        for required in (path, volumes):
            if not required.is_file():
                raise InvalidInputError(
                    f"{required} does not exist; pass the collection's folder with --data"
                )
        with np.load(path) as file:
            self._arrays = {key: file[key] for key in file.files}
        with np.load(volumes) as file:
            solidity = np.array([np.unpackbits(packed).mean() for packed in file["occ"]])
        weights = np.array([FAVOURED.get(str(c), 0.6) for c in self._arrays["category"]])
        weights *= np.clip(solidity / _SOLID, 0.15, 1.0)
        chosen = [_is_held_out(str(name)) == held_out for name in self._arrays["name"]]
        if not any(chosen):
            raise InvalidInputError(
                f"{path} has {len(chosen)} objects, none of them "
                f"{'held out for validation' if held_out else 'to train on'} (one in 26 is held "
                "out, by its name); add objects"
            )
        self._probabilities = weights * chosen / (weights * chosen).sum()

    def __getitem__(self, index: int) -> TrainingObject:
        arrays = self._arrays
        v0, v1 = arrays["vert_offset"][index : index + 2]
        t0, t1 = arrays["tri_offset"][index : index + 2]
        return TrainingObject(
            vertices=arrays["vertices"][v0:v1],
            faces=arrays["triangles"][t0:t1],
            colors=arrays["colors"][v0:v1],
            parts=arrays["parts"][v0:v1],
            textured=arrays["color_kind"][index] not in (_COLOURS_INVENTED, _COLOURS_FLAT),
        )

    def names(self) -> dict[str, int]:
        """Index of each object that may be drawn, by its name."""
        indices = np.flatnonzero(self._probabilities)
        return {str(self._arrays["name"][index]): int(index) for index in indices}

    def longest(self, index: int) -> float | None:
        """Longest side of an object [m]; None where its scale is not known."""
        metres = float(self._arrays["longest_m"][index])
        return metres if np.isfinite(metres) else None

    def sample(self, rng: np.random.Generator) -> TrainingObject:
        """One object by favour of its category."""
        return self[rng.choice(len(self._probabilities), p=self._probabilities)]


def _is_held_out(name: str) -> bool:
    """Whether an object is kept for validation: one in 26, by the hash of its name."""
    return hashlib.sha1(name.encode()).digest()[0] < _HELD_OUT


def sample_procedural(rng: np.random.Generator) -> TrainingObject:
    """One procedural solid."""
    shape = sample_shape(rng)
    return TrainingObject(shape.vertices, shape.faces, shape.colors, shape.parts, textured=False)


def vary(obj: TrainingObject, rng: np.random.Generator) -> TrainingObject:
    """The object stretched, mirrored, laid on another side and, if not textured, recoloured."""
    scale = np.exp(rng.normal(0.0, 0.12, 3)) * rng.choice([-1.0, 1.0], 3)
    tumbled = rng.uniform() < 0.3
    rotation = _random_rotation(rng) if tumbled else _rotation_z(rng.uniform(0.0, 2.0 * np.pi))
    vertices = (obj.vertices * scale) @ rotation.T
    low, high = vertices.min(0), vertices.max(0)
    vertices = (vertices - 0.5 * (low + high)) / (high - low).max()
    faces = obj.faces if scale.prod() > 0 else obj.faces[:, ::-1]
    colors = obj.colors
    if not obj.textured and rng.uniform() < 0.5:
        palette = _random_colours(rng, 256)
        colors = palette[obj.parts]
    return TrainingObject(
        vertices.astype(np.float32), np.ascontiguousarray(faces), colors, obj.parts, obj.textured
    )


def _rotation_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation uniform over all (the QR factor of a Gaussian matrix, Stewart 1980)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def _random_colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """sRGB colours, u8 (count, 3), from grey to saturated."""
    grey = rng.uniform(0.03, 0.97, (count, 1))
    colour = rng.uniform(0.0, 1.0, (count, 3))
    saturation = rng.beta(0.8, 0.8, (count, 1))
    return (255.0 * (grey * (1.0 - saturation) + colour * saturation)).astype(np.uint8)
