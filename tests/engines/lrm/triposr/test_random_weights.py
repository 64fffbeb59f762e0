# SPDX-License-Identifier: Apache-2.0
"""Random weights of the recipe: their spread, their seed, and the surface drawn into them."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state

CONFIG = TripoSRConfig(
    image_size=64, image_width=64, image_layers=1, image_heads=4, image_hidden=128, plane_grid=8,
    width=128, layers=1, heads=4, plane_channels=8,
)  # fmt: skip


@pytest.fixture
def state() -> dict[str, Tensor]:
    return random_state(CONFIG, torch.Generator().manual_seed(0))


def test_the_seed_decides(state):
    again = random_state(CONFIG, torch.Generator().manual_seed(0))
    other = random_state(CONFIG, torch.Generator().manual_seed(1))
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not torch.equal(state["decoder.layers.0.weight"], other["decoder.layers.0.weight"])


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("image_tokenizer.model.encoder.layer.0.intermediate.dense.weight", 0.02),
        ("tokenizer.embeddings", 128**-0.5),
        ("backbone.transformer_blocks.0.attn2.to_k.weight", 64**-0.5 / math.sqrt(3)),
        ("backbone.transformer_blocks.0.ff.net.0.proj.bias", 128**-0.5 / math.sqrt(3)),
        ("post_processor.upsample.weight", (4 * 8) ** -0.5 / math.sqrt(3)),
        ("decoder.layers.2.weight", math.sqrt(6 / 64) / math.sqrt(3)),
    ],
)
def test_spreads_are_those_of_a_start(state, name, deviation):
    assert state[name].std().item() == pytest.approx(deviation, rel=0.1)


def test_norms_and_biases_start_plain_unless_asked(state):
    assert torch.equal(state["backbone.norm.weight"], torch.ones(128))
    assert not state["image_tokenizer.model.embeddings.patch_embeddings.projection.bias"].any()
    spread = random_state(CONFIG, torch.Generator().manual_seed(0), affine_spread=0.1)
    assert spread["backbone.norm.weight"].std().item() == pytest.approx(0.1, rel=0.2)


@torch.inference_mode()
def test_the_surface_is_a_ball_of_a_fifth_of_the_cube(state):
    add_surface(state, CONFIG)
    model = TripoSR(CONFIG)
    model.load_state_dict(state)
    planes = model.encoder(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))[0]
    axis = torch.linspace(-1, 1, 40)
    points = torch.cartesian_prod(axis, axis, axis)
    grid = points[:, torch.tensor([[0, 1], [0, 2], [1, 2]])].transpose(0, 1)[:, None]
    density, colour = model.decoder(F.grid_sample(planes, grid, align_corners=False).sum(0)[:, 0].T)
    inside = density > 1 + math.log(25)
    assert 0.1 < inside.float().mean() < 0.3
    assert inside[points.norm(dim=1) < 0.4].all()
    assert not inside[points.abs().amax(dim=1) > 0.99].any()
    assert colour.std(0).min() > 0.01
