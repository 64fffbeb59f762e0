# SPDX-License-Identifier: Apache-2.0
"""Terms: each one wish about a field, as a scalar to minimise, and their weighted sum.

A term sees a `Step` and nothing else: the field, what was rendered, what was measured. To add one,
write one file with a class that has a `name` and answers a step with a scalar tensor, or with a
`Question` about the signed distance at points of its own. The questions of all terms are put to the
field together: every evaluation makes a gradient as large as the field's whole table of features,
which costs as much as a thousand points.

All lengths are in units of the box frame, in which the object's cube is [-1, 1]³; a ray's direction
has length 1 there, so a ray parameter t is a length, too.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.fields.field import Field
from recon_node.engines.fields.renderer import Rays, Rendered

_FULL, _EMPTY = 0.95, 0.05  # coverage above or below which a pixel is the object's or is not
_FINEST_SIGMA = 1e-3  # [box units] no depth counts as better known than that


@dataclass(frozen=True, eq=False)
class Measurements:
    """What the keyframes say along R rays.

    Attributes:
        rgbs: Colour of the picture, sRGB 0 to 1, (R, 3).
        masks: Share of the pixel that the object covers, 0 to 1, (R,); NaN where nothing is known,
            such as behind an occluder or at the mask's rim.
        depths: Ray parameter of the measured point, (R,); NaN where there is none.
        depth_sigmas: Its standard deviation along the ray, (R,).
        weights: Of the keyframe that the ray belongs to, 0 to 1, (R,).
        keyframes: Number of that keyframe, i64 (R,).
        patch_side: The first patch_count · patch_side² rays are squares of neighbouring pixels,
            patch after patch, row after row.
        patch_count: How many such squares there are.
    """

    rgbs: torch.Tensor
    masks: torch.Tensor
    depths: torch.Tensor
    depth_sigmas: torch.Tensor
    weights: torch.Tensor
    keyframes: torch.Tensor
    patch_side: int = 0
    patch_count: int = 0

    def __post_init__(self) -> None:
        """Refuse arrays of different lengths, and patches that the rays do not hold."""
        count = len(self.rgbs)
        for name in ("rgbs", "masks", "depths", "depth_sigmas", "weights", "keyframes"):
            shape, asked = tuple(getattr(self, name).shape), (count,) + (name == "rgbs") * (3,)
            if shape != asked:
                raise InvalidInputError(f"{name} has shape {shape}; {count} rays need {asked}")
        if min(self.patch_side, self.patch_count) < 0 or (self.patch_side > 0) != (
            self.patch_count > 0
        ):
            raise InvalidInputError(
                f"{self.patch_count} patches of side {self.patch_side} are none; "
                "give both numbers, or leave out both"
            )
        if self.patch_count * self.patch_side**2 > count:
            raise InvalidInputError(
                f"{self.patch_count} patches of {self.patch_side}x{self.patch_side} rays do not "
                f"fit into {count} rays; pass more rays or fewer patches"
            )

    @property
    def coverage(self) -> torch.Tensor:
        """The masks with 0 where nothing is known, (R,)."""
        return self.masks.nan_to_num(nan=0.0)

    @property
    def inside(self) -> torch.Tensor:
        """Whether the object is known to cover the whole pixel, bool (R,)."""
        return self.masks > _FULL

    @property
    def outside(self) -> torch.Tensor:
        """Whether the object is known not to be in the pixel, bool (R,)."""
        return self.masks < _EMPTY

    @property
    def depth_known(self) -> torch.Tensor:
        """Whether the pixel is the object's and its depth and noise are known, bool (R,)."""
        return self.inside & self.depths.isfinite() & self.depth_sigmas.isfinite()

    @property
    def usable_sigmas(self) -> torch.Tensor:
        """The depths' standard deviations, (R,), never so small that one ray outdoes all others.

        1 where they are unknown: a residual divided by NaN has no gradient, not even times 0.
        """
        return self.depth_sigmas.nan_to_num(nan=1.0, posinf=1.0).clamp(min=_FINEST_SIGMA)


@dataclass(frozen=True, eq=False)
class Step:
    """All that a term may look at.

    Attributes:
        field: What is being optimised.
        rays: R rays in the box frame.
        measured: What the keyframes say along them.
        rendered: What the field says along them.
        generator: Source of a term's random choices, on the device of the rays.
        progress: Share of the run that is done, 0 to 1.
        exposures: Gains of each ray's keyframe, by which rendered sRGB is multiplied before it is
            compared, (R, 3); None for none.
    """

    field: Field
    rays: Rays
    measured: Measurements
    rendered: Rendered
    generator: torch.Generator
    progress: float
    exposures: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """What a term would like to know about a field of signed distances.

    Attributes:
        points: Where, (P, 3) [box].
        value: The term's value, of shape (), from the signed distances there, (P,), and their
            gradients in space, (P, 3), which are None if they are not wanted.
        with_gradients: Whether they are.
    """

    points: torch.Tensor
    value: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    with_gradients: bool = False


