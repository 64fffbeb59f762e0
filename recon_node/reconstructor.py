# SPDX-License-Identifier: Apache-2.0
"""From an object in a frame to its reconstruction: the same steps for the node and for bags."""

import dataclasses
import time

from recon_node.engines.reconstruction import Engine, Reconstruction
from recon_node.ladder import reconstruct_or_hull
from recon_node.streams.change import ChangeDetector
from recon_node.streams.frame import Frame


class Reconstructor:
    """Reconstructs what has changed.

    Args:
        engine: Makes the meshes; the hull takes over where it cannot.
        change: Remembers what each object looked like.
    """

    def __init__(self, engine: Engine, change: ChangeDetector):
        self.engine, self.change = engine, change

    def reconstruct(
        self, frame: Frame, value: int, object_id: str, *, always: bool = False
    ) -> Reconstruction | None:
        """The object's reconstruction, or None where it looks as it did at its last one.

        Args:
            frame: What was seen.
            value: The object's value in the frame's labels.
            object_id: Its name.
            always: Reconstruct even what has not changed.

        Raises:
            ReconstructionError: The frame cannot be used.
        """
        started = time.perf_counter()
        view = frame.view(value)
        if not (always or self.change.is_new(object_id, view)):
            return None
        converted = time.perf_counter()
        result = reconstruct_or_hull(self.engine, view, object_id=object_id)
        metrics = {"convert_s": converted - started, **result.metrics}
        return dataclasses.replace(result, metrics=metrics)

    def remember(self, frame: Frame, value: int, object_id: str) -> None:
        """Makes a frame the one that later ones are compared with: its result was accepted."""
        self.change.remember(object_id, frame.view(value))
