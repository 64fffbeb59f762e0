# SPDX-License-Identifier: Apache-2.0
"""The node's configuration: checked values, and a commented file that matches it."""

import re
from pathlib import Path

import pytest
import yaml

from recon_node.engines.errors import InvalidInputError, UnknownNameError
from recon_node.node_config import NodeConfig

CONFIG = Path(__file__).resolve().parents[2] / "config" / "recon.yaml"


def test_every_parameter_is_described():
    """Give every parameter a sentence, a range where it is a number, and a name of its own."""
    config = NodeConfig()
    options, values = config.options(), config.values()
    assert list(options) == list(values)
    for name, told in options.items():
        assert told.description.endswith("."), name
        if type(values[name]) in (int, float):
            assert told.low is not None and told.high is not None, name
            assert told.low <= values[name] <= told.high


def test_the_file_is_the_configuration():
    """Hold every parameter with its default, in order, and its description right above it."""
    text = CONFIG.read_text()
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    config = NodeConfig()
    assert list(values.items()) == list(config.values().items())
    comments: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        comment = re.fullmatch(r"    # (.*)", line)
        parameter = re.match(r"    ([\w.]+):", line)
        if comment:
            above.append(comment[1])
        elif parameter:
            comments[parameter[1]] = " ".join(above)
            above = []
    for name, told in config.options().items():
        assert comments[name].startswith(told.description.rstrip(".")), name
        assert ("live" in comments[name].rpartition("(")[2]) == told.live, name
        for choice in told.choices:
            assert choice in comments[name]


def test_values_replace_defaults():
    """Change some parameters, of several parts, and leave the others."""
    config = NodeConfig().with_values({"engine": "hull", "min_interval": 2, "max_objects": 3})
    assert (config.engine.engine, config.work.min_interval) == ("hull", 2.0)
    assert config.tracking.max_objects == 3
    assert config.run == NodeConfig().run


@pytest.mark.parametrize(
    "values, error, complaint",
    [
        ({"engine": "compcat"}, UnknownNameError, "did you mean 'compact'?"),
        ({"max_objects": 0}, InvalidInputError, r"max_objects is 0; it must lie in \[1, 1000\]"),
        ({"min_interval": float("nan")}, InvalidInputError, "min_interval is nan"),
        ({"slop": "wide"}, InvalidInputError, "slop is 'wide', a str; it must be a float"),
        ({"max_objects": True}, InvalidInputError, "max_objects is True, a bool"),
        ({"max_objects": 2.5}, InvalidInputError, "max_objects is 2.5, a float"),
    ],
)
def test_bad_values_are_refused(values, error, complaint):
    """Name the parameter, the value and what is allowed."""
    with pytest.raises(error, match=complaint):
        NodeConfig().with_values(values)
