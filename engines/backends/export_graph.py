# SPDX-License-Identifier: Apache-2.0
"""From a torch module to an ONNX graph whose weights lie in a safetensors file beside it."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_ir
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.onnxruntime_backend import DIGEST_KEY
from recon_node.engines.errors import OutputError
from recon_node.engines.lrm.weights_file import checked_weights, read_header

OPSET = 18
_TYPES = {"F32": onnx_ir.DataType.FLOAT, "F16": onnx_ir.DataType.FLOAT16}


def write_graph(
    module: nn.Module,
    network: Network,
    arguments: tuple[Tensor, ...],
    directory: Path,
    *,
    dynamic: Mapping[str, Mapping[int, "torch.export.Dim"]],
    prefix: str,
) -> None:
    """Writes the module's graph beside its weights and has it checked.

    Args:
        module: What to write.
        network: Its names.
        arguments: Inputs of the right shapes, in order; of a free size more than one.
        directory: Where the weights are, and the graph goes.
        dynamic: The free sizes: axis and name, by port.
        prefix: Of the module's parameters in the file of weights.

    Raises:
        OutputError: The graph cannot be written; the one that was there before is left.
    """
    weights = directory / network.weights_file
    graph = _traced(module, network, arguments, dynamic)
    narrow = _point_into_weights(graph, prefix, weights)
    proto = onnx_ir.to_proto(graph)
    _widen(proto, narrow)
    for node in proto.graph.node:
        del node.metadata_props[:]  # torch's stack traces, ten times the graph
    proto.metadata_props.add(key=DIGEST_KEY, value=checked_weights(weights))
    path = directory / network.graph_file
    write_whole(path, proto.SerializeToString())
    onnx.checker.check_model(str(path), full_check=True)


def write_whole(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        if unfinished.is_file():
            unfinished.unlink()
        raise OutputError(
            f"cannot write {path}: {error.strerror}; free the place, or choose another folder"
        ) from error


def _traced(
    module: nn.Module,
    network: Network,
    arguments: tuple[Tensor, ...],
    dynamic: Mapping[str, Mapping[int, "torch.export.Dim"]],
) -> onnx_ir.Model:
    """The module as a graph; every size is static but those named."""
    with _without_remarks():
        program = torch.onnx.export(
            module,
            arguments,
            input_names=list(network.inputs),
            output_names=list(network.outputs),
            dynamic_shapes=tuple(dynamic.get(port) for port in network.inputs),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # it would fold the weights into new constants
            verbose=False,
        )
    return program.model


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keeps back what torch's exporter says of itself: its deprecations, absent torchvision."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _point_into_weights(model: onnx_ir.Model, prefix: str, weights: Path) -> list[str]:
    """Those weights that are narrower in the file than in the graph, after all point into it."""
    layout = read_header(weights)
    narrow = []
    for name, value in model.graph.initializers.items():
        key = prefix + name
        if key not in layout.spans:
            continue
        first, last = layout.spans[key]
        stored = _TYPES[layout.types[key]]
        if stored != value.dtype:
            narrow.append(name)
        value.const_value = onnx_ir.ExternalTensor(
            weights.name,
            first,
            last - first,
            stored,
            shape=value.shape,
            name=name,
            base_dir=weights.parent,
        )
    return narrow


def _widen(proto: onnx.ModelProto, narrow: list[str]) -> None:
    """Cast weights that are stored narrow to what the graph computes with."""
    renamed = set(narrow)
    for initializer in proto.graph.initializer:
        if initializer.name in renamed:
            initializer.name += ".stored"
    casts = [
        helper.make_node("Cast", [f"{name}.stored"], [name], to=TensorProto.FLOAT)
        for name in narrow
    ]
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
