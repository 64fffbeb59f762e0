# SPDX-License-Identifier: Apache-2.0
"""From names to engines."""

import logging

import pytest

from recon_node.engines import load_engine
from recon_node.engines.errors import UnknownNameError, WeightsError
from recon_node.engines.hull import HullEngine
from recon_node.engines.loading import ENGINES
from recon_node.engines.lrm.engine import CompactEngine
from recon_node.engines.lrm.networks import WEIGHTS_DIRECTORY
from recon_node.engines.lrm.triposr.engine import TripoSREngine


def test_every_name_gives_its_engine(triposr_file):
    engines = {
        "compact": load_engine("compact"),
        "hull": load_engine("hull"),
        "triposr": load_engine("triposr", backend="torch", weights=str(triposr_file)),
    }
    assert engines.keys() == ENGINES.keys()
    assert {name: type(engine) for name, engine in engines.items()} == {
        "compact": CompactEngine,
        "hull": HullEngine,
        "triposr": TripoSREngine,
    }
    assert all(engine.name == name for name, engine in engines.items())


def test_the_engine_says_once_whose_weights_it_runs(caplog):
    caplog.set_level(logging.INFO)
    note = load_engine("compact").weights_note
    for part in ("Apache-2.0", "float16", str(WEIGHTS_DIRECTORY), "sha256 "):
        assert part in note
    told = [record.getMessage() for record in caplog.records if "weights" in record.getMessage()]
    assert told == [f"the engine compact runs {note}"]
    assert load_engine("hull").weights_note == ""


def test_weights_that_are_not_shipped_have_no_licence_of_ours(random_weights):
    assert "licence not known" in load_engine("compact", weights=random_weights).weights_note


def test_triposr_without_weights_names_the_commands():
    with pytest.raises(WeightsError, match="without weights.*pip install.*hf download stability"):
        load_engine("triposr")


def test_an_unknown_engine_names_the_known():
    with pytest.raises(UnknownNameError, match="known: compact, hull, triposr; did you mean"):
        load_engine("compcat")


def test_an_unknown_backend_names_the_known():
    with pytest.raises(UnknownNameError, match="unknown backend 'onnx'; known: onnxruntime"):
        load_engine("compact", backend="onnx")


def test_weights_may_be_a_string(tmp_path):
    with pytest.raises(WeightsError, match=f"{tmp_path}.* is missing"):
        load_engine("compact", weights=str(tmp_path))


def test_the_hull_needs_no_weights(tmp_path):
    assert load_engine("hull", backend="torch", weights=tmp_path).name == "hull"
