# SPDX-License-Identifier: Apache-2.0
"""A refinement in this process, its steps counted: a replay of it comes out the same."""

from collections.abc import Callable

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.reconstruction import Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.refinement.process import load_refine


class CountedRefinement:
    """Refines objects one after the other.

    Args:
        config: With a number of steps and no budget.
        on_step: Called with the id of the object and its step.
        on_nothing: Called with a sentence about an object of which nothing better came.

    Raises:
        MissingPackageError: There is no torch here.
    """

    def __init__(
        self,
        config: RefineConfig,
        *,
        on_step: Callable[[str, int], None],
        on_nothing: Callable[[str], None],
    ):
        self._config, self._on_step, self._on_nothing = config, on_step, on_nothing
        self._refine = load_refine()

    def __call__(
        self, keyframes: tuple[Keyframe, ...], start: Reconstruction
    ) -> Reconstruction | None:
        """The better version; None where none was found.

        Args:
            keyframes: Views of the object.
            start: What to improve.

        Raises:
            ReconstructionError: The views cannot be used.
        """
        outcome = self._refine(
            keyframes,
            start,
            self._config,
            on_progress=lambda progress: self._on_step(start.object_id, progress.step),
            on_version=lambda version: None,
            cancelled=lambda: False,
            paused=lambda: False,
        )
        if outcome.result is None:
            self._on_nothing(f"{start.object_id} stays as it was: {outcome.message}")
        return outcome.result
