# SPDX-License-Identifier: Apache-2.0
"""From names to engines."""

import pytest

from recon_node.engines import load_engine
from recon_node.engines.errors import UnknownNameError, WeightsError
from recon_node.engines.hull import HullEngine
from recon_node.engines.loading import ENGINES
from recon_node.engines.lrm.engine import CompactEngine


def test_every_name_gives_its_engine():
    engines = {name: load_engine(name) for name in ENGINES}
    assert {name: type(engine) for name, engine in engines.items()} == {
        "compact": CompactEngine,
        "hull": HullEngine,
    }
    assert all(engine.name == name for name, engine in engines.items())


def test_an_unknown_engine_names_the_known():
    with pytest.raises(UnknownNameError, match="'compcat'; known: compact, hull; did you mean"):
        load_engine("compcat")


def test_an_unknown_backend_names_the_known():
    with pytest.raises(UnknownNameError, match="unknown backend 'onnx'; known: onnxruntime"):
        load_engine("compact", backend="onnx")


def test_weights_may_be_a_string(tmp_path):
    with pytest.raises(WeightsError, match=f"{tmp_path}.* is missing"):
        load_engine("compact", weights=str(tmp_path))


def test_the_hull_needs_no_weights(tmp_path):
    assert load_engine("hull", backend="torch", weights=tmp_path).name == "hull"
