# SPDX-License-Identifier: Apache-2.0
"""The pixels of all keyframes as rays with what was measured along them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recon_node.engines.keyframes.depth_noise import depth_sigma
from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.terms.term import Measurements
from recon_node.engines.transforms import Similarity

HELD_OUT = 16  # one pixel in so many is never trained on


@dataclass(frozen=True, eq=False)
class Pixels:
    """N pixels of K keyframes; what is read only.

    Attributes:
        origins: Where each keyframe's camera stood, f32 (K, 3) [box].
        directions: Unit, f32 (N, 3) [box].
        measured: What was seen along them.
    """

    origins: Tensor
    directions: Tensor
    measured: Measurements

    @classmethod
    def of(cls, keyframes: Sequence[Keyframe], S_world_box: Similarity) -> "Pixels":
        """All pixels of the keyframes, in order."""
        parts = [_pixels_of(i, keyframe, S_world_box) for i, keyframe in enumerate(keyframes)]
        columns = [torch.from_numpy(np.concatenate(column)) for column in zip(*parts, strict=True)]
        to_box = S_world_box.inverse()
        places = [keyframe.view.camera.T_world_camera[:3, 3] for keyframe in keyframes]
        origins = torch.from_numpy(to_box.apply(np.array(places)).astype(np.float32))
        return cls(origins, columns[0], Measurements(*columns[1:]))

    def __len__(self) -> int:
        return len(self.directions)

    def split(self, generator: torch.Generator) -> tuple["Pixels", "Pixels"]:
        """Those to train on, and one in `HELD_OUT`, drawn at random."""
        order = torch.randperm(len(self), generator=generator)
        held_out = len(self) // HELD_OUT
        return self.taken(order[held_out:]), self.taken(order[:held_out])

    def drawn(self, count: int, generator: torch.Generator) -> "Pixels":
        """Pixels drawn evenly, with repetition."""
        return self.taken(torch.randint(len(self), (count,), generator=generator))

    def taken(self, chosen: Tensor) -> "Pixels":
        """The chosen pixels, i64 (M,)."""
        m = self.measured
        measured = Measurements(
            m.rgbs[chosen],
            m.masks[chosen],
            m.depths[chosen],
            m.depth_sigmas[chosen],
            m.weights[chosen],
            m.keyframes[chosen],
        )
        return Pixels(self.origins, self.directions[chosen], measured)


def _pixels_of(index: int, keyframe: Keyframe, S_world_box: Similarity) -> tuple[np.ndarray, ...]:
    """Directions and the fields of `Measurements` of one keyframe's pixels."""
    view = keyframe.view
    camera = view.camera
    grid = camera.pixel_grid().reshape(-1, 2)
    tangents = camera.unproject(grid, np.ones(len(grid)))
    lengths = np.linalg.norm(tangents, axis=1)
    R_box_camera = S_world_box.R.T @ camera.T_world_camera[:3, :3]
    directions = tangents / lengths[:, None] @ R_box_camera.T
    z = np.full(len(grid), np.nan) if view.depth is None else view.depth.ravel().astype(float)
    per_unit = lengths / S_world_box.scale
    masks = np.where(keyframe.known, keyframe.coverage, np.nan).ravel()
    columns = (
        directions,
        view.image.reshape(-1, 3) / 255.0,
        masks,
        z * per_unit,
        depth_sigma(z) * per_unit,
        np.full(len(grid), keyframe.weight),
    )
    floats = tuple(np.ascontiguousarray(column, np.float32) for column in columns)
    return *floats, np.full(len(grid), index, np.int64)
