# SPDX-License-Identifier: Apache-2.0
"""Nodes that refine, by a process that only counts steps, and goals for them."""

import itertools
import os
import sys
from pathlib import Path

import pytest
from rclpy.action import ActionClient
from recon.action import Refine

from recon_node import pipeline
from recon_node.refinement.refiner_process import RefinerProcess

STAND_IN = Path(__file__).parents[2] / "refinement" / "stand_in.py"
_tests = itertools.count()


@pytest.fixture(autouse=True)
def private_domain() -> None:
    """Keep a test away from what the tests before it have left in DDS.

    Processes of nodes were killed there; a service was then denied for a minute, twice in whole
    runs, at another test each time.
    """
    os.environ["ROS_DOMAIN_ID"] = str(20 + (os.getpid() + next(_tests)) % 80)


class Goal:
    """A goal of ~/refine: what was said of it, and how it ended."""

    def __init__(self, client: ActionClient, wait_until, object_id: str, budget_s: float):
        self.feedback: list[Refine.Feedback] = []
        self._wait_until = wait_until
        sent = client.send_goal_async(
            Refine.Goal(object_id=object_id, budget_s=budget_s),
            feedback_callback=lambda message: self.feedback.append(message.feedback),
        )
        wait_until(sent.done, "the goal is not answered")
        self._handle = sent.result()
        assert self._handle.accepted
        self._result = self._handle.get_result_async()

    def end(self, *, patience: float = 60.0) -> tuple[int, Refine.Result]:
        """Status and result, once they are there."""
        self._wait_until(self._result.done, "the goal does not end", patience=patience)
        return self._result.result().status, self._result.result().result

    def runs(self) -> None:
        """Returns when there was feedback."""
        self._wait_until(lambda: self.feedback, "no feedback")

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._result.done()

    def cancel(self) -> None:
        """Asks for its end."""
        answered = self._handle.cancel_goal_async()
        self._wait_until(answered.done, "the cancellation is not answered")


@pytest.fixture
def refine(robot, wait_until):
    """Sends goals."""
    client = ActionClient(robot.node, Refine, "recon/refine")

    def send(object_id: str = "object_001", *, budget_s: float = 0.0) -> Goal:
        assert client.wait_for_server(60.0), "there is no action ~/refine"
        return Goal(client, wait_until, object_id, budget_s)

    yield send
    client.destroy()


@pytest.fixture
def processes(monkeypatch) -> list[RefinerProcess]:
    """The processes of the test's nodes, which count steps."""
    made = []

    def make() -> RefinerProcess:
        made.append(RefinerProcess((sys.executable, "-P", str(STAND_IN))))
        return made[-1]

    monkeypatch.setattr(pipeline, "RefinerProcess", make)
    return made


@pytest.fixture
def start(start_node, processes, tmp_path):
    """Starts a node that refines for so many steps; see `refine.steps`."""

    def start_refining(*, steps: int = 30, **parameters: object) -> object:
        values = {
            "refine.steps": steps,
            "refine.budget": 0.0,
            "refine.checkpoint_directory": str(tmp_path / "checkpoints"),
        }
        return start_node(**(values | parameters))

    return start_refining
