# SPDX-License-Identifier: Apache-2.0
"""The field that the compact model saw in a crop: points to signed distance and colour."""

from collections.abc import Mapping

import numpy as np

from recon_node.engines.backends.backend import Backend
from recon_node.engines.crop import Crop
from recon_node.engines.pieces import Pieces
from recon_node.engines.spread import spread

CHUNK = 4096  # points asked at once: what the network makes of them stays in a core's cache
HOLE = 6  # pixels from known depth over which holes in it are filled


def network_input(crop: Crop) -> dict[str, np.ndarray]:
    """The encoder's inputs for a crop: `crop` f32 (1, 6, S, S) and `tan_half_fov` f32 (1,).

    Channels: sRGB in [0, 1], mask, canonical depth (0 where unknown), depth known. Small holes in
    the depth are filled: at a hole the network guesses by itself how far the object goes on, and
    its surface gets a spike.
    """
    depth, known = np.zeros(crop.mask.shape, np.float32), np.zeros(crop.mask.shape, bool)
    if crop.depth is not None:
        known = np.isfinite(crop.depth)
        filled, reached = spread(crop.depth[..., None], known, steps=HOLE)
        known |= reached & (crop.mask == 1.0)  # not the rim: depth ends there
        depth = np.where(known, filled[..., 0], 0.0)
    channels = [
        *np.moveaxis(crop.image.astype(np.float32) / 255.0, -1, 0),
        crop.mask,
        depth,
        known,
    ]
    return {
        "crop": np.stack(channels)[None].astype(np.float32),
        "tan_half_fov": np.array([crop.tan_half_fov], np.float32),
    }


class CompactField:
    """Signed distance and colour at canonical points.

    Args:
        decoder: Runs the decoder network.
        inputs: Of the encoder, as `network_input` makes them.
        planes: Outputs of the encoder for them.
    """

    def __init__(
        self,
        decoder: Backend,
        inputs: Mapping[str, np.ndarray],
        planes: Mapping[str, np.ndarray],
    ):
        self._decoder = decoder
        self._fixed = {**inputs, **planes}
        self._pieces = Pieces(concurrency=decoder.concurrency, largest=CHUNK)

    def sdf(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, f32 (N,), negative inside, at canonical points f32 (N, 3)."""
        return self._ask(points, "sdf", ())

    def colours(self, points: np.ndarray) -> np.ndarray:
        """sRGB in [0, 1], f32 (N, 3), at canonical points f32 (N, 3)."""
        return self._ask(points, "colours", (3,))

    def _ask(self, points: np.ndarray, port: str, channels: tuple[int, ...]) -> np.ndarray:
        points = np.ascontiguousarray(points, np.float32)[None]

        def answer(piece: slice) -> np.ndarray:
            return self._decoder.run({**self._fixed, "points": points[:, piece]})[port][0]

        return self._pieces.ask(answer, points.shape[1], channels)
