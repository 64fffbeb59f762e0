# SPDX-License-Identifier: Apache-2.0
"""The two networks of the compact model as a backend sees them."""

from pathlib import Path

from recon_node.engines.backends.network import Network

WEIGHTS_DIRECTORY = Path(__file__).parent / "weights"
WEIGHTS_FILE = "compact.safetensors"
_TORCH_LOADER = ("recon_node.engines.lrm.stored_model", "stored_model")

ENCODER = Network(
    "encoder", ("crop", "tan_half_fov"), ("front", "sides"), WEIGHTS_FILE, _TORCH_LOADER
)
DECODER = Network(
    "decoder",
    ("front", "sides", "crop", "tan_half_fov", "points"),
    ("sdf", "colours"),
    WEIGHTS_FILE,
    _TORCH_LOADER,
    pointwise=True,
)
