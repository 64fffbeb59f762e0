# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to be refined: requests in order, then what was seen from most new sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recon_node.refinement.orders import Ended, Report
from recon_node.streams.object_store import StoredObject

FEWEST = 2  # keyframes that are worth a turn nobody asked for


@dataclass(eq=False)
class Request:
    """A refinement that somebody asked for.

    Attributes:
        object_id: Of what.
        budget_s: Time to spend [s]; 0: as configured.
    """

    object_id: str
    budget_s: float = 0.0


@dataclass(eq=False)
class Turn:
    """One object's time with the refiner.

    Attributes:
        object_id: Whose.
        request: Who asked for it; None: nobody.
        stopped: Why nobody wants it any more; empty while somebody does.
        again: Whether it begins anew when it has ended, because the object has moved.
        report: The last one.
        refined: The newest version it brought.
    """

    object_id: str
    request: Request | None = None
    stopped: str = ""
    again: bool = False
    report: Report | None = None
    refined: StoredObject | None = None


@dataclass(frozen=True, eq=False)
class News:
    """Something that happened to a turn, or to a request that never had one.

    Attributes:
        request: Who asked for it, or None.
        report: How far it is.
        stored: A new version, and
        messages: what is to be published of it.
        ended: The end of it, and
        is_better: whether it brought a version.
    """

    request: Request | None
    report: Report | None = None
    stored: StoredObject | None = None
    messages: list[object] = field(default_factory=list)
    ended: Ended | None = None
    is_better: bool = False


def next_turn(
    requests: list[Request],
    fresh: Mapping[str, int],
    turns: Mapping[str, int],
    *,
    may_start: Callable[[str], bool],
) -> Turn | None:
    """The turn that is next, or None where nothing is to be done; a request leaves the list.

    Args:
        requests: In the order in which they came.
        fresh: Keyframes since the last turn, by object, where there are any.
        turns: How many turns each object had.
        may_start: Whether an object has a place that is known now.
    """
    for index, request in enumerate(requests):
        if may_start(request.object_id):
            del requests[index]
            return Turn(request.object_id, request)
    waiting = [object_id for object_id in fresh if may_start(object_id)]
    if not waiting:
        return None
    return Turn(min(waiting, key=lambda one: (-fresh[one], turns.get(one, 0))))
