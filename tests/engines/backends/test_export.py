# SPDX-License-Identifier: Apache-2.0
"""The exported files: checked graphs without weights, and one file that holds them all."""

import onnx
import pytest
import safetensors

from recon_node.engines.backends.export import export_compact
from recon_node.engines.backends.onnxruntime_backend import DIGEST_KEY
from recon_node.engines.errors import OutputError
from recon_node.engines.lrm.model import CompactLRM
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import checked_weights, read_layout

NETWORKS = pytest.mark.parametrize("network", [ENCODER, DECODER], ids=lambda n: n.name)


def test_the_folder_holds_the_files_and_nothing_unfinished(random_weights):
    names = {path.name for path in random_weights.iterdir()}
    assert names == {WEIGHTS_FILE, "encoder.onnx", "decoder.onnx"}
    assert (random_weights / WEIGHTS_FILE).stat().st_size <= 20e6


def test_the_weights_are_readable_by_those_who_may_read_the_folder(random_weights):
    modes = {path.stat().st_mode & 0o777 for path in random_weights.iterdir()}
    assert len(modes) == 1


def test_notes_are_kept_in_the_header(random_weights):
    with safetensors.safe_open(random_weights / WEIGHTS_FILE, "pt") as file:
        assert file.metadata()["step"] == "0"


@NETWORKS
def test_graphs_are_valid(network, random_weights):
    onnx.checker.check_model(str(random_weights / network.graph_file), full_check=True)


@NETWORKS
def test_every_weight_of_the_network_points_into_the_file(network, random_weights):
    path = random_weights / WEIGHTS_FILE
    layout = read_layout(path.read_bytes(), path)
    graph = onnx.load(random_weights / network.graph_file, load_external_data=False).graph
    pointed = {}
    for initializer in graph.initializer:
        if initializer.data_location != onnx.TensorProto.EXTERNAL:
            # A constant of the graph, such as a shape; no weight is this small a network.
            assert initializer.ByteSize() < 1000, initializer.name
            continue
        entries = {entry.key: entry.value for entry in initializer.external_data}
        assert entries["location"] == WEIGHTS_FILE
        first = int(entries["offset"])
        name = f"{network.name}.{initializer.name.removesuffix('.stored')}"
        pointed[name] = (first, first + int(entries["length"]))
    expected = {
        name: span for name, span in layout.spans.items() if name.startswith(f"{network.name}.")
    }
    assert pointed == expected


@NETWORKS
def test_graphs_hold_no_weights_of_their_own(network, random_weights):
    assert (random_weights / network.graph_file).stat().st_size < 250_000
    for node in onnx.load(random_weights / network.graph_file, load_external_data=False).graph.node:
        for attribute in node.attribute:
            assert attribute.ByteSize() < 1000, f"{node.name} holds a large constant"


@NETWORKS
def test_graphs_have_the_ports_of_their_network(network, random_weights):
    model = onnx.load(random_weights / network.graph_file, load_external_data=False)
    assert tuple(port.name for port in model.graph.input) == network.inputs
    assert tuple(port.name for port in model.graph.output) == network.outputs
    free = {
        port.name
        for port in model.graph.input
        for size in port.type.tensor_type.shape.dim
        if size.dim_param
    }
    assert free == ({"points"} if network is DECODER else set())


@NETWORKS
def test_graphs_are_signed_with_the_digest_of_the_weights(network, random_weights):
    model = onnx.load(random_weights / network.graph_file, load_external_data=False)
    signed = {entry.key: entry.value for entry in model.metadata_props}
    assert signed[DIGEST_KEY] == checked_weights(random_weights / WEIGHTS_FILE)


def test_an_export_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / WEIGHTS_FILE).mkdir()
    with pytest.raises(OutputError, match=f"cannot write .*{WEIGHTS_FILE}: Is a directory; free"):
        export_compact(CompactLRM(), tmp_path, notes={})
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS_FILE]
