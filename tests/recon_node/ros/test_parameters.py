# SPDX-License-Identifier: Apache-2.0
"""Parameters over DDS: described, checked when they change, live where that makes sense."""

import pytest
from rcl_interfaces.srv import DescribeParameters, ListParameters

from recon_node.node_config import NodeConfig

pytestmark = pytest.mark.ros


def ask(robot, wait_until, kind, service, **fields):
    """The response of one of the node's own services for parameters."""
    client = robot.node.create_client(kind, f"recon/{service}")
    assert client.wait_for_service(10.0)
    future = client.call_async(kind.Request(**fields))
    wait_until(future.done, f"{service} does not answer")
    return future.result()


def test_all_are_declared_and_described(start_node, robot, wait_until):
    """Declare what the configuration has, with its sentence and range."""
    start_node()
    names = ask(robot, wait_until, ListParameters, "list_parameters").result.names
    options, defaults = NodeConfig().options(), NodeConfig().values()
    assert set(options) <= set(names)
    described = ask(robot, wait_until, DescribeParameters, "describe_parameters", names=[*options])
    for descriptor in described.descriptors:
        told = options[descriptor.name]
        assert descriptor.description == told.description
        if type(defaults[descriptor.name]) is int:
            (limits,) = descriptor.integer_range
        elif type(defaults[descriptor.name]) is float:
            (limits,) = descriptor.floating_point_range
        else:
            assert all(choice in descriptor.additional_constraints for choice in told.choices)
            continue
        assert (limits.from_value, limits.to_value) == (told.low, told.high)


def test_live_ones_change_at_once(start_node, robot, scene):
    """Take over a new limit while the node works."""
    start_node(change_threshold=0.0)
    assert robot.set(max_objects=1).successful
    robot.send(**scene(1.0, labels=(1, 2)))
    robot.drops("too_many_objects")
    assert robot.set(max_objects=2).successful
    robot.send(**scene(2.0, labels=(1, 2)))
    robot.object("object_002")


@pytest.mark.parametrize(
    "values, reason",
    [
        ({"engine": "compact"}, "engine cannot change while the node is configured"),
        ({"max_objects": -1}, "range"),
        ({"min_interval": float("nan")}, "min_interval"),
        ({"mesh_resource": "elsewhere"}, "unknown mesh_resource 'elsewhere'"),
        ({"min_interval": "soon"}, "type"),
    ],
)
def test_others_are_refused_with_a_reason(start_node, robot, values, reason):
    """Leave the value as it was, and say why."""
    start_node()
    result = robot.set(**values)
    assert not result.successful and reason in result.reason
    assert robot.state() == "active"


def test_all_change_before_configure(start_node, robot, scene):
    """Take any valid value while the node is unconfigured."""
    start_node(engine="compact", autostart=False)
    assert not robot.set(engine="nonsense").successful
    assert robot.set(engine="hull").successful
    assert robot.change("configure") and robot.change("activate")
    robot.send(**scene(1.0))
    assert robot.object("object_001").engine == "hull"
