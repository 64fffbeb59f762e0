# SPDX-License-Identifier: Apache-2.0
"""The launch files start what they say, with the arguments they are given, and end on SIGINT.

launch is not on PyPI and the files start installed executables, so this needs a sourced
distribution and a workspace that colcon built. docs/ros.md says where it was run.
"""

import importlib.util
import os
import signal
import subprocess
import sys

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2, see docs/ros.md")

from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # noqa: E402
from rclpy.duration import Duration  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.slow]
DEADLINE = 60.0  # for a node to become active; the engine may still load [s]
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription

path, *arguments = sys.argv[1:]
pairs = [tuple(argument.split(":=", 1)) for argument in arguments]
service = LaunchService(noninteractive=True)
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(path, launch_arguments=pairs)])
)
sys.exit(service.run())
"""


def _installed_launch_folder() -> str | None:
    """Where colcon put the launch files; None where there is no launch or no workspace."""
    if importlib.util.find_spec("launch_ros") is None:
        return None
    try:
        prefix = get_package_prefix("recon")
    except PackageNotFoundError:
        return None
    installed = os.path.exists(f"{prefix}/lib/recon/recon_node")
    return f"{prefix}/share/recon/launch" if installed else None


FOLDER = _installed_launch_folder()
needs_launch = pytest.mark.skipif(
    FOLDER is None, reason="needs launch_ros (not on PyPI) and a workspace with recon, both sourced"
)


def _spin_until(node, condition):
    executor = rclpy.executors.SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    end = node.get_clock().now() + Duration(seconds=DEADLINE)
    while not condition() and node.get_clock().now() < end:
        executor.spin_once(timeout_sec=0.1)
    executor.remove_node(node)
    executor.shutdown()
    assert condition()


def _call(node, kind, name, request):
    """The answer of a service that appears within the deadline."""
    client = node.create_client(kind, name)
    _spin_until(node, client.service_is_ready)
    future = client.call_async(request)
    _spin_until(node, future.done)
    node.destroy_client(client)
    return future.result()


def _wait_until_active(node, name):
    from lifecycle_msgs.srv import GetState

    end = node.get_clock().now() + Duration(seconds=DEADLINE)
    label = ""
    while label != "active":
        assert node.get_clock().now() < end, f"{name} is {label}"
        label = _call(node, GetState, f"{name}/get_state", GetState.Request()).current_state.label


def _parameters(node, name, names):
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    request = GetParameters.Request(names=names)
    answer = _call(node, GetParameters, f"{name}/get_parameters", request)
    return dict(zip(names, map(parameter_value_to_python, answer.values), strict=True))


@pytest.fixture
def launched():
    """Starts a launch file; ends it with SIGINT, and nothing may be left."""
    processes = []

    def start(name: str, *arguments: str) -> None:
        command = [sys.executable, "-c", LAUNCH, f"{FOLDER}/{name}", *arguments]
        processes.append(subprocess.Popen(command, start_new_session=True))

    yield start
    for process in processes:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


@needs_launch
def test_arguments_reach_the_node(node, launched, tmp_path):
    """Prefer an argument to the file, and that to the default; remap; use a namespace."""
    params = tmp_path / "params.yaml"
    params.write_text("/**:\n  ros__parameters:\n    engine: compact\n    max_objects: 5\n")
    launched(
        "recon.launch.py",
        f"params_file:={params}",
        "engine:=hull",
        "namespace:=arm",
        "image:=/wrist/image",
        "mask:=masks",
        "log_level:=warn",
    )
    _wait_until_active(node, "/arm/recon")
    assert _parameters(node, "/arm/recon", ["engine", "max_objects", "use_sim_time"]) == {
        "engine": "hull",
        "max_objects": 5,
        "use_sim_time": False,
    }
    for topic in ("/wrist/image", "/arm/masks", "/arm/camera_info"):
        assert node.count_subscribers(topic) == 1, topic


@needs_launch
def test_autostart_can_be_left_to_others(node, launched):
    """Stay unconfigured where the argument says so, whatever the file says."""
    from lifecycle_msgs.srv import GetState

    launched("recon.launch.py", "autostart:=false", "use_sim_time:=true")
    parameters = _parameters(node, "/recon", ["autostart", "use_sim_time"])
    assert parameters == {"autostart": False, "use_sim_time": True}
    answer = _call(node, GetState, "/recon/get_state", GetState.Request())
    assert answer.current_state.label == "unconfigured"


@needs_launch
def test_demo_makes_meshes(node, launched):
    """Receive the mesh of an object that the synthetic camera sees, in the frame of the world."""
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from recon.msg import ObjectMesh

    meshes = []
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(ObjectMesh, "/recon/objects", meshes.append, latched)
    launched("demo.launch.py", "engine:=hull", "rviz:=false")
    _wait_until_active(node, "/recon")
    _spin_until(node, lambda: bool(meshes))
    assert meshes[0].triangle_count > 0
    assert meshes[0].header.frame_id in ("world", "map")
