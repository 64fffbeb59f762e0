# SPDX-License-Identifier: Apache-2.0
"""The image transformer of the TripoSR family: ViT-B/16 (Dosovitskiy 2021) with DINO's sizes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.transformer import Norm, attend

EPSILON = 1e-12
POSITION_MARGIN = 0.1
"""What the published networks added to the side of the position grid before they divided by it."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Layer(nn.Module):
    """Pre-norm self-attention and feed-forward with exact GELU."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.layernorm_before = Norm(width, eps=EPSILON)
        linear = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {
                "attention": nn.ModuleDict(linear),
                "output": nn.ModuleDict({"dense": nn.Linear(width, width)}),
            }
        )
        self.layernorm_after = Norm(width, eps=EPSILON)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, hidden)})
        self.output = nn.ModuleDict({"dense": nn.Linear(hidden, width)})

    def forward(self, x: Tensor) -> Tensor:
        normed = self.layernorm_before(x)
        linear = self.attention["attention"]
        query, key, value = (linear[name](normed) for name in ("query", "key", "value"))
        x = x + self.attention["output"]["dense"](attend(query, key, value, self.heads))
        hidden = F.gelu(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.output["dense"](hidden)


class Embeddings(nn.Module):
    """Patches of an image as tokens, with their positions; a class token comes first."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        width, patch = config.image_width, config.patch_size
        self.native_grid, self.grid = config.native_grid, config.image_grid
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.empty(1, 1 + self.native_grid**2, width))
        self.patch_embeddings = nn.ModuleDict(
            {"projection": nn.Conv2d(3, width, patch, stride=patch)}
        )

    def positions(self) -> Tensor:
        """The learned positions at this image's grid, (1, 1 + G², C), in float32.

        Bicubic with the scale that the published networks were trained with: a sample i of the
        G lies at (i + 0.5) n / (G + 0.1) - 0.5 of the n learned, not at (i + 0.5) n / G - 0.5. A
        grid of the learned size is taken as it is. The class token's position stays.
        """
        first, grid = self.position_embeddings.float().tensor_split([1], dim=1)
        if self.grid == self.native_grid:
            return torch.cat([first, grid], dim=1)
        grid = grid.transpose(1, 2).unflatten(2, (self.native_grid, self.native_grid))
        scale = (self.grid + POSITION_MARGIN) / self.native_grid
        grid = F.interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False)
        return torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, image: Tensor, positions: Tensor) -> Tensor:
        projection = self.patch_embeddings["projection"]
        patches = projection(image.to(projection.weight.dtype)).flatten(2).transpose(1, 2)
        first = self.cls_token.float().expand(image.shape[0], -1, -1)
        return torch.cat([first, patches.float()], dim=1) + positions


class VisionTransformer(nn.Module):
    """Image to normalised tokens."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        sizes = config.image_width, config.image_heads, config.image_hidden
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(Layer(*sizes) for _ in range(config.image_layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        self.layernorm = Norm(config.image_width, eps=EPSILON)

    def forward(self, image: Tensor, positions: Tensor) -> Tensor:
        x = self.embeddings(image, positions)
        for layer in self.encoder["layer"]:
            x = layer(x)
        return self.layernorm(x)


class ImageTokenizer(nn.Module):
    """Image to the tokens that the triplane reads: all of them, the class token too."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        self.model = VisionTransformer(config)

    def forward(self, image: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, 1 + G², C), the class token first, then the patches row by row.

        Args:
            image: sRGB in [0, 1], (B, 3, S, S).
            positions: As `Embeddings.positions` answers them, (1, 1 + G², C).
        """
        mean = image.new_tensor(MEAN)[:, None, None]
        std = image.new_tensor(STD)[:, None, None]
        return self.model((image - mean) / std, positions)
