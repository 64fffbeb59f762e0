# SPDX-License-Identifier: Apache-2.0
"""A training run on disk: everything that is needed to go on, or to export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from recon_node.engines.errors import OutputError, WeightsError
from recon_node.engines.lrm.model import CompactLRM


class Checkpoint:
    """The file of a run; written whole or not at all.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path):
        self._path = path

    def exists(self) -> bool:
        """Whether the run was saved before."""
        return self._path.is_file()

    def save(self, state: Mapping[str, Any]) -> None:
        """Writes the state in place of the last one.

        Raises:
            OutputError: It cannot be written; the last one is left.
        """
        unfinished = self._path.with_name(self._path.name + ".part")
        try:
            with unfinished.open("wb") as file:
                torch.save(dict(state), file)
            unfinished.replace(self._path)
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError
            if unfinished.is_file():
                unfinished.unlink()
            raise OutputError(
                f"cannot write {self._path} ({_first_line(error)}); free the place and start the "
                "run again, it goes on from its last checkpoint"
            ) from error

    def load(self) -> dict[str, Any]:
        """The last saved state, on the CPU.

        Raises:
            WeightsError: There is none, or it cannot be read.
        """
        if not self.exists():
            raise WeightsError(f"{self._path} does not exist; make it with `recon train lrm`")
        try:
            return torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle can raise anything
            raise WeightsError(
                f"{self._path} is not a checkpoint or is corrupt ({_first_line(error)}); "
                "remove it to start the run again"
            ) from error


def averaged_model(path: Path) -> tuple[CompactLRM, dict[str, str]]:
    """The model with a run's averaged weights, and notes on how they were made.

    Raises:
        WeightsError: The checkpoint is missing, corrupt, or of another model.
    """
    state = Checkpoint(path).load()
    model = CompactLRM().eval()
    try:
        averaged = {
            name.removeprefix("module."): value
            for name, value in state["averaged"].items()
            if name != "n_averaged"
        }
        model.load_state_dict(averaged)
        options = state["options"]
        samples = state["step"] * options["batch"] * options["devices"]
        notes = {"step": state["step"], "samples": samples, "seed": options["seed"]}
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"{path} is not a checkpoint of the compact model ({error})") from error
    return model, {name: str(value) for name, value in notes.items()}


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
