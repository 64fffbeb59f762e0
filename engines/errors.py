# SPDX-License-Identifier: Apache-2.0
"""The one tree of errors that recon raises; a message says what happened, why, and what to do."""

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class ReconstructionError(Exception):
    """Root of every error that recon raises on purpose."""


class InvalidInputError(ReconstructionError, ValueError):
    """An argument or a file has a value, type, shape or size that cannot be used."""


class EmptyMaskError(InvalidInputError):
    """The mask selects no pixel, so there is no object to reconstruct."""


class EmptySurfaceError(ReconstructionError):
    """The field an engine predicted has no surface inside the cube."""


class RegistrationError(ReconstructionError):
    """A view does not fit the object it is said to show, from anywhere near the place tried."""


class WeightsError(ReconstructionError):
    """The weights of a model are missing, corrupt, or made for another version."""


class BackendUnavailableError(ReconstructionError):
    """The backend or the provider asked for cannot run on this machine; another one can."""


class OutputError(ReconstructionError):
    """A result cannot be written where it was asked to go."""


class UnknownNameError(InvalidInputError):
    """A name is not in the closed set it has to come from.

    >>> print(UnknownNameError("engine", "compcat", ["compact", "hull"]))
    unknown engine 'compcat'; known: compact, hull; did you mean 'compact'?
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        """Make the message from the set.

        Args:
            kind: what the name names, such as "engine".
            name: the name that was asked for.
            known: the names that exist.
        """
        known = sorted(known)
        message = f"unknown {kind} {name!r}; known: {', '.join(known) or 'none'}"
        nearest = difflib.get_close_matches(str(name), known, n=1)
        if nearest:
            message += f"; did you mean {nearest[0]!r}?"
        super().__init__(message)


class MissingPackageError(ReconstructionError, ImportError):
    """A package that only an optional extra installs is needed and not there."""


def require_package(name: str, *, extra: str) -> ModuleType:
    """The module called `name`, imported now.

    Args:
        name: import name, such as "torch".
        extra: the extra of recon that installs it.

    Returns:
        The module.

    Raises:
        MissingPackageError: the package, or one that it imports, is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"the package {name!r} could not be imported ({error}), because the base install does "
            f"not contain it; in the checkout of recon: pip install '.[{extra}]'"
        ) from error