class Term(Protocol):
    """One wish about the field."""

    name: str

    def __call__(self, step: Step) -> torch.Tensor | Question:
        """What there is to minimise, finite, of shape (), or a question whose answer gives it.

        Where nothing speaks for or against the wish, that is 0 and has no gradient.
        """
        ...


@dataclass(frozen=True)
class Schedule:
    """A number that changes over a run: linear between points, constant before and behind them.

    >>> rise = Schedule(((0.25, 0.0), (0.75, 1.0)))
    >>> rise(0.1), rise(0.5), rise(1.0)
    (0.0, 0.5, 1.0)

    Attributes:
        points: Pairs of progress (0 to 1, ascending) and value.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse points that do not make a function."""
        places = [place for place, _ in self.points]
        if not places or not all(math.isfinite(value) for _, value in self.points):
            raise InvalidInputError(f"schedule {self.points} needs a point, and finite values")
        if not all(0 <= place <= 1 for place in places) or any(
            after <= before for before, after in zip(places, places[1:], strict=False)
        ):
            raise InvalidInputError(
                f"the schedule's progresses {places} must ascend from 0 to 1 without repeats"
            )

    @classmethod
    def constant(cls, value: float) -> Schedule:
        """The schedule that always says `value`."""
        return cls(((0.0, value),))

    def __call__(self, progress: float) -> float:
        """The value at that share of the run."""
        after = bisect.bisect_right(self.points, progress, key=lambda point: point[0])
        if after == 0 or after == len(self.points):
            return self.points[max(after - 1, 0)][1]
        (start, low), (end, high) = self.points[after - 1], self.points[after]
        return low + (high - low) * (progress - start) / (end - start)


@dataclass(frozen=True)
class WeightedTerm:
    """A term and how much it counts over the run.

    Attributes:
        term: The wish.
        weight: Its factor, never negative; a term of weight 0 is not evaluated.
    """

    term: Term
    weight: Schedule

    def __post_init__(self) -> None:
        """Refuse a weight that would maximise what is to be minimised."""
        lowest = min(value for _, value in self.weight.points)
        if lowest < 0:
            raise InvalidInputError(
                f"the term {self.term.name!r} has the weight {lowest:g}, which would turn its "
                "wish into the opposite; choose 0 or more"
            )


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """What all terms say about a step.

    Attributes:
        total: Σ weight · value, of shape (); without a gradient if no term has one.
        values: Of each term that was evaluated, before its weight, by name.
    """

    total: torch.Tensor
    values: dict[str, float]


def weighted_sum(terms: Sequence[WeightedTerm], step: Step) -> WeightedSum:
    """The weighted sum of the terms, and each one's own value.

    Raises:
        InvalidInputError: if two terms have one name.
    """
    names = [weighted.term.name for weighted in terms]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"terms {names} share a name; give each one of its own")
    weights = {weighted.term.name: weighted.weight(step.progress) for weighted in terms}
    counted = [weighted.term for weighted in terms if weights[weighted.term.name] > 0]
    total = step.rendered.opacities.new_zeros(())
    if not counted:
        return WeightedSum(total, {})
    values = values_of(counted, step)
    for term, value in zip(counted, values, strict=True):
        total = total + weights[term.name] * value
    # One transfer from the device for all of them.
    numbers = torch.stack([value.detach() for value in values]).tolist()
    return WeightedSum(total, {term.name: n for term, n in zip(counted, numbers, strict=True)})


def values_of(terms: Sequence[Term], step: Step) -> list[torch.Tensor]:
    """The value of each term, of shape (); their questions are put to the field together."""
    answers = [term(step) for term in terms]
    for with_gradients in (False, True):
        places = [
            place
            for place, answer in enumerate(answers)
            if isinstance(answer, Question) and answer.with_gradients == with_gradients
        ]
        if places:
            lengths = [len(answers[place].points) for place in places]
            points = torch.cat([answers[place].points for place in places])
            if with_gradients:
                found = [told.split(lengths) for told in step.field.sdf_gradients(points)]
            else:
                found = [step.field.sdf(points).split(lengths), len(places) * [None]]
            for place, sdf, gradients in zip(places, *found, strict=True):
                answers[place] = answers[place].value(sdf, gradients)
    return answers


def mean_over_rays(values: torch.Tensor) -> torch.Tensor:
    """Σ values / R, of shape (): rays that say nothing count as zeros, and no rays give 0.

    Dividing by all rays, not by those with something to say, makes a random batch an unbiased
    estimate of one and the same objective.

    Args:
        values: (R,).
    """
    return values.sum() / max(len(values), 1)


def require_sdf(step: Step, name: str) -> None:
    """Nothing, if the field has signed distances.

    Raises:
        InvalidInputError: if it is a density.
    """
    if step.rendered.field_samples.sdf is None:
        raise InvalidInputError(
            f"the term {name!r} is about signed distances, and {type(step.field).__name__} is a "
            "density; leave it out, or refine a field with an sdf"
        )
