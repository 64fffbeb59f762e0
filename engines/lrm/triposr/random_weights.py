# SPDX-License-Identifier: Apache-2.0
"""Random weights of the TripoSR family, for parity, speed and export: no download, no meaning."""

import math

import torch
from torch import Tensor

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR

VIT_SPREAD = 0.02

TOKEN_SHARE = 0.3  # of the random tokens beside what `add_surface` puts into them
IMAGE_SHARE = 0.02  # of what the blocks add to the tokens
DENSITY_SHARE = 0.05  # of the random neurons in the density
DENSITY_SLOPE = 6.0


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


def add_surface(state: dict[str, Tensor], config: TripoSRConfig) -> None:
    """Nothing; the weights now see a bumpy ball, of which an image moves no more than the skin.

    Feature 0 of the three planes sums to v = 2 - 1.8 |p|² plus waves, p in the cube's [-1, 1]³, and
    the decoder answers the density 4.2 + 6 (v - 1): it passes v on in pairs of neurons, because
    silu(v) - silu(-v) = v. A published threshold of 25 = exp(density - 1) is met at v = 1, and the
    ball fills about a fifth of the cube. Every other weight stays as it was, so that nothing costs
    less than with real ones.

    Args:
        state: Of `random_state`; changed in place.
        config: Sizes of the network.
    """
    features, layers = config.plane_channels, config.hidden_layers
    embeddings = state["tokenizer.embeddings"].mul_(TOKEN_SHARE)  # (3, C, G, G)
    directions = state["post_processor.upsample.weight"][:, 0].flatten(1)  # (C, 4)
    wanted = _waves(config).unflatten(1, (-1, 2)).unflatten(3, (-1, 2))  # (3, G, 2, G, 2)
    wanted = wanted.permute(0, 1, 3, 2, 4).flatten(3) - state["post_processor.upsample.bias"][0]
    wanted -= torch.einsum("kcyx,cs->kyxs", embeddings, directions)
    embeddings += torch.einsum("kyxs,sc->kcyx", wanted, torch.linalg.pinv(directions))
    for name in ("weight", "bias"):
        state[f"backbone.proj_out.{name}"] *= IMAGE_SHARE
    pair = torch.tensor([1.0, -1.0])
    first = torch.zeros(3, features)
    first[:, 0] = 1.0
    state["decoder.layers.0.weight"][:2] = pair[:, None] * first.flatten()
    for i in range(1, layers):
        weight = state[f"decoder.layers.{2 * i}.weight"]
        weight[:2] = 0
        weight[:2, :2] = pair[:, None] * pair
    for i in range(layers):
        state[f"decoder.layers.{2 * i}.bias"][:2] = 0
    last, bias = (state[f"decoder.layers.{2 * layers}.{name}"] for name in ("weight", "bias"))
    last[0] *= DENSITY_SHARE
    last[0, :2] = DENSITY_SLOPE * pair
    bias[0] = 1 + math.log(25) - DENSITY_SLOPE


def _waves(config: TripoSRConfig) -> Tensor:
    """Feature 0 of the three planes, (3, S, S), [row, column]."""
    side = config.plane_side
    axis = (torch.arange(side) + 0.5) * (2 / side) - 1
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    ball = 2 / 3 - 0.9 * (row**2 + column**2)
    phases = torch.arange(3)[:, None, None]
    return ball + 0.12 * torch.cos(7 * row + phases) * torch.cos(5 * column - 2 * phases)
