# SPDX-License-Identifier: Apache-2.0
"""Grasps on boxes: what fits the jaw holds, what moved or grew does not."""

import numpy as np
import pytest

from recon_node.engines.transforms import Similarity
from recon_node.evaluation.grasp import (
    FRICTION,
    JAW,
    Grasps,
    grasp_transfer,
    grasps_hold,
    propose_grasps,
)
from recon_node.evaluation.solid import Solid


@pytest.fixture
def bar(make_box):
    """A bar of 30 x 30 x 120 mm, easy to grasp across."""
    return Solid(make_box((0.03, 0.03, 0.12)))


def across_x(centre, approach, opening=0.06) -> Grasps:
    rows = (np.array([row], np.float64) for row in (centre, (1.0, 0, 0), approach))
    return Grasps(*rows, openings=np.array([opening]))


def test_grasps_of_an_object_transfer_to_itself(bar, rng):
    assert grasp_transfer(bar, bar, Similarity.identity(), rng=rng) == 1.0


def test_grasps_transfer_with_the_placement(bar, rng):
    R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    S = Similarity(1.0, R, np.array([0.3, 0.1, 0.0]))
    moved = Solid(bar.mesh.transformed(S))
    assert grasp_transfer(bar, moved, S, rng=rng) > 0.95
    assert grasp_transfer(bar, moved, Similarity.identity(), rng=rng) == 0.0


def test_grasps_fail_on_a_truth_wider_than_thought(bar, make_box, rng):
    wide = Solid(make_box((0.07, 0.07, 0.12)))
    assert grasp_transfer(bar, wide, Similarity.identity(), rng=rng) == 0.0


def test_nothing_to_grasp_on_what_is_wider_than_the_jaw(make_box, rng):
    crate = Solid(make_box((0.3, 0.3, 0.3)))
    assert grasp_transfer(crate, crate, Similarity.identity(), rng=rng) is None


def test_proposals_close_inside_the_friction_cone(bar, rng):
    grasps = propose_grasps(bar, 500, rng=rng)
    assert len(grasps) > 300
    assert grasps.openings.max() <= JAW
    np.testing.assert_allclose(np.sum(grasps.axes * grasps.approaches, axis=1), 0.0, atol=1e-9)
    steepest = np.abs(grasps.axes).max(axis=1)
    assert steepest.min() >= 1 / np.sqrt(1 + FRICTION**2) - 1e-9


@pytest.mark.parametrize(
    ("centre", "approach", "holds"),
    [
        ((0, 0, 0.04), (0, 0, -1), True),
        ((0, 0, -0.01), (0, 0, -1), False),  # the palm meets the top
        ((0, 0, 0.2), (0, 0, -1), False),  # nothing between the fingers
        ((0.03, 0, 0.04), (0, 0, -1), False),  # one finger inside the bar
        ((0, 0, 0), (0, 1, 0), True),
    ],
)
def test_a_hand_across_a_bar(bar, centre, approach, holds):
    assert grasps_hold(bar, across_x(centre, approach)).tolist() == [holds]


def test_slanted_contacts_do_not_hold(make_box):
    turn = Similarity(1.0, np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]), np.zeros(3))
    bar = Solid(make_box((0.03, 0.03, 0.12)).transformed(turn))
    assert not grasps_hold(bar, across_x((0, 0, 0.04), (0, 0, -1))).any()
