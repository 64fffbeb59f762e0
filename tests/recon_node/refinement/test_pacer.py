# SPDX-License-Identifier: Apache-2.0
"""When the refiner rests, told by a clock of the test's own."""

import pytest

from recon_node.refinement.orders import Pace
from recon_node.refinement.pacer import REST, Pacer


class Clock:
    """A time that only moves when it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pacer(clock):
    return Pacer(clock)


def steps_in(seconds, pacer, clock, *, each):
    """How many steps are made in a time; between two looks 10 ms pass."""
    end, steps = clock.now + seconds, 0
    while clock.now < end:
        if pacer.is_paused():
            clock.now += 0.01
        else:
            clock.now += each
            steps += 1
    return steps


def test_nothing_keeps_it_from_steps(pacer, clock):
    assert steps_in(3.0, pacer, clock, each=0.0625) == 48


def test_beside_work_it_rests_after_each_step(pacer, clock):
    pacer.pace = Pace.YIELD
    assert steps_in(30.0, pacer, clock, each=0.05) == pytest.approx(600 / (1 + REST), rel=0.1)


def test_paused_it_makes_none_and_goes_on_at_once(pacer, clock):
    steps_in(1.0, pacer, clock, each=0.05)
    pacer.pace = Pace.PAUSE
    assert steps_in(5.0, pacer, clock, each=0.05) == 0
    pacer.pace = Pace.GO
    assert not pacer.is_paused()


def test_a_pause_is_a_rest_too(pacer, clock):
    pacer.pace = Pace.YIELD
    assert not pacer.is_paused()
    clock.now += 0.05
    pacer.pace = Pace.PAUSE
    assert pacer.is_paused()
    clock.now += 1.0
    pacer.pace = Pace.YIELD
    assert not pacer.is_paused()


def test_work_that_ends_ends_the_rest(pacer, clock):
    pacer.pace = Pace.YIELD
    assert not pacer.is_paused()
    clock.now += 1.0
    assert pacer.is_paused()
    pacer.pace = Pace.GO
    assert not pacer.is_paused()
