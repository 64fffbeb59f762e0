# SPDX-License-Identifier: Apache-2.0
"""The quality ladder: where an engine finds nothing, the hull serves and says so."""

import dataclasses

from recon_node.engines import load_engine
from recon_node.engines.camera import View
from recon_node.engines.errors import EmptySurfaceError, WeightsError
from recon_node.engines.reconstruction import Engine, Reconstruction


def reconstruct_or_hull(engine: Engine, view: View, *, object_id: str) -> Reconstruction:
    """The engine's reconstruction of a view, or the hull with a warning where it has none.

    Only what depends on the picture or the weights goes down the ladder: an unusable view fails.

    Raises:
        ReconstructionError: The view cannot be used by any engine.
    """
    try:
        return engine.reconstruct([view], object_id=object_id)
    except (EmptySurfaceError, WeightsError) as error:
        if engine.name == "hull":
            raise
        warning = f"engine {engine.name!r} gave no surface ({error}); the hull is used instead"
    hull = load_engine("hull").reconstruct([view], object_id=object_id)
    return dataclasses.replace(hull, warnings=(*hull.warnings, warning))
