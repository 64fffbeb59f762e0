# SPDX-License-Identifier: Apache-2.0
"""Writes a network of the TripoSR family for every backend: safetensors and two ONNX graphs.

The weights are stored once, in float32, by their official keys; the graphs' initialisers point into
that file. What depends on them alone (positions at 512 px, the backbone up to the first block's
self-attention, the decoder's first layer by plane) is computed here, once: 28 MB in the encoder's
graph.
"""

from pathlib import Path

import torch

from recon_node.engines.backends.export_graph import write_graph
from recon_node.engines.lrm.triposr.checkpoint import stored_model, write_state
from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.triposr.source import identify, weights_file

MOST_IMAGES = 64
MOST_POINTS = 1 << 24


def export_triposr(weights: Path, directory: Path) -> None:
    """Writes weights and graphs into the folder, each complete or not at all.

    The encoder takes any number of images, the decoder any number of points.

    Args:
        weights: A file, a folder that holds one, or a Hugging Face repository.
        directory: Where `triposr.safetensors`, `encoder.onnx` and `decoder.onnx` go.

    Raises:
        WeightsError: The weights are missing, corrupt, or those of another model.
        OutputError: A file cannot be written; the one that was there before is left.
    """
    path = weights_file(weights)
    model = stored_model(path)
    write_state(model.state_dict(), directory / WEIGHTS_FILE, identify(path).notes)
    sizes = model.config
    image = torch.zeros(2, 3, sizes.image_size, sizes.image_size)
    hidden = torch.zeros(2, sizes.hidden_width)
    batch = torch.export.Dim("batch", min=1, max=MOST_IMAGES)
    point_count = torch.export.Dim("point_count", min=1, max=MOST_POINTS)
    write_graph(
        model.encoder.eval(), ENCODER, (image,), directory, dynamic={"image": {0: batch}}, prefix=""
    )
    write_graph(
        model.decoder,
        DECODER,
        (hidden,),
        directory,
        dynamic={"hidden": {0: point_count}},
        prefix="decoder.",
    )
