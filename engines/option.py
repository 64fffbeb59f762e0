# SPDX-License-Identifier: Apache-2.0
"""The fields of a configuration: a default with what a person needs to know to change it."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from recon_node.engines.errors import InvalidInputError, UnknownNameError

_KEY = "option"


@dataclass(frozen=True)
class Option:
    """What is said about one field of a configuration.

    Attributes:
        description: One sentence, with the unit in brackets.
        low: Smallest value allowed, or None.
        high: Largest value allowed, or None.
        choices: The values allowed, or empty.
        live: Whether it may change while the node works.
    """

    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False


def option(
    default: bool | int | float | str,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A dataclass field with a default and its `Option`."""
    told = Option(description, low, high, choices, live)
    return dataclasses.field(default=default, metadata={_KEY: told})


def options_of(config: object) -> dict[str, Option]:
    """The options of a configuration, or of its class, by field name, in order."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(config)}


def check_options(config: object) -> None:
    """Nothing, after every field was seen to have its type and to lie in its range.

    To be called by the `__post_init__` of a configuration.

    Raises:
        InvalidInputError: A field has the wrong type, or a value out of range.
        UnknownNameError: A field is not one of its choices.
    """
    for field in dataclasses.fields(config):
        told, value = field.metadata[_KEY], getattr(config, field.name)
        kind = type(field.default)
        if kind is float and type(value) is int:
            value = float(value)
            object.__setattr__(config, field.name, value)
        if type(value) is not kind:
            raise InvalidInputError(
                f"{field.name} is {value!r}, a {type(value).__name__}; it must be a {kind.__name__}"
            )
        if told.choices and value not in told.choices:
            raise UnknownNameError(field.name, value, told.choices)
        if kind not in (int, float):
            continue
        low = -math.inf if told.low is None else told.low
        high = math.inf if told.high is None else told.high
        if not low <= value <= high:  # NaN fails too
            raise InvalidInputError(
                f"{field.name} is {value:g}; it must lie in [{low:g}, {high:g}]: {told.description}"
            )
