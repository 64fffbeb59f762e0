# SPDX-License-Identifier: Apache-2.0
"""Schedules, weights, and what a step may hold."""

import pytest
import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.terms.prior import Prior
from recon_node.engines.terms.surface import Surface
from recon_node.engines.terms.term import (
    Measurements,
    Question,
    Schedule,
    WeightedTerm,
    mean_over_rays,
    values_of,
    weighted_sum,
)


class _Radius:
    """A wish for a small ball."""

    def __init__(self, name, factor):
        self.name, self.factor = name, factor

    def __call__(self, step):
        return self.factor * step.field.radius.square()


class _Broken:
    name = "broken"

    def __call__(self, step):
        raise AssertionError("evaluated although its weight is zero")


def test_a_schedule_is_linear_between_its_points_and_constant_outside():
    schedule = Schedule(((0.2, 1.0), (0.4, 3.0), (0.9, 0.0)))
    asked = [0.0, 0.2, 0.3, 0.4, 0.65, 0.9, 1.0]
    assert [schedule(progress) for progress in asked] == pytest.approx([1, 1, 2, 3, 1.5, 0, 0])
    assert Schedule.constant(7.0)(0.0) == Schedule.constant(7.0)(1.0) == 7.0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((), "needs a point"),
        (((0.0, float("nan")),), "finite values"),
        (((0.5, 1.0), (0.5, 2.0)), "ascend"),
        (((0.5, 1.0), (0.2, 2.0)), "ascend"),
        (((0.0, 1.0), (1.5, 2.0)), "from 0 to 1"),
        (((float("nan"), 1.0),), "from 0 to 1"),
    ],
)
def test_points_that_are_no_function_are_refused(points, message):
    with pytest.raises(InvalidInputError, match=message):
        Schedule(points)


def test_the_sum_weighs_terms_and_names_their_values(ball, make_step):
    terms = [
        WeightedTerm(_Radius("one", 1.0), Schedule(((0.0, 0.0), (1.0, 4.0)))),
        WeightedTerm(_Radius("two", 3.0), Schedule.constant(0.5)),
        WeightedTerm(_Broken(), Schedule(((0.0, 1.0), (0.25, 0.0)))),
    ]
    step = make_step(ball(radius=2.0), progress=0.25)
    result = weighted_sum(terms, step)
    assert result.values == {"one": 4.0, "two": 12.0}
    assert result.total.item() == pytest.approx(1.0 * 4 + 0.5 * 12)
    (slope,) = torch.autograd.grad(result.total, step.field.radius)
    assert slope.item() == pytest.approx((1.0 + 0.5 * 3) * 2 * 2.0)


class _Asks:
    """The mean distance at points, or the mean gradient along x."""

    def __init__(self, name, points, *, with_gradients):
        self.name, self.points, self.with_gradients = name, points, with_gradients

    def __call__(self, step):
        return Question(self.points, self._value, with_gradients=self.with_gradients)

    def _value(self, sdf, gradients):
        assert (gradients is not None) == self.with_gradients
        return gradients[:, 0].mean() if self.with_gradients else sdf.mean()


def test_questions_are_put_together_and_answered_apart(ball, make_step):
    """Ask the field once for distances and once for gradients, whatever the number of terms."""
    east, west = torch.eye(3, dtype=torch.float64)[:1], -torch.eye(3, dtype=torch.float64)[:2]
    field = ball(radius=0.25)
    step = make_step(field)
    asked = []
    sdf = field.sdf
    field.sdf = lambda points: asked.append(len(points)) or sdf(points)
    terms = [
        _Asks("distance", 2 * west, with_gradients=False),
        _Asks("slope", east, with_gradients=True),
        _Radius("one", 1.0),
        _Asks("other distance", east, with_gradients=False),
        _Asks("other slope", west[:1], with_gradients=True),
    ]
    values = [value.item() for value in values_of(terms, step)]
    assert values == pytest.approx([1.75, 1.0, 0.25**2, 0.75, -1.0])
    assert asked == [3, 2]  # the ball's gradients ask for its distances


def test_no_terms_sum_to_nothing(ball, make_step):
    result = weighted_sum([], make_step(ball()))
    assert result.total.item() == 0 and result.values == {}


def test_two_terms_of_one_name_are_refused(ball, make_step):
    terms = 2 * [WeightedTerm(_Radius("one", 1.0), Schedule.constant(1.0))]
    with pytest.raises(InvalidInputError, match="share a name"):
        weighted_sum(terms, make_step(ball()))


def test_a_negative_weight_is_refused():
    with pytest.raises(InvalidInputError, match=r"'one' has the weight -0.1"):
        WeightedTerm(_Radius("one", 1.0), Schedule(((0.0, 1.0), (1.0, -0.1))))


def test_the_mean_counts_silent_rays_and_survives_none():
    assert mean_over_rays(torch.tensor([3.0, 0.0, 0.0])).item() == 1.0
    assert mean_over_rays(torch.zeros(0)).item() == 0.0


def test_signed_distances_are_asked_of_fields_that_have_them(fog, make_step):
    start = torch.zeros(1, 3), torch.zeros(1), torch.ones(1)
    for term in (Surface(), Prior(*start)):
        with pytest.raises(InvalidInputError, match=f"'{term.name}' .* Fog is a density"):
            term(make_step(fog()))


def _measured(count=8, **changes):
    arrays = {name: torch.zeros(count) for name in ("masks", "depths", "depth_sigmas", "weights")}
    arrays |= {"rgbs": torch.zeros(count, 3), "keyframes": torch.zeros(count, dtype=torch.int64)}
    return Measurements(**(arrays | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": torch.zeros(7)}, r"depths has shape \(7,\); 8 rays need \(8,\)"),
        ({"rgbs": torch.zeros(8)}, r"rgbs has shape \(8,\); 8 rays need \(8, 3\)"),
        ({"patch_side": 2}, "0 patches of side 2 are none"),
        ({"patch_side": 2, "patch_count": 3}, "3 patches of 2x2 rays do not fit into 8"),
    ],
)
def test_measurements_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        _measured(**changes)


def test_what_is_unknown_is_neither_inside_nor_outside():
    masks = torch.tensor([1.0, 0.0, 0.5, torch.nan])
    depths = torch.tensor([1.0, 1.0, 1.0, 1.0])
    sigmas = torch.tensor([0.0, 0.1, torch.nan, torch.inf])
    measured = _measured(4, masks=masks, depths=depths, depth_sigmas=sigmas)
    assert measured.inside.tolist() == [True, False, False, False]
    assert measured.outside.tolist() == [False, True, False, False]
    assert measured.coverage.tolist() == [1.0, 0.0, 0.5, 0.0]
    assert measured.depth_known.tolist() == [True, False, False, False]
    assert measured.usable_sigmas.tolist() == pytest.approx([1e-3, 0.1, 1.0, 1.0])
