# SPDX-License-Identifier: Apache-2.0
"""The way from picture to mesh that the official TripoSR code takes, with our network's layers.

In float32 and eager torch, nothing computed ahead: the network for one image, then density and
colour at all points of the grid in pieces of 8192, all outputs and both activations kept,
marching cubes on the dense field, the network's answer once more at the vertices, and a mesh that
trimesh merges. Where it is kinder than the original, it is faster: weights are mapped, not copied,
and the image transformer's attention is fused, as only the triplane's is there.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
import trimesh
from stage_clock import StageClock
from torch import Tensor

from recon_node.engines.camera import View
from recon_node.engines.lrm.triposr.model import TripoSR
from recon_node.engines.lrm.triposr.presets import TRIPOSR
from recon_node.kernels.marching_cubes import marching_cubes

CHUNK = 8192  # points
GREY = 0.5
PLANE_AXES = ((0, 1), (0, 2), (1, 2))

Answers = dict[str, Tensor]


def network_image(view: View, size: int) -> Tensor:
    """The object on grey, (1, 3, size, size): its box padded to a square, then to the ratio."""
    rows, columns = (np.flatnonzero(view.mask.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1]), slice(columns[0], columns[-1])  # the last of each is left out
    alpha = view.mask[box][..., None].astype(np.float32)
    picture = np.concatenate([view.image[box] / np.float32(255.0), alpha], axis=2)
    for ratio in (1.0, TRIPOSR.foreground_ratio):
        side = int(max(picture.shape[:2]) / ratio)
        missing = [side - length for length in picture.shape[:2]]
        padding = [(count // 2, count - count // 2) for count in missing]
        picture = np.pad(picture, [*padding, (0, 0)])
    colour, alpha = picture[..., :3], picture[..., 3:]
    flat = np.uint8(255.0 * (colour * alpha + GREY * (1 - alpha)))
    tensor = torch.from_numpy(flat).permute(2, 0, 1)[None].float() / 255.0
    return F.interpolate(tensor, (size, size), mode="bilinear", antialias=True)


def query(model: TripoSR, planes: Tensor, points: Tensor) -> Answers:
    """The decoder's four outputs and their activations at points (N, 3), by name, (N, …)."""
    where = points / model.config.radius
    pairs = torch.stack([where[:, axes] for axes in PLANE_AXES])[:, None]  # (3, 1, N, 2)
    sampled = F.grid_sample(planes, pairs, mode="bilinear", align_corners=False)  # (3, F, 1, N)
    features = sampled[:, :, 0].permute(2, 0, 1).flatten(1)  # (N, 3 F)
    raw, logits = model.decoder.layers(features).split([1, 3], dim=1)
    return {
        "raw": raw,
        "logits": logits,
        "density": torch.exp(raw - 1.0),
        "colour": torch.sigmoid(logits),
    }


def in_chunks(answer: Callable[[Tensor], Answers], points: Tensor) -> Answers:
    """The answers at all points, asked for a chunk of them at a time."""
    parts = [answer(chunk) for chunk in points.split(CHUNK)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def dense_mesh(
    model: TripoSR, view: View, clock: StageClock, *, resolution: int
) -> tuple[trimesh.Trimesh, Tensor]:
    """The coloured mesh, and the planes (3, F, S, S) that it was made from.

    Args:
        model: The network.
        view: Its mask says where the object is.
        clock: Measures the stages.
        resolution: Samples a side of the grid.
    """
    radius = model.config.radius
    with clock.stage("crop"):
        image = network_image(view, model.config.image_size)
    with clock.stage("backend"):
        with clock.stage("image tokenizer"):
            tokens = model.image_tokens(image)
        with clock.stage("backbone"):
            tokens = model.plane_tokens(tokens)
        planes = model.planes(tokens)[0]
    with clock.stage("dense query"):
        axis = torch.linspace(0, 1, resolution)
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).view(-1, 3)
        points = radius * (2 * grid - 1)
        answers = in_chunks(lambda chunk: query(model, planes, chunk), points)
    with clock.stage("marching cubes"):
        levels = TRIPOSR.density_threshold - answers["density"].view(3 * (resolution,))
        spacing = 2 * radius / (resolution - 1)
        vertices, faces = marching_cubes(
            levels.numpy(), origin=(-radius,) * 3, spacing=spacing, closed=False
        )
    with clock.stage("colours"):
        found = torch.from_numpy(vertices)
        colours = in_chunks(lambda chunk: query(model, planes, chunk), found)["colour"]
    with clock.stage("merge"):
        mesh = trimesh.Trimesh(vertices, faces, vertex_colors=colours.numpy())
    return mesh, planes
