# SPDX-License-Identifier: Apache-2.0
"""The two networks of the TripoSR family as a backend sees them."""

from recon_node.engines.backends.network import Network

WEIGHTS_FILE = "triposr.safetensors"
_TORCH_LOADER = ("recon_node.engines.lrm.triposr.checkpoint", "stored_model")

ENCODER = Network("encoder", ("image",), ("planes",), WEIGHTS_FILE, _TORCH_LOADER)
DECODER = Network(
    "decoder", ("hidden",), ("density", "colour"), WEIGHTS_FILE, _TORCH_LOADER, pointwise=True
)
