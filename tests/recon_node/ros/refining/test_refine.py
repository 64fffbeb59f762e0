# SPDX-License-Identifier: Apache-2.0
"""The action ~/refine over real DDS, and what becomes of refined versions.

But for one test the refiner only counts steps: the process, the node and DDS around it are real,
and a step takes a hundredth of a second.
"""

import os
import signal
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from recon.msg import ObjectMesh

pytestmark = pytest.mark.ros

LONG = 10**6  # steps: until somebody ends it
ABORTED, CANCELED, SUCCEEDED = (
    GoalStatus.STATUS_ABORTED,
    GoalStatus.STATUS_CANCELED,
    GoalStatus.STATUS_SUCCEEDED,
)


def wait_for(robot, wait_until, condition) -> ObjectMesh:
    """The first mesh that fulfils the condition, once it has come."""

    def found() -> list[ObjectMesh]:
        return [message for message in list(robot.objects) if condition(message)]

    wait_until(found, "no such mesh")
    return found()[0]


def test_goal_brings_versions(start, robot, refine, scene):
    """Hear how far it is, and get versions that name their parent."""
    start()
    robot.send(**scene(1.0))
    first = robot.object("object_001")
    goal = refine()
    status, result = goal.end()
    assert (status, result.success, result.message) == (SUCCEEDED, True, "1 views")
    assert result.object.version == 4 and result.object.stage == result.object.STAGE_REFINED
    assert goal.feedback[0].step == 1 and goal.feedback[0].psnr == 20.0
    assert goal.feedback[0].loss_names == ["photometric"] and list(goal.feedback[0].losses) == [1.0]
    for version in (2, 3, 4):
        message = robot.object("object_001", version=version)
        assert (message.parent_version, message.stage) == (1, message.STAGE_REFINED)
        assert message.header == first.header and message.label == first.label
    assert [message.version for message in robot.objects] == [1, 2, 3, 4]
    robot.status_where(lambda s: s.refined == 3 and not s.refining, "three versions")


def test_refiner_itself_serves(start_node, robot, refine, ball, tmp_path):
    """Run the refiner over three views; what it publishes is refined from what was there."""
    start_node(
        **{
            "refine.steps": 20,
            "refine.budget": 0.0,
            "refine.checkpoint_directory": str(tmp_path),
        }
    )
    for number, angle in enumerate((0.0, 0.4, 0.8)):
        robot.send(**ball(1.0 + number, angle=angle))
        first = robot.object("object_001", version=1 + number)
    status, result = refine().end(patience=600.0)  # a nice process, and torch to be loaded
    assert status == SUCCEEDED, result.message
    refined = [message for message in robot.objects if message.version > 3]
    assert result.success == bool(refined)
    assert refined, result.message
    for message in refined:
        assert (message.parent_version, message.stage) == (3, message.STAGE_REFINED)
        assert message.watertight
        assert message.view_count in (2, 3)  # the last one may come too late for the turn
        assert message.pose == first.pose and message.header == first.header
    assert not list(tmp_path.iterdir())


def test_status_shows_what_is_refined(start, robot, refine, scene):
    """Name the object, its step, its losses, and what waits."""
    start(steps=LONG)
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.object("object_002")
    goals = [refine("object_001"), refine("object_002")]
    goals[0].runs()
    status = robot.status_where(lambda s: s.refine_step > 0, "steps")
    assert (status.refining, status.refine_queue_length) == ("object_001", 1)
    assert status.refine_psnr == 20.0 and status.refine_loss_names == ["photometric"]
    values = {value.key: value.value for value in robot.diagnostics[-1].status[0].values}
    assert values["refining"].startswith("object_001")
    assert not goals[1].feedback
    goals[0].cancel()
    goals[1].runs()
    goals[1].cancel()


