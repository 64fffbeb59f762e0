# SPDX-License-Identifier: Apache-2.0
"""Stage by stage, our TripoSR answers what the official code answers, to 1e-4.

The golden files were made by `golden/make_golden_triposr.py`, which says how. The input image is
what the official preprocessor makes of the stored picture: float32 / 255, then bilinear with
antialiasing to the network's size.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree
from torch import Tensor

from recon_node.engines.density_surface import extract_density_surface
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state
from recon_node.engines.triplane import TriplaneField

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1e-4

Golden = dict[str, np.ndarray]


def read(name: str) -> tuple[Golden, TripoSRConfig, Tensor]:
    """A golden file's arrays, its network's sizes, and its input image (1, 3, S, S)."""
    with np.load(GOLDEN / name) as file:
        golden = dict(file)
    config = TripoSRConfig(**json.loads(str(golden["config"])))
    picture = torch.from_numpy(golden["picture"]).float().permute(2, 0, 1)[None] / 255
    size = (config.image_size, config.image_size)
    image = F.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=True)
    return golden, config, image


def model_of(state: dict[str, Tensor], config: TripoSRConfig) -> TripoSR:
    with torch.device("meta"):
        model = TripoSR(config)
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(False).eval()


def tiny_state(golden: Golden) -> dict[str, Tensor]:
    prefix = "weights/"
    return {
        name.removeprefix(prefix): torch.from_numpy(array).float()
        for name, array in golden.items()
        if name.startswith(prefix)
    }


def stages(model: TripoSR, image: Tensor) -> dict[str, Tensor]:
    tokens = model.image_tokens(image)
    backbone = model.plane_tokens(tokens)
    return {"tokens": tokens[0], "backbone": backbone[0], "planes": model.planes(backbone)[0]}


def errors(found: dict[str, Tensor], golden: Golden) -> dict[str, float]:
    """Of each stage: the largest difference, relative to the root mean square of the values."""
    result = {}
    for name, values in found.items():
        flat, expected = values.flatten().numpy(), golden[name]
        spread = golden[f"{name}_norm"] / np.sqrt(flat.size)
        result[name] = np.abs(flat[golden[f"{name}_index"]] - expected).max() / spread
        norm = np.linalg.norm(flat.astype(np.float64))
        result[f"norm of {name}"] = abs(norm / golden[f"{name}_norm"] - 1)
    return result


class DecoderBackend:
    """The decoder as a backend runs it."""

    concurrency = 1

    def __init__(self, model: TripoSR):
        self._module = model.decoder

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        density, colour = self._module(torch.from_numpy(inputs["hidden"]))
        return {"density": density.numpy(), "colour": colour.numpy()}


def field_of(model: TripoSR, image: Tensor) -> TriplaneField:
    """Through the encoder, with what it computes ahead of the image."""
    planes = model.encoder(image)[0].numpy()
    return TriplaneField(DecoderBackend(model), planes, half_extent=model.config.radius)


def answer_errors(field: TriplaneField, golden: Golden) -> dict[str, float]:
    """Of density and colour at the points: the largest relative difference."""
    density = np.exp(field.density(golden["points"]) - 1)
    return {
        "density": np.abs(density / golden["density"] - 1).max(),
        "colour": np.abs(field.colours(golden["points"]) / golden["colour"] - 1).max(),
    }


def vertex_voxels(field: TriplaneField, resolution: int) -> np.ndarray:
    """Vertices (V, 3) [voxel] as the official extraction places them."""
    surface = extract_density_surface(field, resolution=resolution, parity=True)
    return (surface.vertices / field.half_extent + 1) / 2 * (resolution - 1)


def distances(voxels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each voxel position (N, 3) to the nearest of the others (M, 3), [voxel]."""
    return cKDTree(others).query(voxels)[0]


