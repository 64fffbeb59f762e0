# SPDX-License-Identifier: Apache-2.0
"""JSON files read field by field, with errors that say which file, where, and what is there."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from recon_node.engines.errors import InvalidInputError, UnknownNameError


class JsonFields:
    """The named fields of one JSON object.

    Args:
        fields: The object.
        place: Where it stands, for messages: the file, and the frame where there are several.
        fallback: Read where a field is not in `fields`, as what all frames share; or None.
    """

    def __init__(self, fields: Mapping, place: str, *, fallback: "JsonFields | None" = None):
        if not isinstance(fields, Mapping):
            raise InvalidInputError(f"{place} is {_shown(fields)}; expected named fields {{…}}")
        self._fields = fields
        self._fallback = fallback
        self.place = place

    def value(self, name: str) -> object:
        """What stands under a name; None where nothing does, or null."""
        found = self._fields.get(name)
        if found is None and self._fallback is not None:
            return self._fallback.value(name)
        return found

    def number(self, name: str) -> float | None:
        """A finite number, or None where there is none."""
        value = self.value(name)
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise InvalidInputError(f"{self.place}: {name} is {_shown(value)}; expected a number")
        return float(value)

    def pixels(self, name: str) -> int | None:
        """A whole number above 0, or None where there is none."""
        value = self.number(name)
        if value is not None and (value < 1 or value != int(value)):
            raise InvalidInputError(f"{self.place}: {name} is {value:g}; expected pixels, above 0")
        return None if value is None else int(value)

    def text(self, name: str) -> str | None:
        """A text that is not empty, or None where there is none."""
        value = self.value(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise InvalidInputError(f"{self.place}: {name} is {_shown(value)}; expected a text")
        return value

    def matrix(self, name: str, side: int) -> np.ndarray | None:
        """A matrix f64 (side, side), row by row, or None where there is none."""
        value = self.value(name)
        if value is None:
            return None
        try:
            matrix = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"{self.place}: {name} is not a matrix of numbers; expected {side} rows of {side}"
            ) from error
        if matrix.shape != (side, side):
            raise InvalidInputError(
                f"{self.place}: {name} has shape {matrix.shape}; expected {side} rows of {side}"
            )
        return matrix

    def frames(self) -> "list[JsonFields]":
        """The objects of the list "frames", whose missing fields are those of this object."""
        frames = self.value("frames")
        if not isinstance(frames, list) or not frames:
            raise InvalidInputError(
                f"{self.place}: frames is {_shown(frames)}; expected a list, one {{…}} a picture"
            )
        return [
            JsonFields(fields, f"{self.place}, frame {number}", fallback=self)
            for number, fields in enumerate(frames, start=1)
        ]

    def require_known(self, known: Iterable[str]) -> None:
        """Fails where a field of this object itself is none of the known ones.

        Raises:
            UnknownNameError: Names the nearest known one.
        """
        for name in self._fields:
            if name not in known:
                raise UnknownNameError(f"field in {self.place}", name, known)


def read_json(path: Path, what: str) -> JsonFields:
    """The fields of a JSON file.

    Args:
        path: The file.
        what: What it is to the reader of a message, e.g. "cameras".

    Raises:
        InvalidInputError: No such file, no JSON, or no object of named fields.
    """
    if not path.is_file():
        found = "it is a directory" if path.is_dir() else "there is no such file"
        raise InvalidInputError(f"cannot read {what} {path}: {found}; check the path")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"cannot read {what} {path}: {error}; expected JSON, see docs/refinement.md"
        ) from error
    return JsonFields(fields, f"{what} {path}")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"
