# SPDX-License-Identifier: Apache-2.0
"""Writes a trained compact model for every backend: one safetensors file and two ONNX graphs.

The weights are stored once, as float16. The graphs hold none: their initialisers point into the
safetensors file (ONNX external data) and are cast to float32 when a session is made.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from recon_node.engines.backends.export_graph import write_graph, write_whole
from recon_node.engines.backends.network import Network
from recon_node.engines.lrm.model import CROP_CHANNELS, CompactLRM
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import TENSORS_DIGEST_KEY, read_layout

MOST_POINTS = 1 << 24


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
    write_whole(weights, _serialized(state, notes, weights))
    points = {"points": {1: torch.export.Dim("point_count", min=2, max=MOST_POINTS)}}
    for network, arguments in _example_arguments(rounded).items():
        write_graph(
            getattr(rounded, network.name),
            network,
            arguments,
            directory,
            dynamic=points,
            prefix=f"{network.name}.",
        )


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
