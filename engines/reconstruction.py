# SPDX-License-Identifier: Apache-2.0
"""What an engine returns, and what an engine is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Protocol

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.transforms import as_transform


class Stage(Enum):
    """Rung of the quality ladder a result stands on."""

    HULL = "hull"
    INSTANT = "instant"
    REFINED = "refined"


class ScaleSource(Enum):
    """What fixed the metric scale of a result; with NONE its unit is the object's distance."""

    DEPTH = "depth"
    PLANE = "plane"
    SIZE = "size"
    TRIANGULATION = "triangulation"
    NONE = "none"


class Provenance(IntEnum):
    """In how many views a vertex was seen; the values of `Mesh.provenance`."""

    HALLUCINATED = 0
    SEEN_ONCE = 1
    SEEN_TWICE = 2


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One version of one object.

    Attributes:
        object_id: name of the object, the same in all its versions.
        version: counts up from 1.
        parent_version: the version this one was refined from, or None.
        stage: rung of the quality ladder.
        mesh: the surface [m, object frame].
        T_world_object: f64 (4, 4) rigid [m].
        scale_source: what fixed the scale.
        scale_sigma: one standard deviation of the scale, relative; inf where it is not known.
        engine: name of the engine that made it.
        view_count: number of views it was made from.
        weights_note: whose weights the engine ran, in one line; empty where it has none.
        metrics: figures about the run: seconds by stage ("crop_s", …, "total_s"), flags as 0 or 1.
        warnings: sentences for the user; empty where nothing was unusual.
    """

    object_id: str
    version: int
    parent_version: int | None
    stage: Stage
    mesh: Mesh
    T_world_object: np.ndarray
    scale_source: ScaleSource
    scale_sigma: float
    engine: str
    view_count: int
    weights_note: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds = {"stage": Stage, "scale_source": ScaleSource, "mesh": Mesh}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidInputError(
                    f"Reconstruction.{name} must be a {kind.__name__}, "
                    f"got {type(getattr(self, name)).__name__}"
                )
        if not self.object_id:
            raise InvalidInputError("Reconstruction.object_id is empty; give the object a name")
        if self.version < 1 or self.view_count < 1:
            raise InvalidInputError(
                f"Reconstruction.version and view_count count from 1, got {self.version} and "
                f"{self.view_count}"
            )
        if self.parent_version is not None and not 1 <= self.parent_version < self.version:
            raise InvalidInputError(
                f"Reconstruction.parent_version is {self.parent_version}, but must lie before "
                f"version {self.version}"
            )
        if not self.scale_sigma >= 0:
            raise InvalidInputError(
                f"Reconstruction.scale_sigma must be >= 0 or inf, got {self.scale_sigma}"
            )
        T = as_transform(self.T_world_object, name="Reconstruction.T_world_object")
        object.__setattr__(self, "T_world_object", T)
        metrics = {str(name): float(value) for name, value in self.metrics.items()}
        object.__setattr__(self, "metrics", MappingProxyType(metrics))
        object.__setattr__(self, "warnings", tuple(self.warnings))

    def __reduce__(self) -> tuple:
        """Pickles what the constructor takes: a mapping that is only a view cannot be pickled."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self), tuple({**values, "metrics": dict(self.metrics)}.values())


class Engine(Protocol):
    """Views in, a Reconstruction out.

    Attributes:
        name: One of `recon_node.engines.loading.ENGINES`.
        weights_note: Whose weights it runs, in one line: source, licence, file; or empty.
    """

    name: str
    weights_note: str

    def reconstruct(self, views: Sequence[View], *, object_id: str = "object") -> Reconstruction:
        """A reconstruction of the one object that all views show.

        Args:
            views: one or more views.
            object_id: name of the object.

        Returns:
            The reconstruction, version 1.

        Raises:
            ReconstructionError: the views cannot be used, or no surface was found.
        """
        ...
