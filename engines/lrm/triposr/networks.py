# SPDX-License-Identifier: Apache-2.0
"""The two networks of the TripoSR family as a backend sees them."""

from recon_node.engines.backends.network import Network

WEIGHTS_FILE = "triposr.safetensors"
_TORCH_LOADER = ("recon_node.engines.lrm.triposr.checkpoint", "stored_model")
_EXPORTER = (
    ("recon_node.engines.lrm.triposr.source", "weights_file"),
    ("recon_node.engines.backends.export_triposr", "export_triposr"),
)

ENCODER = Network(
    "encoder", ("image",), ("planes",), WEIGHTS_FILE, _TORCH_LOADER, _EXPORTER, is_typed=True
)
DECODER = Network(
    "decoder",
    ("hidden",),
    ("density", "colour"),
    WEIGHTS_FILE,
    _TORCH_LOADER,
    _EXPORTER,
    pointwise=True,
    is_typed=True,
)
