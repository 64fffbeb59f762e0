# SPDX-License-Identifier: Apache-2.0
"""`recon node` as real processes: how it starts, ends, is killed, and outlives others.

Nothing here asserts a duration; docs/benchmarks/node.json has how long the node takes to end.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

HANG = 60.0  # [s] after which a process that should end is killed and the test fails
LABELS = tuple(range(1, 13))  # so many objects that the worker has something to do


@pytest.fixture
def start(tmp_path):
    """Starts processes of this Python, each with a log; what still runs at the end is killed."""
    processes = []

    def start_process(*arguments: str, **environment: str) -> subprocess.Popen:
        log = tmp_path / f"{len(processes)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
        process.log = log
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def start_node(start):
    """Starts `recon node` with parameters and other arguments of ROS."""

    def start_recon(*ros_args: str, environment=None, **parameters: object) -> subprocess.Popen:
        values = {"engine": "hull", "min_interval": 0.0, "diagnostics_period": 0.1} | parameters
        words = [w for name, value in values.items() for w in ("-p", f"{name}:={value}")]
        command = ("recon_node", "node", "--ros-args", *words, *ros_args)
        return start(*command, **(environment or {}))

    return start_recon


@pytest.fixture
def start_camera(start):
    """Starts the synthetic camera, its images small enough to arrive without a profile of DDS."""
    parameters = ("rate:=10.0", "width:=96", "height:=72")
    words = [word for parameter in parameters for word in ("-p", parameter)]
    return lambda: start("recon_node.camera_node", "--ros-args", *words)


@pytest.fixture
def send_until(scene, wait_until):
    """Sends scenes to a node, which may lose the first ones, until a condition holds."""

    def send(robot, condition, what, **options) -> None:
        shift = 0

        def sent_enough() -> bool:
            nonlocal shift
            if condition():
                return True
            shift += 1
            robot.send(**scene(100.0 + 0.1 * shift, shift=10 * (shift % 2), **options))
            return False

        wait_until(sent_enough, what)

    return send


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Exit code and what it printed."""
    code = process.wait(HANG)
    return code, Path(process.log).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["idle", "loading", "working"])
def test_ends_when_asked(start_node, robot, send_until, wait_until, tmp_path, number, busy):
    """End with exit code 0 and without complaint, whatever the worker is at."""
    kernels = tmp_path / "kernels"
    environment = {"WARP_CACHE_PATH": str(kernels)} if busy == "loading" else {}
    engine = "hull" if busy == "idle" else "compact"
    process = start_node(engine=engine, environment=environment)
    if busy == "loading":
        wait_until(lambda: any(kernels.rglob("*.cpp")), "kernels are compiled")
    else:
        robot.status_where(lambda s: s.engine_ready, "the engine is ready")
    if busy == "working":
        send_until(robot, lambda: robot.statuses[-1].queue_length > 3, "work", labels=LABELS)
    process.send_signal(number)
    code, printed = ended(process)
    assert code == 0, printed
    assert "Traceback" not in printed and "rror" not in printed


@pytest.mark.parametrize(
    "name, value, complaint",
    [
        ("engine", "nonsense", "unknown engine 'nonsense'"),
        ("max_objects", "0", "max_objects"),
        ("slop", "abc", "slop"),
    ],
)
def test_nonsense_at_the_start_is_refused(start_node, name, value, complaint):
    """End with exit code 2 and one line that names the parameter."""
    code, printed = ended(start_node(**{name: value}))
    assert code == 2, printed
    assert len(printed.splitlines()) == 1
    assert printed.startswith("recon: error: ") and complaint in printed


@pytest.mark.parametrize("content", [None, "recon: [", "- just a list"])
def test_params_file_that_cannot_be_read(start_node, tmp_path, content):
    """End with exit code 2 and one line of ours, after rcl's, that names the file."""
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_text(content)
    code, printed = ended(start_node("--params-file", str(path)))
    assert code == 2, printed
    (line,) = (line for line in printed.splitlines() if "[rcl]" not in line)
    assert line.startswith("recon: error: ") and "params.yaml" in line


@pytest.mark.slow
def test_outlives_its_camera(start_node, start_camera, robot):
    """Say what is missing when the camera was killed, and go on with another one."""
    start_node()
    camera = start_camera()
    robot.status_where(lambda s: s.results > 0, "meshes of the first camera")
    camera.kill()
    status = robot.status_where(lambda s: "image: none for" in s.waiting_for, "what is missing")
    assert status.state == "active" and "mask: none for" in status.waiting_for
    start_camera()
    robot.status_where(
        lambda s: s.results > status.results and not s.waiting_for, "meshes of the second camera"
    )


@pytest.mark.slow
def test_starts_again_after_it_was_killed(start_node, robot, send_until):
    """Serve the same robot, from version 1 on."""
    process = start_node()
    send_until(robot, lambda: robot.objects, "no mesh of the first node")
    process.kill()
    process.wait()
    robot.objects.clear()
    robot.statuses.clear()
    start_node()
    robot.status_where(lambda s: s.engine_ready and s.frames == 0, "the second node")
    send_until(robot, lambda: robot.objects, "no mesh of the second node")
    assert robot.objects[0].version == 1


@pytest.mark.slow
def test_namespaces_are_kept_apart(start_node, make_robot, send_until):
    """Give each of two nodes its own images only."""
    robots = {}
    for name in ("left", "right"):
        start_node("-r", f"__ns:=/{name}")
        robots[name] = make_robot(namespace=name)
        robots[name].status_where(lambda s: s.engine_ready, f"{name} is ready")
    for name, label in (("left", 1), ("right", 2)):
        send_until(robots[name], lambda r=robots[name]: r.objects, name, labels=(label,))
    for name, label in (("left", 1), ("right", 2)):
        robots[name].status_where(lambda s: s.results > 0, "a result")
        assert {m.object_id for m in robots[name].objects} == {f"object_00{label}"}
