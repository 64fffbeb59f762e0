# SPDX-License-Identifier: Apache-2.0
"""Options of a training run check themselves."""

import pytest

from recon_node.engines.errors import InvalidInputError, UnknownNameError
from recon_node.training.options import TrainingOptions


@pytest.mark.parametrize("name", ["steps", "batch", "devices", "validate_every", "validation"])
def test_counts_start_at_one(name):
    TrainingOptions(**{name: 1})
    with pytest.raises(InvalidInputError, match=f"{name} is 0; it must be at least 1"):
        TrainingOptions(**{name: 0})


@pytest.mark.parametrize("name", ["workers", "cooldown", "seed"])
def test_what_may_be_zero_may_not_be_negative(name):
    TrainingOptions(**{name: 0})
    with pytest.raises(InvalidInputError, match=f"{name} is -1; it must be at least 0"):
        TrainingOptions(**{name: -1})


@pytest.mark.parametrize("value", [0.0, -1e-3, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["learning_rate", "sharpness"])
def test_scales_are_positive_and_finite(name, value):
    with pytest.raises(InvalidInputError, match=f"{name} is .*; it must be a positive number"):
        TrainingOptions(**{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_an_average_forgets(value):
    with pytest.raises(InvalidInputError, match=r"average is .*; it must lie in \[0, 1\)"):
        TrainingOptions(average=value)


def test_an_unknown_precision_names_the_known():
    with pytest.raises(UnknownNameError, match="'bf16-true'; known: .*; did you mean"):
        TrainingOptions(precision="bf16-true")
