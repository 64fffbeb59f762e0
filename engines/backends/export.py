# SPDX-License-Identifier: Apache-2.0
"""Writes a trained compact model for every backend: one safetensors file and two ONNX graphs.

The weights are stored once, as float16. The graphs hold none: their initialisers point into the
safetensors file (ONNX external data) and are cast to float32 when a session is made.
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import safetensors.torch
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from recon_node.engines.backends.network import Network
from recon_node.engines.backends.onnxruntime_backend import DIGEST_KEY
from recon_node.engines.errors import OutputError
from recon_node.engines.lrm.model import CROP_CHANNELS, CompactLRM
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import TENSORS_DIGEST_KEY, read_layout

OPSET = 18
_MOST_POINTS = 1 << 24


def export_compact(model: CompactLRM, directory: Path, *, notes: Mapping[str, str]) -> None:
    """Writes weights and graphs into the folder, each complete or not at all.

    Args:
        model: The trained model.
        directory: Where `compact.safetensors`, `encoder.onnx` and `decoder.onnx` go.
        notes: Kept in the safetensors header, such as the step it was trained to.

    Raises:
        OutputError: A file cannot be written; the one that was there before is left.
    """
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    rounded = CompactLRM().eval()
    rounded.load_state_dict({name: value.float() for name, value in state.items()})
    weights = directory / WEIGHTS_FILE
    _write(weights, _serialized(state, notes, weights))
    for network, arguments in _example_arguments(rounded).items():
        graph = _traced(getattr(rounded, network.name), network, arguments)
        _point_into_weights(graph, f"{network.name}.", weights)
        _write(directory / network.graph_file, graph.SerializeToString())
        onnx.checker.check_model(str(directory / network.graph_file), full_check=True)


def _write(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all."""
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


def _serialized(state: Mapping[str, Tensor], notes: Mapping[str, str], path: Path) -> bytes:
    """The safetensors file, whose notes hold a digest of its tensors."""
    bare = safetensors.torch.save(dict(state))
    tensors = bare[read_layout(bare, path).start :]
    digest = hashlib.sha256(tensors).hexdigest()
    return safetensors.torch.save(dict(state), {**notes, TENSORS_DIGEST_KEY: digest})


def _example_arguments(model: CompactLRM) -> dict[Network, tuple[Tensor, ...]]:
    crop = torch.zeros(1, CROP_CHANNELS, model.crop_size, model.crop_size)
    tan_half_fov = torch.full((1,), 0.2)
    with torch.inference_mode():
        front, sides = model.encoder(crop, tan_half_fov)
    points = torch.zeros(1, 64, 3)
    return {
        ENCODER: (crop, tan_half_fov),
        DECODER: (front.clone(), sides.clone(), crop, tan_half_fov, points),
    }


def _traced(module: nn.Module, network: Network, arguments: tuple[Tensor, ...]) -> onnx.ModelProto:
    """The module as an ONNX graph; every size is static but the number of points."""
    point_count = torch.export.Dim("point_count", min=2, max=_MOST_POINTS)
    dynamic = tuple({1: point_count} if port == "points" else None for port in network.inputs)
    with _without_remarks():
        program = torch.onnx.export(
            module,
            arguments,
            input_names=list(network.inputs),
            output_names=list(network.outputs),
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            optimize=False,  # it would fold the weights into new constants
            verbose=False,
        )
    return program.model_proto


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


def _point_into_weights(graph: onnx.ModelProto, prefix: str, weights: Path) -> None:
    """Replace the graph's weights by casts of the file's, and sign it with the file's digest."""
    content = weights.read_bytes()
    spans = read_layout(content, weights).spans
    casts = []
    for initializer in graph.graph.initializer:
        span = spans.get(prefix + initializer.name)
        if span is None:
            continue
        name = initializer.name
        stored = TensorProto(
            name=f"{name}.stored",
            data_type=TensorProto.FLOAT16,
            dims=initializer.dims,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (
            ("location", weights.name),
            ("offset", span[0]),
            ("length", span[1] - span[0]),
        ):
            stored.external_data.add(key=key, value=str(value))
        initializer.CopyFrom(stored)
        casts.append(helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    for node in nodes:
        del node.metadata_props[:]  # torch's stack traces, ten times the graph
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    graph.metadata_props.add(key=DIGEST_KEY, value=hashlib.sha256(content).hexdigest())