def on_edges(voxels: np.ndarray, unit: int) -> np.ndarray:
    """Those of the stored vertices that lie on an edge of the grid.

    scikit-image puts one more vertex into a cell whose faces are ambiguous; torchmcubes does not.
    """
    off_grid = np.abs(voxels - np.rint(voxels)) > 0.5 / unit
    return voxels[off_grid.sum(axis=1) <= 1]


@pytest.fixture(scope="module")
def tiny() -> tuple[TripoSR, Tensor, Golden]:
    golden, config, image = read("golden_tiny.npz")
    return model_of(tiny_state(golden), config), image, golden


def test_every_stage_of_the_small_network(tiny):
    model, image, golden = tiny
    wrong = {k: v for k, v in errors(stages(model, image), golden).items() if not v < TOLERANCE}
    assert not wrong


def test_density_and_colour_of_the_small_network(tiny):
    model, image, golden = tiny
    assert max(answer_errors(field_of(model, image), golden).values()) < TOLERANCE


def test_the_mesh_of_the_small_network(tiny):
    model, image, golden = tiny
    expected = on_edges(golden["vertices"] / golden["vertex_unit"], golden["vertex_unit"])
    found = vertex_voxels(field_of(model, image), int(golden["resolution"]))
    assert len(expected) > 0.95 * golden["vertex_count"]
    assert max(distances(expected, found).max(), distances(found, expected).max()) < 0.1


def wrong_models(golden: Golden, config: TripoSRConfig) -> dict[str, TripoSR]:
    """Models with one mistake each."""
    state = tiny_state(golden)
    names = ("epsilon of the image", "epsilon of the blocks", "epsilon of the group", "gate first")
    models = {name: model_of(dict(state), config) for name in names}
    for layer in models[names[0]].image_tokenizer.model.encoder["layer"]:
        layer.layernorm_before.eps = 1e-6
    for block in models[names[1]].backbone.transformer_blocks:
        block.norm1.eps = 1e-6
    models[names[2]].backbone.norm.eps = 1e-5
    for block in models[names[3]].backbone.transformer_blocks:
        projection = block.ff.net[0].proj
        for name, tensor in projection.state_dict().items():
            projection.register_parameter(
                name, torch.nn.Parameter(tensor.roll(len(tensor) // 2, 0), requires_grad=False)
            )
    return models


def test_the_small_network_shows_small_mistakes(tiny):
    """The golden values tell apart what the published networks' traps make easy to confuse."""
    model, image, golden = tiny
    for mistake, wrong in wrong_models(golden, model.config).items():
        worst = max(errors(stages(wrong, image), golden).values())
        assert worst > 5 * TOLERANCE, mistake
    embeddings = model.image_tokenizer.model.embeddings
    first, grid = embeddings.position_embeddings.tensor_split([1], dim=1)
    grid = grid.transpose(1, 2).unflatten(2, (embeddings.native_grid, -1))
    grid = F.interpolate(grid, size=(embeddings.grid, embeddings.grid), mode="bicubic")
    by_size = torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)
    tokens = model.image_tokenizer(image, by_size)[0]
    assert errors({"tokens": tokens}, golden)["tokens"] > 5 * TOLERANCE, "positions by size"


@pytest.mark.slow
def test_every_stage_and_the_mesh_at_full_size():
    """The published sizes with weights of the recipe: 100 s of one core, 2.5 GB."""
    golden, config, image = read("golden_full.npz")
    state = random_state(config, torch.Generator().manual_seed(0))
    wrong = errors(stages(model_of(dict(state), config), image), golden)
    add_surface(state, config)
    field = field_of(model_of(state, config), image)
    wrong |= answer_errors(field, golden)
    assert {name: error for name, error in wrong.items() if not error < TOLERANCE} == {}
    expected = on_edges(golden["vertices"] / golden["vertex_unit"], golden["vertex_unit"])
    found = vertex_voxels(field, int(golden["resolution"]))
    assert distances(expected, found).max() < 0.1
