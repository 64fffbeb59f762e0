# SPDX-License-Identifier: Apache-2.0
"""The synthetic camera's node as a process of its own, heard over DDS."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from recon_node.messages.cameras import camera_of
from recon_node.messages.depths import depth_image
from recon_node.messages.images import color_image, compressed_image, label_image
from recon_node.messages.poses import transform_of
from recon_node.messages.stamps import stamp_ns
from recon_node.synthetic_camera import CameraConfig, SyntheticCamera

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # of ROS's own imports
]

TOPICS = ("image", "image/compressed", "mask", "depth", "camera_info", "camera_pose")
PATIENCE = 60.0  # [s]


@contextlib.contextmanager
def _process(*parameters: str):
    """The node in a process, stopped by SIGINT (or, at last, killed)."""
    options = [word for parameter in parameters for word in ("-p", parameter)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "recon_node.camera_node", "--ros-args", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture
def listener(monkeypatch):
    """A node of its own context, in a domain that this process has for itself."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", os.environ.get("ROS_DOMAIN_ID") or str(os.getpid() % 100))
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.spin_until = lambda done: _spin_until(executor, done)
    yield node
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def _spin_until(executor, done) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "nothing arrived in time"
        executor.spin_once(timeout_sec=0.1)


def _subscribe(node, topics) -> dict[str, dict[int, object]]:
    from geometry_msgs.msg import PoseStamped
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image

    kinds = {
        "camera_pose": PoseStamped,
        "camera_info": CameraInfo,
        "image/compressed": CompressedImage,
    }
    received = {topic: {} for topic in topics}
    for topic in topics:

        def keep(message, kept=received[topic]):
            kept[stamp_ns(message.header)] = message

        node.create_subscription(kinds.get(topic, Image), topic, keep, 5)
    return received


def test_topics_are_one_frame(listener):
    """Receive six topics of one stamp that tell of the table what the camera itself says."""
    received = _subscribe(listener, TOPICS)

    def common() -> set[int]:
        return set.intersection(*(set(messages) for messages in received.values()))

    small = ("width:=160", "height:=120", "noise:=0.0", "moving:=false", "compressed:=true")
    with _process(*small, "rate:=20.0") as process:
        listener.spin_until(lambda: len(common()) >= 3)
    assert process.returncode == 0  # after SIGINT
    first = {topic: received[topic][min(common())] for topic in TOPICS}
    assert {first[topic].header.frame_id for topic in TOPICS[:-1]} == {"camera_optical_frame"}
    assert first["camera_pose"].header.frame_id == "world"

    config = CameraConfig(width=160, height=120, noise=0.0, moving=False)
    frame = SyntheticCamera(config).render(0.0)
    np.testing.assert_array_equal(color_image(first["image"]), frame.color)
    labels = label_image(first["mask"])
    np.testing.assert_array_equal(labels.pixels, frame.labels)
    assert labels.values == (1, 2, 3, 4, 5, 6)
    depth = depth_image(first["depth"])
    np.testing.assert_allclose(depth, frame.depth, atol=0.00051)  # whole millimetres
    T_world_camera = transform_of(first["camera_pose"].pose)
    np.testing.assert_allclose(T_world_camera, frame.T_world_camera, atol=1e-9)
    np.testing.assert_allclose(camera_of(first["camera_info"]).K, frame.camera.K)
    loss = compressed_image(first["image/compressed"]).astype(int) - frame.color
    assert 0 < np.abs(loss).mean() < 4


def test_camera_moves(listener):
    """See the pose move on while nobody listens to images."""
    received = _subscribe(listener, ["camera_pose"])["camera_pose"]
    with _process("rate:=20.0") as process:
        listener.spin_until(lambda: len(received) >= 5)
    assert process.returncode == 0
    places = [transform_of(received[stamp].pose)[:3, 3] for stamp in sorted(received)]
    assert (np.linalg.norm(np.diff(places, axis=0), axis=1) > 1e-4).all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_when_asked(listener, number):
    """End with exit code 0 and without complaint in the middle of publishing."""
    received = _subscribe(listener, ["image"])["image"]
    with _process("rate:=60.0", "width:=160", "height:=120") as process:
        listener.spin_until(lambda: len(received) >= 3)
        process.send_signal(number)
        _, printed = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in printed and "rror" not in printed


def test_parameters_are_described(listener):
    """Ask the running node for its parameters: each has a description, numbers have a range."""
    from rcl_interfaces.srv import DescribeParameters

    client = listener.create_client(DescribeParameters, "/synthetic_camera/describe_parameters")
    names = list(CameraConfig.__dataclass_fields__)
    with _process("rate:=2.0"):
        listener.spin_until(client.service_is_ready)
        future = client.call_async(DescribeParameters.Request(names=names))
        listener.spin_until(future.done)
    described = {item.name: item for item in future.result().descriptors}
    assert set(described) == set(names)
    assert all(item.description.endswith(".") for item in described.values())
    assert all(item.read_only for item in described.values())
    assert described["rate"].floating_point_range[0].to_value == 60.0
    assert described["width"].integer_range[0].from_value == 16


def test_nonsense_ends_with_a_sentence():
    """Refuse a rate of zero with exit code 1 and its range, not with a traceback."""
    run = subprocess.run(
        [sys.executable, "-P", "-m", "recon_node.camera_node", "--ros-args", "-p", "rate:=0.0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 1
    assert "synthetic_camera: " in run.stderr and "Traceback" not in run.stderr
