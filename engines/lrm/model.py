# SPDX-License-Identifier: Apache-2.0
"""The compact large reconstruction model: one object crop in, triplane and decoder out."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CROP_CHANNELS = 6
"""Channels of the network's input: red, green, blue, mask, depth, depth known."""


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of the compact model.

    Attributes:
        widths: Channels at 1/2, 1/4, 1/8 and 1/16 of the crop's side.
        depths: Residual blocks at each of those sides, on the way down.
        context_layers: Self-attention layers over the image tokens.
        plane_layers: Cross-attention layers over the triplane tokens.
        head_width: Channels of one attention head.
        front_channels: Channels of the plane that faces the camera (half the crop's side).
        side_channels: Channels of each of the two planes seen edge-on (a quarter of it).
        hidden_width: Neurons of the decoder's hidden layers.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (1, 1, 2, 1)
    context_layers: int = 2
    plane_layers: int = 2
    head_width: int = 32
    front_channels: int = 32
    side_channels: int = 24
    hidden_width: int = 80


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions around a skip (He 2016, pre-activation)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(y)))


class Upsample(nn.Module):
    """Twice the side with fewer channels, plus the skip, plus a residual block."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1)
        self.block = ResidualBlock(channels)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        x = F.interpolate(self.project(x), scale_factor=2.0, mode="nearest")
        return self.block(x if skip is None else x + skip)


class Attention(nn.Module):
    """Multi-head attention (Vaswani 2017, eq. 1) of tokens to a context."""

    def __init__(self, width: int, head_width: int):
        super().__init__()
        self.head_width = head_width
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:  # (B, N, W) -> (B, heads, N, head width)
            return x.unflatten(-1, (-1, self.head_width)).transpose(1, 2)

        key, value = self.key_value(context).chunk(2, dim=-1)
        attended = F.scaled_dot_product_attention(
            split(self.query(tokens)), split(key), split(value)
        )
        return self.out(attended.transpose(1, 2).flatten(2))


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward; with `crossed`, cross-attention before them."""

    def __init__(self, width: int, head_width: int, *, crossed: bool):
        super().__init__()
        self.norm_cross = nn.LayerNorm(width) if crossed else None
        self.cross = Attention(width, head_width) if crossed else None
        self.norm_self = nn.LayerNorm(width)
        self.self_attention = Attention(width, head_width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        if self.cross is not None:
            tokens = tokens + self.cross(self.norm_cross(tokens), context)
        normed = self.norm_self(tokens)
        tokens = tokens + self.self_attention(normed, normed)
        return tokens + self.feed_forward(tokens)


class Encoder(nn.Module):
    """Crop to triplane: a U-Net draws the front plane, a transformer the two side planes.

    The front plane is aligned with the picture; the side planes hold what the picture does not
    show, answered by learned triplane tokens that attend to the image tokens (Hong 2024, LRM).
    """

    def __init__(self, config: CompactConfig, crop_size: int):
        super().__init__()
        widths, width = config.widths, config.widths[-1]
        self.token_side = crop_size // 16
        self.stem = nn.Conv2d(CROP_CHANNELS + 2, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1)
            for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(w) for _ in range(n)))
            for w, n in zip(widths, config.depths, strict=True)
        )
        tokens = self.token_side**2
        self.image_positions = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.plane_tokens = nn.Parameter(0.5 * torch.randn(1, 2 * tokens, width))
        self.context = nn.ModuleList(
            TransformerLayer(width, config.head_width, crossed=False)
            for _ in range(config.context_layers)
        )
        self.planes = nn.ModuleList(
            TransformerLayer(width, config.head_width, crossed=True)
            for _ in range(config.plane_layers)
        )
        self.up = nn.ModuleList(
            Upsample(a, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.front_out = nn.Conv2d(widths[0], config.front_channels, 1)
        self.side_up = nn.ModuleList(
            [Upsample(width, widths[1]), Upsample(widths[1], widths[0])]
        )
        self.side_out = nn.Conv2d(widths[0], config.side_channels, 1)

    def forward(self, crop: Tensor, tan_half_fov: Tensor) -> tuple[Tensor, Tensor]:
        """Front plane (B, C, S/2, S/2) and side planes (B, 2, C, S/4, S/4).

        Args:
            crop: Channels as in `CROP_CHANNELS`, (B, 6, S, S).
            tan_half_fov: Tangent of half the crop's field of view, (B,).
        """
        x = self.stem(torch.cat([crop, self._ray_tangents(crop, tan_half_fov)], dim=1))
        skips = []
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else self.down[i - 1](x))
            skips.append(x)
        image_tokens = skips.pop().flatten(2).transpose(1, 2) + self.image_positions
        for layer in self.context:
            image_tokens = layer(image_tokens)
        return self._front_plane(image_tokens, skips), self._side_planes(image_tokens)

    def _ray_tangents(self, crop: Tensor, tan_half_fov: Tensor) -> Tensor:
        side = crop.shape[-1]
        axis = (torch.arange(side, device=crop.device) + 0.5) * (2.0 / side) - 1.0
        v, u = torch.meshgrid(axis, axis, indexing="ij")
        return torch.stack([u, v]).to(crop.dtype) * tan_half_fov[:, None, None, None]

    def _grid(self, tokens: Tensor) -> Tensor:
        return tokens.transpose(1, 2).unflatten(2, (self.token_side, self.token_side))

    def _front_plane(self, image_tokens: Tensor, skips: list[Tensor]) -> Tensor:
        x = self._grid(image_tokens)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        return self.front_out(F.silu(x))

    def _side_planes(self, image_tokens: Tensor) -> Tensor:
        tokens = self.plane_tokens.expand(image_tokens.shape[0], -1, -1)
        for layer in self.planes:
            tokens = layer(tokens, image_tokens)
        x = self._grid(tokens.unflatten(1, (2, -1)).flatten(0, 1))
        for block in self.side_up:
            x = block(x)
        return self.side_out(F.silu(x)).unflatten(0, (-1, 2))


class Decoder(nn.Module):
    """Signed distance and colour at canonical points, from the triplane and the crop itself.

    A point (x, y, z) projects to u = y / (1 - q x), v = -z / (1 - q x) with q the tangent of half
    the field of view; there the front plane and the crop are sampled. The measured depth enters
    as the signed distance x - x_measured along the cube's viewing axis.
    """

    def __init__(self, config: CompactConfig):
        super().__init__()
        features = config.front_channels + 2 * config.side_channels + CROP_CHANNELS - 1 + 8
        hidden = config.hidden_width
        self.layers = nn.Sequential(
            nn.Linear(features, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 4),
        )

    def forward(
        self, front: Tensor, sides: Tensor, crop: Tensor, tan_half_fov: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Signed distance (B, N), negative inside, and sRGB colour in [0, 1] (B, N, 3).

        Args:
            front, sides: As `Encoder` returns them.
            crop: The encoder's input, (B, 6, S, S).
            tan_half_fov: (B,).
            points: Canonical, in [-1, 1]^3, (B, N, 3).
        """
        x, y, z = points.unbind(-1)
        q = tan_half_fov[:, None]
        depth_scale = 1.0 / (1.0 - q * x)
        uv = torch.stack([y * depth_scale, -z * depth_scale], dim=-1)
        seen = _sample(crop, uv)
        rgb, mask, measured, known = seen[..., :3], seen[..., 3:4], seen[..., 4:5], seen[..., 5:6]
        measured = measured / known.clamp(min=1e-3)  # unknown depths are 0: the mean of the known
        in_front = (x[..., None] - measured) * known
        features = torch.cat(
            [
                _sample(front, uv),
                _sample(sides[:, 0], torch.stack([x, -z], dim=-1)),
                _sample(sides[:, 1], torch.stack([y, x], dim=-1)),
                rgb,
                mask,
                known,
                in_front,
                torch.tanh(5.0 * in_front),
                torch.tanh(25.0 * in_front),
                points,
                uv.clamp(-1.5, 1.5),
            ],
            dim=-1,
        )
        sdf, colour = self.layers(features).split([1, 3], dim=-1)
        return 0.1 * sdf[..., 0], torch.sigmoid(colour)


class CompactLRM(nn.Module):
    """Encoder and decoder together, as trained."""

    def __init__(self, config: CompactConfig | None = None, *, crop_size: int = 128):
        super().__init__()
        config = config or CompactConfig()
        self.crop_size = crop_size
        self.encoder = Encoder(config, crop_size)
        self.decoder = Decoder(config)

    def forward(
        self, crop: Tensor, tan_half_fov: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Signed distance (B, N) and colour (B, N, 3) at points (B, N, 3) of crops (B, 6, S, S)."""
        front, sides = self.encoder(crop, tan_half_fov)
        return self.decoder(front, sides, crop, tan_half_fov, points)


def _sample(plane: Tensor, uv: Tensor) -> Tensor:
    """Bilinear values of a plane (B, C, H, W) at uv (B, N, 2) in [-1, 1], (B, N, C), clamped."""
    if torch.compiler.is_exporting():
        return _sample_rows(plane, uv)
    sampled = F.grid_sample(plane, uv[:, None], padding_mode="border", align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def _sample_rows(plane: Tensor, uv: Tensor) -> Tensor:
    """`_sample` for one plane (1, C, H, W) as row gathers, faster than GridSample."""
    side = plane.shape[-1]
    rows = plane[0].permute(1, 2, 0).reshape(side * side, -1)
    pixel = ((uv[0] + 1.0) * (0.5 * side) - 0.5).clamp(0.0, side - 1.0)
    low = pixel.floor().clamp(max=side - 2.0)
    weight = pixel - low
    corner = low.to(torch.int64)
    index = corner[:, 1] * side + corner[:, 0]
    right, down = weight[:, 0:1], weight[:, 1:2]
    upper = _blend(rows.index_select(0, index), rows.index_select(0, index + 1), right)
    index = index + side
    lower = _blend(rows.index_select(0, index), rows.index_select(0, index + 1), right)
    return _blend(upper, lower, down)[None]


def _blend(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """`torch.lerp`, which ONNX spells with five operators instead of three."""
    return a + (b - a) * weight
