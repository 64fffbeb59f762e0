# SPDX-License-Identifier: Apache-2.0
"""The node's lifecycle over real DDS: every transition, and what happens when one cannot work."""

import contextlib
import dataclasses
import threading

import pytest

from recon_node.engines.hull import HullEngine
from recon_node.engines.loading import EngineConfig

pytestmark = pytest.mark.ros


class GatedEngine:
    """The hull engine behind a gate, or one that fails."""

    name = "compact"
    weights_note = "no weights"

    def __init__(self):
        self.gate, self.entered = threading.Event(), threading.Event()
        self.error = None

    def reconstruct(self, views, *, object_id="object"):
        """The hull's answer once the gate is open."""
        self.entered.set()
        assert self.gate.wait(30.0)
        if self.error is not None:
            raise self.error
        result = HullEngine().reconstruct(views, object_id=object_id)
        return dataclasses.replace(result, engine=self.name)


@pytest.fixture
def gated(monkeypatch):
    """The engine that every node of the test loads."""
    engine = GatedEngine()
    monkeypatch.setattr(EngineConfig, "load", lambda config, options: engine)
    yield engine
    engine.gate.set()


def test_starts_by_itself_and_reconstructs(start_node, robot, scene):
    """Become active without being told, and turn a frame into one message for each object."""
    start_node()
    robot.send(**scene(1.0, labels=(1, 7)))
    for label in (1, 7):
        message = robot.object(f"object_{label:03d}")
        assert (message.label, message.operation, message.version) == (label, message.ADD, 1)
        assert message.header.frame_id == "camera_optical_frame"
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 0)
        assert message.watertight and message.scale_source == message.SCALE_DEPTH
        assert 0.45 < message.pose.position.z < 0.7
        assert 0.05 < message.dimensions.y < 0.3
        assert len(message.vertices) == 3 * message.vertex_count > 0
    assert robot.state() == "active"


def test_walks_through_every_transition(start_node, robot, scene):
    """Configure, activate, deactivate, clean up, twice over, and shut down."""
    start_node(autostart=False)
    assert robot.state() == "unconfigured"
    for round_number in (1, 2):
        assert robot.change("configure") and robot.state() == "inactive"
        assert robot.change("activate") and robot.state() == "active"
        robot.objects.clear()
        robot.send(**scene(float(round_number)))
        robot.object("object_001")
        assert robot.change("deactivate") and robot.state() == "inactive"
        assert robot.change("cleanup") and robot.state() == "unconfigured"
    assert robot.change("shutdown") and robot.state() == "finalized"


@pytest.mark.parametrize("start", ["unconfigured", "inactive", "active"])
def test_shuts_down_from_every_state(start_node, robot, start):
    """Free everything, whatever the node was doing."""
    start_node(autostart=start == "active")
    if start == "inactive":
        assert robot.change("configure")
    assert robot.change("shutdown")
    assert robot.state() == "finalized"
    robot.status_where(lambda status: status.state == "finalized", "finalized")


@pytest.mark.parametrize(
    "state, transition", [("unconfigured", "activate"), ("active", "cleanup"), ("active", "fly")]
)
def test_survives_transitions_the_state_does_not_have(start_node, robot, state, transition):
    """Refuse it, say so, and go on."""
    start_node(autostart=state == "active")
    assert not robot.change(transition)
    assert robot.state() == state


def test_missing_weights_fail_configure(start_node, robot, tmp_path):
    """Stay unconfigured, name the path, and configure once it is corrected."""
    start_node(engine="compact", weights=str(tmp_path / "nowhere"))
    status = robot.status_where(lambda status: status.last_error, "the error")
    assert "there is nothing at" in status.last_error and "nowhere" in status.last_error
    assert status.state == "unconfigured"
    assert not robot.change("configure")
    assert robot.set(weights="").successful
    assert robot.change("configure") and robot.change("activate")
    assert robot.state() == "active"


def test_failed_configure_leaves_nothing_behind(start_node, robot, scene, tmp_path):
    """Take down what was there already when a later part fails; configure again afterwards."""
    (tmp_path / "file").touch()
    node = start_node(mesh_directory=str(tmp_path / "file"), autostart=False)
    before = len(list(node.services)), len(list(node.timers)), len(list(node.publishers))
    assert not robot.change("configure")
    after = len(list(node.services)), len(list(node.timers)), len(list(node.publishers))
    assert before == after
    assert "file" in robot.status_where(lambda status: status.last_error, "the error").last_error
    assert robot.set(mesh_directory=str(tmp_path)).successful
    assert robot.change("configure") and robot.change("activate")
    robot.send(**scene(1.0))
    assert robot.object("object_001").mesh_uri == (tmp_path / "object_001_v0001.glb").as_uri()


def test_failed_activate_stays_inactive(start_node, robot):
    """Say why it could not subscribe, here because of an impossible QoS override."""
    name = "qos_overrides./camera_pose.subscription.reliability"
    node = start_node(**{name: "perhaps"})
    assert robot.state() == "inactive"
    status = robot.status_where(lambda status: status.last_error, "the error")
    assert "cannot become active" in status.last_error and "perhaps" in status.last_error
    assert len(list(node.subscriptions)) == 0
    assert robot.change("cleanup") and robot.state() == "unconfigured"