@pytest.mark.parametrize(
    "parameters, object_id, budget_s, reason",
    [
        ({}, "object_007", 0.0, "unknown object 'object_007'; known: object_001"),
        ({"refine.mode": "off"}, "object_001", 0.0, "refining is off: set the parameter"),
        ({}, "object_001", -1.0, "budget is -1; it must lie in"),
    ],
)
def test_goals_that_cannot_be_served_say_why(
    start, robot, refine, scene, parameters, object_id, budget_s, reason
):
    """Abort at once: a rejected goal of ROS has no message."""
    start(**parameters)
    robot.send(**scene(1.0))
    robot.object("object_001")
    status, result = refine(object_id, budget_s=budget_s).end()
    assert status == ABORTED and not result.success and reason in result.message


def test_goal_of_an_inactive_node_says_so(start, robot, refine):
    start(autostart=False)
    assert robot.change("configure")
    status, result = refine().end()
    assert status == ABORTED and "activate it first" in result.message


def test_cancel_ends_within_a_step(start, robot, refine, scene, tmp_path):
    """End as cancelled, with the newest version, and keep the state."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    goal = refine()
    robot.object("object_001", version=2)
    goal.cancel()
    status, result = goal.end()
    assert (status, result.message) == (CANCELED, "cancelled") and result.object.version >= 2
    assert int((tmp_path / "checkpoints" / "object_001.checkpoint").read_text()) >= 10
    robot.status_where(lambda s: not s.refining, "rest")


def test_two_goals_for_one_object_share_the_work(start, robot, refine, scene):
    """Let the second join the first; the work ends when nobody waits for it any more."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    first, second = refine(), refine()
    first.runs()
    second.runs()
    first.cancel()
    status, result = first.end()
    assert status == CANCELED and "goes on for another goal" in result.message
    assert not second.is_over
    second.cancel()
    assert second.end()[0] == CANCELED


def test_two_goals_for_two_objects_take_turns(start, robot, refine, scene):
    """Serve them in order; one that waits can be cancelled as well."""
    start(steps=30)
    robot.send(**scene(1.0, labels=(1, 2, 3)))
    robot.object("object_003")
    goals = [refine(f"object_00{label}") for label in (1, 2, 3)]
    goals[2].cancel()
    assert [goal.end()[0] for goal in goals] == [SUCCEEDED, SUCCEEDED, CANCELED]
    assert {m.object_id for m in robot.objects if m.version > 1} == {"object_001", "object_002"}


def test_death_of_the_process_is_survived(start, robot, refine, scene, processes, wait_until):
    """Abort with the reason, report it, and refine the next time."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    goal = refine()
    goal.runs()
    os.kill(processes[0].pid, signal.SIGKILL)
    status, result = goal.end()
    assert status == ABORTED and "ended by SIGKILL (out of memory?" in result.message
    robot.status_where(lambda s: "object_001 is not refined" in s.last_error, "the error")
    robot.send(**scene(2.0, labels=(2,)))
    robot.object("object_002")
    again = refine("object_002")
    again.runs()
    again.cancel()


def test_cleared_object_ends_its_goal(start, robot, refine, scene):
    """Publish nothing of an object that is gone."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    goal = refine()
    goal.runs()
    assert robot.call("clear").success
    status, result = goal.end()
    assert (status, result.message) == (ABORTED, "the object is gone")
    assert not result.object.object_id
    removed = next(m for m in robot.objects if m.operation == m.REMOVE)
    assert robot.objects[-1] is removed


def test_deactivating_ends_goals(start, robot, refine, scene):
    """Answer those who wait, and serve again after activate."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    goals = [refine(), refine()]
    goals[0].runs()
    assert robot.change("deactivate")
    for goal in goals:
        status, result = goal.end()
        assert (status, result.message) == (ABORTED, "the node was deactivated")
    assert robot.change("activate")
    goal = refine()
    goal.runs()
    goal.cancel()
    assert goal.end()[0] == CANCELED


@pytest.mark.parametrize("transition", ["shutdown", "cleanup"])
def test_shutdown_in_the_middle_is_clean(
    start, robot, refine, scene, processes, wait_until, tmp_path, transition
):
    """Keep the checkpoint, and leave no process."""
    start(steps=LONG)
    robot.send(**scene(1.0))
    robot.object("object_001")
    refine().runs()
    pid = processes[0].pid
    if transition == "cleanup":
        assert robot.change("deactivate")
    assert robot.change(transition)
    checkpoint = tmp_path / "checkpoints" / "object_001.checkpoint"
    wait_until(checkpoint.exists, "no checkpoint")
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the process is left")


def test_refined_mesh_stays_until_the_object_moves(start, robot, refine, ball):
    """Do not replace it by one view's mesh, until that shows the object elsewhere."""
    start()
    robot.send(**ball(1.0))
    robot.object("object_001")
    refine().end()
    robot.send(**ball(2.0, angle=0.4))  # it looks different, but is where it was
    robot.drops("refined")
    assert robot.objects[-1].version == 4
    for stamp in (3.0, 4.0):
        robot.send(**ball(stamp, x=0.08))
    message = robot.object("object_001", version=5)
    assert message.stage == message.STAGE_HULL and message.parent_version == 0
    assert message.header.stamp.sec == 4 and message.pose.position.x > 0.04


