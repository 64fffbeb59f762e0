# SPDX-License-Identifier: Apache-2.0
"""The triplane transformer: learned triplane tokens read the image tokens, block after block.

Weights may be narrow (bfloat16 or float16): then the linear maps and the attention work in that
type, while the sums of the residual stream and every normalisation stay in float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon_node.engines.lrm.triposr.config import TripoSRConfig

BLOCK_EPSILON = 1e-5
GROUP_EPSILON = 1e-6
BLOCK_ROWS = 512  # queries whose weights over 3072 keys fit a core's cache in bfloat16


class Norm(nn.LayerNorm):
    """Layer normalisation in float32, answered in the type of its weights."""

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps).to(self.weight.dtype)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention softmax(Q Kᵀ / √d) V (Vaswani 2017, eq. 1), (B, N, C).

    Args:
        query: (B, N, C).
        key, value: (B, M, C).
        heads: Number of heads that share the C channels.
    """

    def split(x: Tensor) -> Tensor:  # (B, N, C) -> (B, heads, N, C / heads)
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    # Torch's own attention gains nothing from bfloat16 on a CPU, though its products do: in blocks
    # it took 0.166 s instead of 0.435 where the CPU has the instructions (Zen 5, one thread). In
    # float32 the two take the same time.
    in_blocks = query.is_cpu and query.dtype == torch.bfloat16 and _multiplies_bfloat16()
    attention = attend_in_blocks if in_blocks else F.scaled_dot_product_attention
    return attention(split(query), split(key), split(value)).transpose(1, 2).flatten(2)


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax(Q Kᵀ / √d) V, (B, heads, N, d), some queries of one head at a time.

    Args:
        query: (B, heads, N, d).
        key, value: (B, heads, M, d).
    """
    attended = torch.empty_like(query)
    scale = query.shape[-1] ** -0.5
    for batch in range(query.shape[0]):
        for head in range(query.shape[1]):
            keys, values = (key[batch, head] * scale).T, value[batch, head]
            for rows in range(0, query.shape[2], BLOCK_ROWS):
                block = batch, head, slice(rows, rows + BLOCK_ROWS)
                attended[block] = torch.softmax(query[block] @ keys, dim=-1) @ values
    return attended


def _multiplies_bfloat16() -> bool:
    """Whether torch multiplies bfloat16 with instructions of this CPU, not number by number."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Attention(nn.Module):
    """Attention of triplane tokens to a context: no bias but that of the output."""

    def __init__(self, width: int, context_width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        query, key, value = self.to_q(tokens), self.to_k(context), self.to_v(context)
        return self.to_out[0](attend(query, key, value, self.heads))


class GatedProjection(nn.Module):
    """Values times the GELU of their gates (Shazeer 2020, GEGLU); the values come first."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """A gated projection to four times the width, and back."""

    def __init__(self, width: int):
        super().__init__()
        # The middle place is that of a dropout, which has no weights and no effect here.
        self.net = nn.ModuleList(
            [GatedProjection(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class Block(nn.Module):
    """Pre-norm self-attention, attention to the image tokens, feed-forward."""

    def __init__(self, width: int, context_width: int, heads: int):
        super().__init__()
        self.norm1 = Norm(width, eps=BLOCK_EPSILON)
        self.attn1 = Attention(width, width, heads)
        self.norm2 = Norm(width, eps=BLOCK_EPSILON)
        self.attn2 = Attention(width, context_width, heads)
        self.norm3 = Norm(width, eps=BLOCK_EPSILON)
        self.ff = FeedForward(width)

    def mix_planes(self, tokens: Tensor) -> Tensor:
        """The tokens (B, N, C) after the block's self-attention."""
        normed = self.norm1(tokens)
        return tokens + self.attn1(normed, normed)

    def read_image(self, tokens: Tensor, context: Tensor) -> Tensor:
        """The tokens (B, N, C) after the rest of the block."""
        tokens = tokens + self.attn2(self.norm2(tokens), context)
        return tokens + self.ff(self.norm3(tokens))


class Backbone(nn.Module):
    """All blocks between two linear maps, added to the tokens they started from."""

    def __init__(self, config: TripoSRConfig):
        super().__init__()
        width = config.width
        self.norm = nn.GroupNorm(config.groups, width, eps=GROUP_EPSILON)
        self.proj_in = nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList(
            Block(width, config.image_width, config.heads) for _ in range(config.layers)
        )
        self.proj_out = nn.Linear(width, width)

    def prefix(self, tokens: Tensor) -> Tensor:
        """What no image changes: everything up to the first block's self-attention, (1, N, C).

        Args:
            tokens: The learned tokens, (1, C, N): normalised over all positions of a group.
        """
        weight, bias = self.norm.weight.float(), self.norm.bias.float()
        normed = F.group_norm(tokens.float(), self.norm.num_groups, weight, bias, self.norm.eps)
        projected = self.proj_in(normed.transpose(1, 2).to(self.proj_in.weight.dtype))
        return self.transformer_blocks[0].mix_planes(projected.float())

    def forward(self, tokens: Tensor, prefix: Tensor, context: Tensor) -> Tensor:
        """The finished triplane tokens, (B, C, N).

        Args:
            tokens: The learned tokens, (1, C, N).
            prefix: Of the same tokens, as `prefix` answers it, (1, N, C).
            context: Image tokens, (B, M, image width).
        """
        first, *others = self.transformer_blocks
        x = first.read_image(prefix.expand(context.shape[0], -1, -1), context)
        for block in others:
            x = block.read_image(block.mix_planes(x), context)
        x = self.proj_out(x.to(self.proj_out.weight.dtype))
        return x.transpose(1, 2) + tokens.float()
