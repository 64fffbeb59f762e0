# SPDX-License-Identifier: Apache-2.0
"""The network of the TripoSR family: one image in, a triplane out, density and colour at points.

The names of the modules are those of the published checkpoints, so that their keys fit.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.transformer import Backbone
from recon_node.engines.lrm.triposr.vit import ImageTokenizer


class PlaneTokens(nn.Module):
    """The learned tokens of the three planes."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        side = config.plane_grid
        self.embeddings = nn.Parameter(torch.empty(3, config.width, side, side))

    def forward(self) -> Tensor:
        """(1, C, N): plane after plane, each row by row."""
        return self.embeddings.transpose(0, 1).flatten(1)[None]


class PostProcessor(nn.Module):
    """Every token of the triplane becomes two by two samples of its plane, in float32."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        self.grid = config.plane_grid
        self.upsample = nn.ConvTranspose2d(config.width, config.plane_channels, 2, stride=2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Planes (B, 3, F, 2G, 2G) of tokens (B, C, 3G²)."""
        grids = tokens.unflatten(2, (3, self.grid, self.grid)).transpose(1, 2).flatten(0, 1)
        weight, bias = self.upsample.weight.float(), self.upsample.bias.float()
        planes = F.conv_transpose2d(grids, weight, bias, stride=2)
        return planes.unflatten(0, (-1, 3))


class Decoder(nn.Module):
    """Density and colour at points, from what the planes hold there.

    The first layer is linear in the planes, and so is sampling them: the encoder applies it to the
    planes, and what is sampled from those needs only its bias.
    """

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        width = config.hidden_width
        layers: list[nn.Module] = [nn.Linear(3 * config.plane_channels, width), nn.SiLU()]
        for _ in range(config.hidden_layers - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 4))

    def columns(self) -> Tensor:
        """The first layer's weights by plane, (3, H, F), in float32."""
        return self.layers[0].weight.float().unflatten(1, (3, -1)).transpose(0, 1)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Density before its activation (N,), and sRGB colour in [0, 1] (N, 3).

        The volume density is exp(density - 1).

        Args:
            hidden: Sums of the samples of the three projected planes, (N, H), float32.
        """
        first, *middle, last = self.layers
        x = (hidden + first.bias.float()).to(first.weight.dtype)
        for layer in middle:
            x = layer(x)
        x, weight, bias = x.float(), last.weight.float(), last.bias.float()
        # Two products: a runtime asked for the density alone computes no colour.
        density = F.linear(x, weight[:1], bias[:1]).squeeze(1)
        return density, torch.sigmoid(F.linear(x, weight[1:], bias[1:]))


class Encoder(nn.Module):
    """Image to projected planes. What depends on the weights alone is computed when this is made.

    Args:
        model: Where the weights are; they are shared, not copied.
    """

    def __init__(self, model: "TripoSR"):
        super().__init__()
        self.image_tokenizer = model.image_tokenizer
        self.backbone = model.backbone
        self.post_processor = model.post_processor
        with torch.no_grad():
            tokens = model.tokenizer()
            positions = model.image_tokenizer.model.embeddings.positions()
            self.register_buffer("tokens", tokens, persistent=False)
            self.register_buffer("positions", positions, persistent=False)
            self.register_buffer("columns", model.decoder.columns(), persistent=False)
            self.register_buffer("prefix", model.backbone.prefix(tokens), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Planes (B, 3, H, S, S) through the decoder's first layer, float32.

        Plane 0 holds (x, y), plane 1 (x, z), plane 2 (y, z); the first coordinate runs along the
        last axis. The cube's half side is `TripoSRConfig.radius`.

        Args:
            image: sRGB in [0, 1] on grey 0.5, (B, 3, image size, image size), float32.
        """
        context = self.image_tokenizer(image, self.positions)
        tokens = self.backbone(self.tokens, self.prefix, context)
        planes = self.post_processor(tokens)
        return (self.columns @ planes.flatten(3)).unflatten(3, planes.shape[3:])


class TripoSR(nn.Module):
    """The whole network, with the keys of the published checkpoints.

    Its random start is torch's, except for tokens and positions, which have none: load weights.

    Args:
        config: Sizes; those of the published checkpoints by default.
    """

    def __init__(self, config: TripoSRConfig | None = None):
        super().__init__()
        self.config = config or TripoSRConfig()
        self.image_tokenizer = ImageTokenizer(self.config)
        self.tokenizer = PlaneTokens(self.config)
        self.backbone = Backbone(self.config)
        self.post_processor = PostProcessor(self.config)
        self.decoder = Decoder(self.config)

    @property
    def encoder(self) -> Encoder:
        """A new encoder of the weights as they are now; keep it, making it takes a second."""
        return Encoder(self)

    def image_tokens(self, image: Tensor) -> Tensor:
        """First stage: image tokens (B, 1 + G², image width) of images (B, 3, S, S)."""
        return self.image_tokenizer(image, self.image_tokenizer.model.embeddings.positions())

    def plane_tokens(self, image_tokens: Tensor) -> Tensor:
        """Second stage: the backbone's output (B, width, 3 G²) of image tokens."""
        tokens = self.tokenizer()
        return self.backbone(tokens, self.backbone.prefix(tokens), image_tokens)

    def planes(self, plane_tokens: Tensor) -> Tensor:
        """Third stage: planes (B, 3, plane channels, S, S) of the backbone's output."""
        return self.post_processor(plane_tokens)
