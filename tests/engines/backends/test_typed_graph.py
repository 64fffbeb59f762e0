# SPDX-License-Identifier: Apache-2.0
"""The typed graph computes what the exported one does, in the types it names."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from recon_node.engines.backends.typed_graph import HALVES, typed_graph

PRECISIONS = ("fp32", *HALVES)


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    """Type of every value; fails where a node is given types that do not go together."""
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    return {value.name: value.type.tensor_type.elem_type for value in values}


def product_types(model: onnx.ModelProto) -> Counter:
    """How many products there are of each type."""
    types = value_types(model)
    return Counter(
        types[node.output[0]] for node in model.graph.node if node.op_type in ("MatMul", "Gemm")
    )


def answers(model: onnx.ModelProto, folder, inputs):
    """Of ONNX Runtime, which takes float16 for float32 on a CPU: structure, not rounding."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(folder)
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_sequence_is_left_and_the_ports_stay(name, precision, random_weights):
    """TensorRT knows no sequences; its callers know float32."""
    exported = onnx.load(random_weights / f"{name}.onnx", load_external_data=False)
    model = typed_graph(random_weights / f"{name}.onnx", precision)
    assert any(node.op_type == "SplitToSequence" for node in exported.graph.node)
    assert not any("Sequence" in node.op_type for node in model.graph.node)
    assert model.graph.input == exported.graph.input
    assert model.graph.output == exported.graph.output


def test_slices_are_what_the_sequences_held(random_weights, rng):
    crop = rng.uniform(0, 1, (1, 6, 128, 128)).astype(np.float32)
    inputs = {"crop": crop, "tan_half_fov": np.array([0.25], np.float32)}
    path = random_weights / "encoder.onnx"
    expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, inputs
    )
    for ours, theirs in zip(
        answers(typed_graph(path, "fp32"), random_weights, inputs), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_products_are_half_but_for_the_last(tiny_triposr):
    """Ten products in a chain to density and colour, whose last two stay float32."""
    types = product_types(typed_graph(tiny_triposr / "decoder.onnx", "fp16"))
    assert types == {TensorProto.FLOAT16: 8, TensorProto.FLOAT: 2}
    types = product_types(typed_graph(tiny_triposr / "encoder.onnx", "fp16"))
    assert types[TensorProto.FLOAT] == 1 and types[TensorProto.FLOAT16] > 30


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_both_halves_are_in_the_same_places(name, tiny_triposr):
    """ONNX's own checker knows no convolution in bfloat16 before opset 22; TensorRT does."""

    def shape_of(precision):
        nodes = typed_graph(tiny_triposr / f"{name}.onnx", precision).graph.node
        casts = [
            a.i == HALVES[precision] for n in nodes if n.op_type == "Cast" for a in n.attribute
        ]
        return [node.op_type for node in nodes], casts

    assert shape_of("fp16") == shape_of("bf16")


def test_norms_and_sums_of_the_residual_stream_stay_wide(tiny_triposr):
    model = typed_graph(tiny_triposr / "encoder.onnx", "fp16")
    types = value_types(model)
    norms = [node for node in model.graph.node if node.op_type == "LayerNormalization"]
    assert norms
    assert {types[node.output[0]] for node in norms} == {TensorProto.FLOAT}
    sums = [n for n in model.graph.node if n.op_type == "Add" and n.input[0] in types]
    wide = [n for n in sums if types[n.output[0]] == TensorProto.FLOAT]
    assert len(wide) >= 10  # two of each of the two image layers, three of each of the two blocks


def test_half_really_rounds_and_not_much(tiny_triposr, rng):
    """Compare in true float16 arithmetic, which the reference evaluator has."""
    path = tiny_triposr / "decoder.onnx"
    hidden = {"hidden": rng.normal(size=(500, 64)).astype(np.float32)}
    wide = answers(typed_graph(path, "fp32"), tiny_triposr, hidden)
    model = typed_graph(path, "fp16")
    onnx.load_external_data_for_model(model, str(tiny_triposr))
    narrow = ReferenceEvaluator(model).run(None, hidden)
    for ours, theirs in zip(narrow, wide, strict=True):
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        assert 1e-5 < error < 5e-3  # 2^-11 for each of eight layers
