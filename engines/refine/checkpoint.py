# SPDX-License-Identifier: Apache-2.0
"""The state of a refinement that was interrupted, in a file."""

import logging
import os
import pickle
from pathlib import Path

import torch

from recon_node.engines.refine.refiner import Refiner

_logger = logging.getLogger(__name__)


def save_checkpoint(path: Path, refiner: Refiner, *, elapsed: float) -> None:
    """Writes the state so that the file is complete or not there at all.

    Args:
        path: File to write; its folder exists.
        refiner: Whose state.
        elapsed: Time spent so far [s].
    """
    part = path.with_name(path.name + ".part")
    torch.save({"refiner": refiner.state(), "elapsed": elapsed}, part)
    os.replace(part, path)


def load_checkpoint(path: Path, refiner: Refiner) -> float:
    """Time spent before [s], after the refiner has the state of the file.

    Where the file cannot be read, or is of other keyframes or another start, the refiner stays as
    it is, the log says so, and the answer is 0.

    Args:
        path: File of `save_checkpoint`.
        refiner: Prepared, of the same keyframes and start.
    """
    try:
        stored = torch.load(path, weights_only=True)
        refiner.restore(stored["refiner"])
    except (OSError, RuntimeError, LookupError, ValueError, EOFError, pickle.PickleError) as error:
        why = str(error).partition("\n")[0]
        _logger.warning("%s cannot be gone on with, and is begun anew: %s", path, why)
        return 0.0
    return float(stored["elapsed"])
