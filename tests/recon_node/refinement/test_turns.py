# SPDX-License-Identifier: Apache-2.0
"""Whose turn is next."""

from recon_node.refinement.turns import Request, next_turn


def taken(requests, fresh, turns=None, *, unsettled=()):
    """The object of the next turn and whether it was asked for; None where there is none."""
    turn = next_turn(
        requests, fresh, turns or {}, may_start=lambda object_id: object_id not in unsettled
    )
    return None if turn is None else (turn.object_id, turn.request is not None)


def test_requests_come_first_and_in_order():
    requests = [Request("b"), Request("a")]
    fresh = {"c": 9}
    order = [taken(requests, fresh) for _ in range(3)]
    assert order == [("b", True), ("a", True), ("c", False)]
    assert requests == []


def test_most_new_views_come_first():
    """Among equals, the object that had fewer turns."""
    assert taken([], {"a": 1, "b": 3, "c": 2}) == ("b", False)
    assert taken([], {"a": 2, "b": 2}, {"a": 5, "b": 4}) == ("b", False)


def test_nothing_new_is_left_alone():
    assert taken([], {}) is None


def test_object_whose_place_is_not_known_waits():
    """Pass over an object that has moved and has no mesh there yet; its request stays."""
    requests = [Request("a"), Request("b")]
    assert taken(requests, {}, unsettled="a") == ("b", True)
    assert [request.object_id for request in requests] == ["a"]
    assert taken(requests, {"a": 1}, unsettled="a") is None
