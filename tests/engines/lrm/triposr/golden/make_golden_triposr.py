# SPDX-License-Identifier: Apache-2.0
"""Writes golden_tiny.npz and golden_full.npz: what the official TripoSR code answers.

The official code is not part of recon. It is github.com/VAST-AI-Research/TripoSR, MIT, at commit
d26e33181947bbbc4c6fc0f5734e1ec6c080956e; these files were made with it under Python 3.11, torch
2.13.0 (CPU), transformers 4.35.0 (newer ones place the image positions elsewhere), tokenizers
0.14.1, einops 0.8, omegaconf 2.4 and scikit-image 0.26, recon beside them, in float32, with

    OMP_NUM_THREADS=1 python make_golden_triposr.py --official FOLDER_THAT_HOLDS_tsr tiny full

What the official code imports and does not use here (rembg, imageio) is replaced by empty modules,
torchmcubes by scikit-image's marching cubes with its vertices in torchmcubes' order, and the
image network's configuration, which it would download, by a file with the same values.

Weights: `full` is `random_state` of seed 0 with the published sizes; the stages are of that, the
mesh, density and colour are of the same after `add_surface`, because random weights alone have no
surface at the threshold. `tiny` has 2 layers, 64 channels and planes of 16 x 16; its weights are
stored with it as float16, and drawn by `tiny_state` below so that small mistakes show: every bias
and norm has a value of its own, attention is far from uniform, and what enters the first norm of
each kind is so small that its epsilon counts.

The input is a uint8 picture of random smooth blotches on grey, stored too; the official
preprocessor makes the network's input of it (float32 / 255, then bilinear with antialiasing).
"""

import argparse
import dataclasses
import importlib
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import skimage.measure
import torch
from omegaconf import OmegaConf
from torch import Tensor

from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.random_weights import add_surface, random_state

HERE = Path(__file__).parent
POOLER = "image_tokenizer.model.pooler.dense"
TINY = TripoSRConfig(
    image_size=64,
    native_grid=3,
    image_width=64,
    image_layers=2,
    image_heads=4,
    image_hidden=128,
    plane_grid=8,
    width=64,
    layers=2,
    heads=4,
    plane_channels=8,
    hidden_width=16,
)
VERTEX_UNIT = 400  # stored vertices are integers, this many to a voxel


def tiny_state() -> dict[str, Tensor]:
    """The weights of the small network, rounded to float16, in float32."""
    state = random_state(TINY, torch.Generator().manual_seed(0), affine_spread=0.1)
    # The surface is drawn into the tokens through this map; large, it leaves the tokens small.
    state["post_processor.upsample.weight"] *= 30
    state["tokenizer.embeddings"] *= 0.1
    add_surface(state, TINY)
    for name, tensor in state.items():
        if any(part in name for part in ("patch_embeddings", "cls_token", "position_embeddings")):
            tensor *= 0.05
        elif name.startswith("backbone.proj_in"):
            tensor *= 0.02
        elif name.startswith("backbone.proj_out"):
            tensor *= 0.2  # the ball stays in the cube
        elif name.startswith("image_tokenizer") and tensor.ndim == 2:
            tensor *= 8
        if any(part in name for part in ("query.weight", "key.weight", "to_q", "to_k")):
            tensor *= 4
    return {name: tensor.half().float() for name, tensor in state.items()}


