# SPDX-License-Identifier: Apache-2.0
"""Where the weights of fields start."""

import torch
from torch import nn


def uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    """Weights of the shape from [-bound, bound], f32, made on the CPU."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * bound)


def linear(outputs: int, inputs: int, generator: torch.Generator) -> nn.Parameter:
    """Weights (outputs, inputs) of a layer before max(x, 0), which keep variances (He 2015)."""
    return uniform((outputs, inputs), (6 / inputs) ** 0.5, generator)


def seeded_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer of torch's with such weights, and biases of zero."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    layer.weight = linear(outputs, inputs, generator)
    nn.init.zeros_(layer.bias)
    return layer
