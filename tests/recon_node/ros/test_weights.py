# SPDX-License-Identifier: Apache-2.0
"""Weights that the user brings: the node runs them, and says whose they are."""

import hashlib
import logging
import shutil

import pytest

from recon_node.node_main import RosHandler
from recon_node.warning_log import ROOT_LOGGER

pytestmark = pytest.mark.ros


def shown(robot) -> dict[str, str]:
    """What the last diagnostics say, by key."""
    (diagnostic,) = robot.diagnostics[-1].status
    return {pair.key: pair.value for pair in diagnostic.values}


def test_triposr_serves_and_the_diagnostics_name_its_weights(
    start_node, robot, scene, wait_until, triposr_file, tmp_path
):
    path = shutil.copy(triposr_file, tmp_path / "model_both_trained_v1.ckpt")
    start_node(engine="triposr", backend="torch", weights=str(path))
    robot.send(**scene(1.0))
    message = robot.object("object_001")
    assert (message.engine, message.watertight) == ("triposr", True)
    assert 0.1 < message.dimensions.y < 0.25  # a disc of 178 mm, half a metre away
    wait_until(lambda: shown(robot)["weights"], "no weights in the diagnostics")
    weights = shown(robot)["weights"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for part in ("Real3D", "MIT by its model card", "float32", str(path), digest[:12]):
        assert part in weights


@pytest.mark.parametrize(("engine", "told"), [("compact", "Apache-2.0"), ("hull", "")])
def test_engines_of_the_package_name_theirs(start_node, robot, wait_until, engine, told):
    start_node(engine=engine)
    robot.status_where(lambda status: status.engine_ready, "an engine")
    count = len(robot.diagnostics)
    wait_until(lambda: len(robot.diagnostics) > count + 1, "no diagnostics")
    weights = shown(robot)["weights"]
    assert told in weights and bool(weights) == bool(told)


def test_the_log_names_them_once(start_node, robot, caplog):
    """At a level that the process of the node hands to ROS."""
    caplog.set_level(logging.INFO, logger=ROOT_LOGGER)
    node = start_node(engine="compact")
    robot.status_where(lambda status: status.engine_ready, "an engine")
    told = [r for r in caplog.records if "the engine compact runs" in r.getMessage()]
    assert len(told) == 1 and told[0].levelno >= RosHandler(node).level


def test_a_repository_out_of_reach_leaves_the_hull(start_node, robot, monkeypatch, tmp_path):
    """Configure, because it may be in a cache; then say what to do."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    start_node(engine="triposr", backend="torch", weights="stabilityai/TripoSR")
    status = robot.status_where(lambda status: status.engine_ready, "an engine")
    assert status.engine == "hull"
    assert "hf download stabilityai/TripoSR model.ckpt" in status.last_error


def test_triposr_without_weights_leaves_the_hull(start_node, robot):
    start_node(engine="triposr")
    status = robot.status_where(lambda status: status.engine_ready, "an engine")
    assert status.engine == "hull" and "without weights" in status.last_error
