# SPDX-License-Identifier: Apache-2.0
"""The quality ladder: where an engine finds nothing or fails, the hull serves and says so."""

import dataclasses
import logging

from recon_node.engines import load_engine
from recon_node.engines.camera import View
from recon_node.engines.errors import EmptySurfaceError, InvalidInputError, WeightsError
from recon_node.engines.reconstruction import Engine, Reconstruction

_logger = logging.getLogger(__name__)


def reconstruct_or_hull(engine: Engine, view: View, *, object_id: str) -> Reconstruction:
    """The engine's reconstruction of a view, or the hull with a warning where it has none.

    An unusable view fails, because it would fail on every rung.

    Raises:
        ReconstructionError: The view cannot be used by any engine.
    """
    try:
        return engine.reconstruct([view], object_id=object_id)
    except InvalidInputError:
        raise
    except Exception as error:
        if engine.name == "hull":
            raise
        if not isinstance(error, EmptySurfaceError | WeightsError):
            _logger.exception("engine %r failed on %s", engine.name, object_id)
            error = f"internal error: {type(error).__name__}: {error}"
        warning = f"engine {engine.name!r} gave no surface ({error}); the hull is used instead"
    hull = load_engine("hull").reconstruct([view], object_id=object_id)
    return dataclasses.replace(hull, warnings=(*hull.warnings, warning))
