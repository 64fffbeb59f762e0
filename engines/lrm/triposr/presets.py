# SPDX-License-Identifier: Apache-2.0
"""What is particular to each checkpoint of the TripoSR family; the network is the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from recon_node.engines.errors import UnknownNameError

UNKNOWN_LICENCE = "licence not known"
PUBLIC_TRIPOSR_SHA256 = "429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee"
"""Of `model.ckpt` (1,677,246,742 bytes) at stabilityai/TripoSR, as several projects pin it."""


@dataclass(frozen=True)
class Preset:
    """How a checkpoint wants to be fed, and where its object stands.

    Attributes:
        name: Of the preset.
        foreground_ratio: Longer side of the object's box / side of the picture.
        distance: d, of the virtual camera from the model's origin [model unit].
        field_of_view: Of the virtual camera, vertical [deg].
        density_threshold: Density at the surface.
        licence: Of the public weights.
        source: Where the public weights come from.
        repository: Their Hugging Face repository.
        file: Their file in it.
    """

    name: str
    foreground_ratio: float
    distance: float
    field_of_view: float
    density_threshold: float
    licence: str
    source: str
    repository: str
    file: str

    @property
    def half_field(self) -> float:
        """Half the side that the picture spans at the model's origin: `d tan(fov / 2)`.

        >>> round(TRIPOSR.half_field, 4)
        0.6915
        """
        return self.distance * math.tan(math.radians(self.field_of_view / 2))

    @property
    def tan_half_fov(self) -> float:
        """q of the virtual camera."""
        return self.half_field / self.distance


TRIPOSR = Preset(
    "triposr",
    foreground_ratio=0.85,
    distance=1.9,
    field_of_view=40.0,
    density_threshold=25.0,
    licence="MIT",
    source="TripoSR (Tripo AI and Stability AI, 2024), https://huggingface.co/stabilityai/TripoSR",
    repository="stabilityai/TripoSR",
    file="model.ckpt",
)
# The repository of Real3D contradicts itself: both loaders of synthetic data put the camera at 2.4,
# single views, the curriculum and the evaluation at 3.0. The model that is released was trained on
# both, last and longest on single views; nobody has measured which of the two its weights mean.
REAL3D = Preset(
    "real3d",
    foreground_ratio=0.65,
    distance=3.0,
    field_of_view=39.6,
    density_threshold=25.0,
    licence="MIT by its model card; its code has no licence file",
    source="Real3D (Jiang, Huang, Pavlakos, 2024), https://huggingface.co/hwjiang/Real3D",
    repository="hwjiang/Real3D",
    file="model_both_trained_v1.ckpt",
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (TRIPOSR, REAL3D)}


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]
