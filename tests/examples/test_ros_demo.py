# SPDX-License-Identifier: Apache-2.0
"""The demo's last part: three processes over DDS, and how it ends when something is wrong."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 100.0  # [s]


def _start(tmp_path: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / "ros_demo.py"), "--out", "out/ros", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(code: str, folder: Path) -> subprocess.CompletedProcess:
    """What came of code that may import the examples."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.ros
@pytest.mark.slow
def test_every_object_arrives(tmp_path):
    """Run it with the hull: six meshes of the right sizes, both processes end well, a picture."""
    process = _start(tmp_path, "--engine", "hull")
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output + errors
    lines = re.findall(
        r"(object_\d{3})  version \d+ +(\d+) x +(\d+) x +(\d+) mm +\d+ triangles", output
    )
    longest = {line[0]: max(map(int, line[1:])) for line in lines}
    assert sorted(longest) == [f"object_00{n}" for n in range(1, 7)]
    assert 60 < longest["object_005"] < 130 < longest["object_003"] < 330  # apple, bottle [mm]
    assert "ended: camera with exit code 0, node with exit code 0" in output
    with Image.open(tmp_path / "out" / "ros" / "demo.png") as picture:
        panels = np.asarray(picture.convert("RGB"), np.float32)
    middle = panels.shape[1] // 2
    for panel in (panels[60:, 20 : middle - 20], panels[60:, middle + 20 : -20]):
        assert panel.std() > 10


@pytest.mark.ros
def test_node_that_ends_is_reported(tmp_path):
    """End with 1, quickly and with the node's own words, where the engine is unknown."""
    process = _start(tmp_path, "--engine", "compcat")
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, output + errors
    assert "0 of 6 objects arrived" in output and "did you mean 'compact'" in output


@pytest.mark.ros
def test_asked_to_end_it_stops_its_processes(tmp_path):
    """Take SIGTERM as a wish to end: camera and node end with it."""
    process = _start(tmp_path, "--engine", "hull")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + PATIENCE
    while len(pids := children.read_text().split()) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_wish_to_end_is_kept_where_it_is_swallowed(tmp_path):
    """End with 143 also where SIGTERM came while somebody caught whatever was raised."""
    code = """
import os, signal, time
from pathlib import Path
from ros_demo import running
with running({"sleeper": ["timeit", "-s", "import time", "time.sleep(60)"]}, Path(), {}) as started:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    except BaseException:
        started["sleeper"].wait(30)
"""
    run = _run(code, tmp_path)
    assert run.returncode == 143, run.stderr


def test_without_ros_it_says_so(tmp_path):
    """End with 0 and one line that says how to get ROS 2."""
    code = """
import sys
sys.modules["rclpy"] = None
from pathlib import Path
from ros_demo import run_ros_demo
sys.exit(run_ros_demo(Path("out")))
"""
    run = _run(code, tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("left out, for there is no ROS 2 here")
    assert run.stdout.count("\n") == 1 and "make demo" in run.stdout
    assert not (tmp_path / "out").exists()