def test_turn_begins_anew_where_the_object_moves(start, robot, refine, ball, wait_until):
    """Go on for the goal from the new place; nothing of the old place comes after it."""
    start(steps=LONG)
    robot.send(**ball(1.0))
    robot.object("object_001")
    goal = refine()
    robot.object("object_001", version=3)
    for stamp in (2.0, 3.0):
        robot.send(**ball(stamp, x=0.08))
    moved = wait_for(robot, wait_until, lambda m: m.pose.position.x > 0.04)
    assert moved.stage == moved.STAGE_HULL
    refined = wait_for(robot, wait_until, lambda m: m.parent_version == moved.version)
    assert refined.pose == moved.pose
    assert not goal.is_over
    after = robot.objects[robot.objects.index(moved) :]
    assert all(message.pose == moved.pose for message in after)
    goal.cancel()
    assert goal.end()[0] == CANCELED


def test_object_pushed_to_the_border_is_not_left_behind(start, robot, refine, ball, wait_until):
    """Give up a refined mesh even where the views of the new place are cut by the picture."""
    start()
    robot.send(**ball(1.0))
    robot.object("object_001")
    refine().end()
    for stamp in (2.0, 3.0, 4.0):
        robot.send(**ball(stamp, x=0.24 + 0.002 * stamp))
    message = wait_for(robot, wait_until, lambda m: m.version > 4)
    assert message.stage == message.STAGE_HULL and message.pose.position.x > 0.1


def test_requested_reconstruction_replaces_a_refined_mesh(start, robot, refine, scene):
    """Do what ~/reconstruct was asked to."""
    start()
    robot.send(**scene(1.0))
    robot.object("object_001")
    refine().end()
    assert robot.call("reconstruct").success
    assert robot.object("object_001", version=5).stage == 0


def test_continuous_mode_refines_what_was_seen_anew(start, robot, ball):
    """Refine without being asked, as soon as there are two views that differ."""
    start(**{"refine.mode": "continuous"})
    robot.send(**ball(1.0))
    robot.object("object_001")
    robot.send(**ball(2.0, angle=0.4))
    message = robot.object("object_001", version=3)
    assert message.stage == message.STAGE_REFINED and message.parent_version == 2
    assert message.view_count == 2 and message.header.stamp.sec == 2
    assert robot.set(**{"refine.mode": "off"}).successful
    robot.status_where(lambda s: not s.refining, "rest")


def test_request_goes_before_what_nobody_asked_for(start, robot, refine, scene, ball):
    """End the turn of another object for it, which has its own afterwards."""
    start(steps=LONG, **{"refine.mode": "continuous"})
    robot.send(**scene(1.0, labels=(2,)), camera_pose=ball(1.0)["camera_pose"])
    robot.object("object_002")
    robot.send(**ball(2.0))
    robot.object("object_001")  # or the next frame may take this one's place
    robot.send(**ball(3.0, angle=0.4))
    robot.status_where(lambda s: s.refining == "object_001", "an object is refined")
    goal = refine("object_002")
    goal.runs()
    assert robot.status_where(lambda s: s.refine_step > 0, "steps").refining == "object_002"
    goal.cancel()
    robot.status_where(lambda s: s.refining == "object_001", "the first one goes on")