def official_model(folder: Path, config: TripoSRConfig) -> torch.nn.Module:
    """The official network with these sizes, its weights random."""
    for name in ("rembg", "imageio"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchmcubes"] = types.SimpleNamespace(marching_cubes=_marching_cubes)
    sys.path.insert(0, str(folder))
    system = importlib.import_module("tsr.system")
    tokenizer = importlib.import_module("tsr.models.tokenizers.image")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(_image_sizes(config), file)
        file.flush()
        tokenizer.hf_hub_download = lambda **_: file.name
        return system.TSR(OmegaConf.create(_sizes(config))).eval()


def _image_sizes(config: TripoSRConfig) -> dict:
    """Those of facebook/dino-vitb16, but for what `config` says."""
    return {
        "hidden_size": config.image_width,
        "num_hidden_layers": config.image_layers,
        "num_attention_heads": config.image_heads,
        "intermediate_size": config.image_hidden,
        "image_size": config.native_grid * config.patch_size,
        "patch_size": config.patch_size,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "qkv_bias": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def _sizes(config: TripoSRConfig) -> dict:
    """The published configuration, but for what `config` says."""
    tokens = {"plane_size": config.plane_grid, "num_channels": config.width}
    backbone = {
        "in_channels": config.width,
        "num_attention_heads": config.heads,
        "attention_head_dim": config.width // config.heads,
        "num_layers": config.layers,
        "norm_num_groups": config.groups,
        "cross_attention_dim": config.image_width,
    }
    decoder = {
        "in_channels": 3 * config.plane_channels,
        "n_neurons": config.hidden_width,
        "n_hidden_layers": config.hidden_layers,
        "activation": "silu",
    }
    renderer = {
        "radius": config.radius,
        "feature_reduction": "concat",
        "density_activation": "exp",
        "density_bias": -1.0,
    }
    return {
        "cond_image_size": config.image_size,
        "image_tokenizer_cls": "tsr.models.tokenizers.image.DINOSingleImageTokenizer",
        "image_tokenizer": {},
        "tokenizer_cls": "tsr.models.tokenizers.triplane.Triplane1DTokenizer",
        "tokenizer": tokens,
        "backbone_cls": "tsr.models.transformer.transformer_1d.Transformer1D",
        "backbone": backbone,
        "post_processor_cls": "tsr.models.network_utils.TriplaneUpsampleNetwork",
        "post_processor": {"in_channels": config.width, "out_channels": config.plane_channels},
        "decoder_cls": "tsr.models.network_utils.NeRFMLP",
        "decoder": decoder,
        "renderer_cls": "tsr.models.nerf_renderer.TriplaneNeRFRenderer",
        "renderer": renderer,
    }


def _marching_cubes(values: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """torchmcubes' answer: vertices (z, y, x) in voxels, and faces."""
    vertices, faces, _, _ = skimage.measure.marching_cubes(
        values.numpy(), threshold, gradient_direction="ascent"
    )
    return torch.from_numpy(vertices[:, ::-1].copy()), torch.from_numpy(faces.astype(np.int64))


def load(model: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Nothing, after the official model took the weights, and zeros for its unused pooler."""
    width = len(state["image_tokenizer.model.layernorm.bias"])
    pooler = {f"{POOLER}.weight": torch.zeros(width, width), f"{POOLER}.bias": torch.zeros(width)}
    model.load_state_dict(state | pooler)


def picture(rng: np.random.Generator) -> np.ndarray:
    """Random smooth blotches on grey, uint8 (96, 96, 3)."""
    coarse = torch.from_numpy(rng.uniform(-0.2, 1.2, (1, 3, 8, 8)))
    smooth = torch.nn.functional.interpolate(coarse, size=(72, 72), mode="bicubic")[0]
    image = np.full((96, 96, 3), 128, np.uint8)
    image[12:84, 12:84] = (255 * smooth.clamp(0, 1)).byte().permute(1, 2, 0)
    return image


def stages(model: torch.nn.Module, image: np.ndarray) -> dict[str, Tensor]:
    """What leaves each stage: image tokens (M, C), backbone (C, N), planes (3, F, S, S)."""
    seen = {}
    for name, module in (("tokens", model.image_tokenizer), ("backbone", model.backbone)):
        module.register_forward_hook(lambda *call, name=name: seen.update({name: call[-1]}))
    planes = model([image], device="cpu")
    return {"tokens": seen["tokens"][0, 0].T, "backbone": seen["backbone"][0], "planes": planes[0]}


def sampled(name: str, values: Tensor, rng: np.random.Generator, count: int) -> dict:
    """At most `count` of the values with their flat indices, and the norm of all."""
    flat = values.flatten().numpy()
    index = np.sort(rng.choice(flat.size, min(count, flat.size), replace=False))
    norm = np.linalg.norm(flat.astype(np.float64))
    return {f"{name}_index": index.astype(np.int32), name: flat[index], f"{name}_norm": norm}


def answers(model: torch.nn.Module, planes: Tensor, rng: np.random.Generator, **sizes) -> dict:
    """Density and colour at points, and the vertices of the mesh, [voxel / VERTEX_UNIT]."""
    radius, resolution = model.renderer.cfg.radius, sizes["resolution"]
    points = rng.uniform(-radius, radius, (1000, 3)).astype(np.float32)
    points[:8] = radius * (2 * np.indices((2, 2, 2)).reshape(3, 8).T - 1)  # the cube's corners
    model.renderer.set_chunk_size(8192)
    found = model.renderer.query_triplane(model.decoder, torch.from_numpy(points), planes)
    mesh = model.extract_mesh(planes[None], False, resolution=resolution)[0]
    voxels = (mesh.vertices / radius + 1) / 2 * (resolution - 1)
    voxels = np.unique(np.rint(voxels * VERTEX_UNIT).astype(np.uint16), axis=0)
    chosen = np.sort(rng.permutation(len(voxels))[: sizes["vertex_count"]])
    return {
        "points": points,
        "density": found["density_act"][:, 0].numpy(),
        "colour": found["color"].numpy(),
        "resolution": resolution,
        "vertices": voxels[chosen],
        "vertex_count": len(voxels),
        "vertex_unit": VERTEX_UNIT,
    }


def make_tiny(official: Path) -> dict:
    rng = np.random.default_rng(1)
    image, state = picture(rng), tiny_state()
    model = official_model(official, TINY)
    load(model, state)
    found = stages(model, image)
    golden = {"picture": image} | {f"weights/{name}": t.half().numpy() for name, t in state.items()}
    for name, values in found.items():
        golden |= sampled(name, values, rng, count=2000)
    return golden | answers(model, found["planes"], rng, resolution=48, vertex_count=20_000)


def make_full(official: Path) -> dict:
    rng = np.random.default_rng(1)
    image, config = picture(rng), TripoSRConfig()
    state = random_state(config, torch.Generator().manual_seed(0))
    model = official_model(official, config)
    load(model, state)
    golden = {"picture": image}
    for name, values in stages(model, image).items():
        golden |= sampled(name, values, rng, count=400)
    add_surface(state, config)
    load(model, state)
    planes = stages(model, image)["planes"]
    return golden | answers(model, planes, rng, resolution=128, vertex_count=2000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--official", type=Path, required=True, help="folder that holds tsr/")
    parser.add_argument("sizes", nargs="+", choices=["tiny", "full"])
    arguments = parser.parse_args()
    makers = {"tiny": make_tiny, "full": make_full}
    configs = {"tiny": TINY, "full": TripoSRConfig()}
    for size in arguments.sizes:
        with torch.inference_mode():
            golden = makers[size](arguments.official)
        golden["config"] = json.dumps(dataclasses.asdict(configs[size]))
        np.savez_compressed(HERE / f"golden_{size}.npz", **golden)
        print(size, {name: np.shape(v) for name, v in golden.items() if "/" not in name})


if __name__ == "__main__":
    main()