def test_a_provider_that_is_not_there_leaves_the_cpu(start_node, robot, scene):
    """Serve with the same engine on the CPU, and report an error: the robot was set up for more."""
    start_node(engine="compact", provider="cuda")
    robot.send(**scene(1.0))
    assert robot.object("object_001").engine == "compact"
    status = robot.status_where(lambda status: status.engine_ready, "an engine")
    assert (status.engine, status.backend) == ("compact", "onnxruntime (cpu, fp32)")
    assert "'cuda' was asked for" in status.last_error
    assert status.last_error.endswith("onnxruntime serves instead")


def test_corrupt_weights_leave_the_hull(start_node, robot, tmp_path, scene):
    """Serve with the hull where the weights cannot be loaded, and report an error."""
    (tmp_path / "compact.safetensors").write_bytes(b"not weights")
    start_node(engine="compact", weights=str(tmp_path))
    robot.send(**scene(1.0))
    assert robot.object("object_001").engine == "hull"
    status = robot.status_where(lambda status: status.engine_ready, "an engine")
    assert status.engine == "hull" and "the hull serves instead" in status.last_error
    (diagnostic,) = robot.diagnostics[-1].status
    assert diagnostic.level == diagnostic.ERROR and "cannot be loaded" in diagnostic.message


def test_frames_wait_for_an_engine_that_loads(start_node, robot, monkeypatch, scene):
    """Activate at once; the newest frame becomes a mesh when the engine is there."""
    gate = threading.Event()
    monkeypatch.setattr(EngineConfig, "load", lambda *_: gate.wait(30.0) and HullEngine())
    start_node()
    robot.send(**scene(1.0))
    robot.send(**scene(2.0))
    status = robot.drops("superseded")
    assert (status.state, status.engine_ready, status.queue_length) == ("active", False, 1)
    assert "loading" in robot.diagnostics[-1].status[0].message
    gate.set()
    assert robot.object("object_001").header.stamp.sec == 2


def test_deactivates_while_the_engine_works(start_node, robot, gated, scene, wait_until):
    """Drop what waits and what is in work, count it, and work again after activate."""
    start_node()
    robot.send(**scene(1.0))
    wait_until(gated.entered.is_set, "the engine was not asked")
    robot.send(**scene(2.0))
    robot.status_where(lambda status: status.queue_length == 1, "the second frame waits")
    assert robot.change("deactivate")
    status = robot.drops("deactivated")
    assert (status.state, status.queue_length) == ("inactive", 0)
    gated.gate.set()
    robot.drops("deactivated", 2)
    assert not robot.objects
    assert robot.change("activate")
    for stamp in range(3, 20):  # the first may go to the subscriptions that are no more
        robot.send(**scene(float(stamp)))
        with contextlib.suppress(AssertionError):
            wait_until(lambda: robot.objects, "no mesh yet", patience=0.5)
            break
    assert robot.objects


def test_engine_that_raises_leaves_the_hull(start_node, robot, gated, scene):
    """Publish the hull's mesh with a warning, and report the error."""
    gated.error = RuntimeError("out of memory on the device")
    gated.gate.set()
    start_node()
    robot.send(**scene(1.0))
    message = robot.object("object_001")
    assert message.engine == "hull" and message.stage == message.STAGE_HULL
    assert "out of memory on the device" in message.warnings[-1]
    robot.status_where(lambda s: "out of memory on the device" in s.last_error, "the error")


def test_newest_frame_wins(start_node, robot, gated, scene, wait_until):
    """Keep one frame of an object waiting, the newest, and count the others."""
    start_node()
    robot.send(**scene(1.0))
    wait_until(gated.entered.is_set, "the engine was not asked")
    for stamp in (2.0, 3.0, 4.0):
        robot.send(**scene(stamp, brightness=100 + int(10 * stamp)))
    robot.drops("superseded", 2)
    gated.gate.set()
    assert robot.object("object_001", version=2).header.stamp.sec == 4
    assert robot.dropped("superseded") == 2


def test_static_scene_rests(start_node, robot, scene):
    """Reconstruct what looks as before only once."""
    start_node()
    robot.send(**scene(1.0))
    robot.object("object_001")
    for stamp in (2.0, 3.0):
        robot.send(**scene(stamp))
        robot.drops("unchanged", int(stamp) - 1)
    robot.send(**scene(4.0, shift=12))
    assert robot.object("object_001", version=2).header.stamp.sec == 4


def test_min_interval_delays_but_loses_nothing(start_node, robot, scene):
    """Let the newest frame wait until its object's turn."""
    start_node(min_interval=0.5)
    robot.send(**scene(1.0))
    robot.object("object_001")
    robot.send(**scene(2.0, shift=10))
    robot.send(**scene(3.0, shift=-10))
    assert robot.object("object_001", version=2).header.stamp.sec == 3
