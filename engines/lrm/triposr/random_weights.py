# SPDX-License-Identifier: Apache-2.0
"""Random weights of the TripoSR family, for parity, speed and export: no download, no meaning."""

import math

import torch
from torch import Tensor

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR

VIT_SPREAD = 0.02


def random_state(
    config: TripoSRConfig, generator: torch.Generator, *, affine_spread: float = 0.0
) -> dict[str, Tensor]:
    """Every tensor of the network by key, drawn in the order of the keys, float32.

    The distributions are those a network starts its training with: in the image transformer normal
    of 0.02 cut at ±2 (biases zero), the triplane tokens normal of 1 / √width, the decoder's weights
    uniform in ±√(6 / inputs), everything else uniform in ±1 / √inputs, norms one and zero.

    Args:
        config: Sizes of the network.
        generator: The state is a function of its seed and of the sizes.
        affine_spread: Standard deviation of a normal added to what would else be zero or one, so
            that no bias and no norm can be mistaken for another.
    """
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in TripoSR(config).state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        tensor = torch.empty(shape)
        start = _constant(name)
        if start is not None:
            tensor.fill_(start)
            if affine_spread:
                tensor += affine_spread * torch.randn(shape, generator=generator)
        elif name.startswith("image_tokenizer"):
            torch.nn.init.trunc_normal_(tensor, std=VIT_SPREAD, generator=generator)
        elif name.startswith("tokenizer"):
            tensor.normal_(std=1 / math.sqrt(config.width), generator=generator)
        else:
            bound = _bound(name, shapes)
            tensor.uniform_(-bound, bound, generator=generator)
        state[name] = tensor
    return state


def _constant(name: str) -> float | None:
    """What the tensor starts as, where nothing is drawn for it."""
    is_bias = name.endswith("bias")
    if "norm" in name:
        return 0.0 if is_bias else 1.0
    return 0.0 if is_bias and name.startswith("image_tokenizer") else None


def _bound(name: str, shapes: dict[str, torch.Size]) -> float:
    """Half the width of the uniform distribution of a linear map's weights or biases."""
    weight = f"{name.rpartition('.')[0]}.weight"
    inputs = shapes[weight][1:].numel()
    is_decoder_weight = name == weight and name.startswith("decoder")
    return math.sqrt((6 if is_decoder_weight else 1) / inputs)
