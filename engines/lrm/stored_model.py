# SPDX-License-Identifier: Apache-2.0
"""From the weights on disk to the compact model in torch."""

from pathlib import Path

import safetensors
import safetensors.torch
import torch

from recon_node.engines.errors import WeightsError
from recon_node.engines.lrm.model import CompactLRM
from recon_node.engines.lrm.networks import WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import checked_weights


def stored_model(weights: Path, *, device: str = "cpu") -> CompactLRM:
    """The compact model with the weights of a folder, in float32, ready to run.

    Args:
        weights: Folder of the weights.
        device: Torch device.

    Raises:
        WeightsError: The weights are missing, corrupt, or those of another model.
    """
    path = weights / WEIGHTS_FILE
    checked_weights(path)
    with torch.device("meta"):
        model = CompactLRM()
    try:
        stored = safetensors.torch.load_file(path, device=device)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} is corrupt ({error}); fetch it again") from error
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    wrong = sorted({name for name, _ in shapes.items() ^ expected.items()})
    if wrong:
        raise WeightsError(
            f"{path} is not this compact model: missing, unexpected or of another shape are "
            f"{', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}; fetch the weights of this "
            "version, or make them with `recon export`"
        )
    model.load_state_dict({n: tensor.float() for n, tensor in stored.items()}, assign=True)
    return model.eval()
