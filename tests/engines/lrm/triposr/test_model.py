# SPDX-License-Identifier: Apache-2.0
"""The TripoSR network: its published sizes, and fast paths that answer what the slow ones do."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.random_weights import random_state
from recon_node.engines.lrm.triposr.transformer import attend_in_blocks

CONFIG = TripoSRConfig(
    image_size=96,
    native_grid=4,
    image_width=64,
    image_layers=3,
    image_heads=4,
    image_hidden=256,
    plane_grid=8,
    width=64,
    layers=4,
    heads=4,
    plane_channels=10,
    hidden_width=32,
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.fixture
def model() -> TripoSR:
    state = random_state(CONFIG, torch.Generator().manual_seed(1), affine_spread=0.1)
    # In so narrow a network attention is all but uniform unless it is sharpened.
    for name, tensor in state.items():
        if any(part in name for part in ("query.weight", "key.weight", "to_q", "to_k")):
            tensor *= 4
    model = TripoSR(CONFIG)
    model.load_state_dict(state)
    return model.requires_grad_(False).eval()


@pytest.fixture
def images(generator: torch.Generator) -> Tensor:
    return torch.rand((3, 3, 96, 96), generator=generator)


def slow_planes(model: TripoSR, images: Tensor) -> Tensor:
    """Projected planes by the stages of the published code, one after the other."""
    planes = model.planes(model.plane_tokens(model.image_tokens(images)))
    return torch.einsum("khf,bkfyx->bkhyx", model.decoder.columns(), planes)


def distance(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference relative to that of what was expected."""
    return ((found - expected).norm() / expected.norm()).item()


def test_the_published_sizes():
    with torch.device("meta"):
        model = TripoSR()
    state = model.state_dict()
    assert len(state) == 549 - 2  # without the unused pooler
    assert sum(t.numel() for t in state.values()) == 419_275_628 - 768 * 768 - 768
    shapes = {
        "image_tokenizer.model.embeddings.position_embeddings": (1, 197, 768),
        "image_tokenizer.model.encoder.layer.11.attention.attention.key.weight": (768, 768),
        "tokenizer.embeddings": (3, 1024, 32, 32),
        "backbone.transformer_blocks.15.attn2.to_v.weight": (1024, 768),
        "backbone.transformer_blocks.0.ff.net.0.proj.weight": (8192, 1024),
        "post_processor.upsample.weight": (1024, 40, 2, 2),
        "decoder.layers.0.weight": (64, 120),
        "decoder.layers.18.weight": (4, 64),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(InvalidInputError, match="width is 64 and heads 5"):
        dataclasses.replace(CONFIG, heads=5)


def test_the_encoder_answers_what_the_stages_do(model, images):
    """What it computed ahead of the image is what the stages compute after it."""
    encoder = model.encoder
    torch.testing.assert_close(encoder(images), slow_planes(model, images), rtol=1e-5, atol=1e-6)


def test_what_is_computed_ahead_is_not_a_weight(model):
    assert not {"prefix", "positions", "tokens", "columns"} & set(model.encoder.state_dict())
    assert not [name for name in model.state_dict() if name.startswith("encoder")]


def test_a_new_encoder_follows_the_weights(model, images):
    before = model.encoder(images)
    model.backbone.proj_in.weight.mul_(1.5)
    model.decoder.layers[0].weight.mul_(1.5)
    after = model.encoder(images)
    assert distance(after, before) > 0.1
    torch.testing.assert_close(after, slow_planes(model, images), rtol=1e-5, atol=1e-6)


def test_objects_of_a_batch_do_not_see_each_other(model, images):
    encoder = model.encoder
    one_by_one = torch.cat([encoder(image[None]) for image in images])
    assert distance(one_by_one[1], one_by_one[0]) > 0.01
    torch.testing.assert_close(encoder(images), one_by_one, rtol=1e-5, atol=1e-6)


def test_the_decoder_needs_nothing_but_sums(model, generator):
    """Its first layer was applied to the planes; adding and activating is left."""
    features = torch.randn((50, 30), generator=generator)
    columns = model.decoder.columns()
    hidden = torch.einsum("khf,nkf->nh", columns, features.unflatten(1, (3, 10)))
    density, colour = model.decoder(hidden)
    expected = model.decoder.layers(features)
    torch.testing.assert_close(density, expected[:, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(colour, expected[:, 1:].sigmoid(), rtol=1e-4, atol=1e-4)


# Rounding costs 2⁻⁹ in bfloat16 and an eighth of that in float16; some tens of them, and attention
# as sharp as here, make ten of one.
@pytest.mark.parametrize(("kind", "bound"), [(torch.bfloat16, 0.03), (torch.float16, 0.004)])
def test_narrow_weights_cost_little(model, images, kind, bound, generator):
    tokens = model.image_tokens(images)
    plane_tokens = model.plane_tokens(tokens)
    planes = model.encoder(images)
    hidden = torch.randn((500, 32), generator=generator)
    density, colour = model.decoder(hidden)
    model.to(kind)
    narrow = model.encoder(images)
    assert narrow.dtype == torch.float32
    assert distance(model.image_tokens(images).float(), tokens) < bound
    assert distance(model.plane_tokens(tokens.to(kind)), plane_tokens) < bound
    assert distance(narrow, planes) < bound
    narrow_density, narrow_colour = model.decoder(hidden)
    assert narrow_density.dtype == narrow_colour.dtype == torch.float32
    assert distance(narrow_density, density) < bound
    assert (narrow_colour - colour).abs().max() < bound


@pytest.mark.parametrize(("kind", "bound"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_attention_in_blocks(kind, bound, generator):
    """Also of more queries than one block holds, and of sharp weights."""
    query, key, value = (
        torch.randn((2, 3, n, 16), generator=generator).to(kind) for n in (700, 90, 90)
    )
    exact = F.scaled_dot_product_attention(4 * query.double(), key.double(), value.double())
    found = attend_in_blocks(4 * query, key, value)
    assert found.dtype == kind
    assert distance(found.double(), exact) < bound
