# SPDX-License-Identifier: Apache-2.0
"""From an exported graph to one whose every value says its type: what a typed runtime is given.

TensorRT takes strongly typed networks: it computes each step in the type the graph says, and no
flag of the builder changes that. So precision is decided here. Products and convolutions, and what
lies between them, are half; norms, residual sums and the last product before an output stay
float32, as do the ports. A type with 8 bits would be one more pair of nodes around the same
products (QuantizeLinear, DequantizeLinear), with scales that somebody has to measure.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

HALVES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_PRODUCTS = {"MatMul", "Gemm", "Conv"}
_BETWEEN = {  # works in the type of its inputs: half where all that are no constants are half
    *("Add", "Sub", "Mul", "Div", "Neg", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Erf", "Gelu"),
    *("Softmax", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Slice"),
    *("Split", "Concat", "Identity", "Gather", "MaxPool"),
}


def typed_graph(path: Path, precision: str) -> onnx.ModelProto:
    """The graph in a precision; its weights still lie where the file says.

    Args:
        path: Of the graph.
        precision: "fp32", "fp16" or "bf16".
    """
    model = onnx.load(path, load_external_data=False)
    _without_sequences(model.graph)
    if precision in HALVES:
        model = onnx.shape_inference.infer_shapes(model)
        _Typing(model.graph, HALVES[precision]).apply()
        del model.graph.value_info[:]  # their types are not those any more
    return model


def _without_sequences(graph: onnx.GraphProto) -> None:
    """Make slices of what torch's exporter splits into a sequence, which TensorRT does not know."""
    constants = _constants(graph)
    splits = {node.output[0]: node for node in graph.node if node.op_type == "SplitToSequence"}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "SequenceAt":
            split = splits[node.input[0]]
            sizes = constants[split.input[1]]
            index = int(constants[node.input[1]])
            first = index * int(sizes) if sizes.ndim == 0 else int(sizes[:index].sum())
            last = first + int(sizes if sizes.ndim == 0 else sizes[index])
            axis = next((a.i for a in split.attribute if a.name == "axis"), 0)
            ends = {"first": first, "last": last, "axis": axis}
            names = {key: f"{node.output[0]}.{key}" for key in ends}
            graph.initializer.extend(
                numpy_helper.from_array(np.array([ends[key]], np.int64), names[key]) for key in ends
            )
            nodes.append(
                helper.make_node(
                    "Slice", [split.input[0], *names.values()], [node.output[0]], name=node.name
                )
            )
        elif node.op_type != "SplitToSequence":
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The values that the graph holds itself, but for large ones."""
    found = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_location != TensorProto.EXTERNAL and np.prod(tensor.dims) < 100
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


class _Typing:
    """Gives every float value of a graph one of two types.

    Args:
        graph: Changed by `apply`.
        half: The narrow type.
    """

    def __init__(self, graph: onnx.GraphProto, half: int):
        self._graph, self._half = graph, half
        self._nodes: list[NodeProto] = []
        self._cast: dict[tuple[str, int], str] = {}
        values = [*graph.input, *graph.output, *graph.value_info]
        self._types = {value.name: value.type.tensor_type.elem_type for value in values}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._fixed = {tensor.name for tensor in graph.initializer}  # depends on no input
        self._outputs = {value.name for value in graph.output}

    def apply(self) -> None:
        """Puts the types into the graph."""
        heads = self._heads()
        for node in list(self._graph.node):
            inputs = [name for name in node.input if name]
            if all(name in self._fixed for name in inputs):
                self._fixed.update(node.output)
                self._nodes.append(node)
            elif node.op_type in _PRODUCTS and node.output[0] not in heads:
                self._compute(node, self._half)
            elif node.op_type in _BETWEEN and self._is_half(inputs):
                self._compute(node, self._half)
            elif node.op_type == "Cast":
                self._nodes.append(node)
            else:
                self._compute(node, TensorProto.FLOAT)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)

    def _heads(self) -> set[str]:
        """Outputs of the products that no other product reads, however far down."""
        read_later: set[str] = set()
        heads = set()
        for node in reversed(self._graph.node):
            is_product = node.op_type in _PRODUCTS
            is_read = any(name in read_later for name in node.output)
            if is_product and not is_read:
                heads.add(node.output[0])
            if is_product or is_read:
                read_later.update(node.input)
        return heads

    def _is_half(self, inputs: list[str]) -> bool:
        """Whether what varies among the float inputs is half."""
        types = [self._types.get(name) for name in inputs if name not in self._fixed]
        return self._half in types and TensorProto.FLOAT not in types

    def _compute(self, node: NodeProto, kind: int) -> None:
        """Let the node read and answer one type; other than float values are left alone."""
        node.input[:] = [self._as(name, kind) for name in node.input]
        for position, name in enumerate(node.output):
            if self._types.get(name, TensorProto.FLOAT) != TensorProto.FLOAT:
                continue
            self._types[name] = kind
            if name in self._outputs and kind != TensorProto.FLOAT:
                node.output[position] = f"{name}.narrow"
                self._nodes.append(node)
                self._nodes.append(self._cast_node(f"{name}.narrow", name, TensorProto.FLOAT))
                self._types[name] = TensorProto.FLOAT
                return
        self._nodes.append(node)

    def _as(self, name: str, kind: int) -> str:
        """The name of this value in a type, cast where it has the other."""
        present = self._types.get(name)
        if present not in (TensorProto.FLOAT, self._half) or present == kind:
            return name
        if (name, kind) not in self._cast:
            self._cast[name, kind] = f"{name}.{TensorProto.DataType.Name(kind).lower()}"
            self._nodes.append(self._cast_node(name, self._cast[name, kind], kind))
            self._types[self._cast[name, kind]] = kind
        return self._cast[name, kind]

    @staticmethod
    def _cast_node(name: str, renamed: str, kind: int) -> NodeProto:
        return helper.make_node("Cast", [name], [renamed], to=kind)
