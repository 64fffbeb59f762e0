# SPDX-License-Identifier: Apache-2.0
"""The surface a backend sees, before anything moves or paints it: what backends are compared by."""

from pathlib import Path

import numpy as np

from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.camera import View
from recon_node.engines.crop import crop_view
from recon_node.engines.density_surface import extract_density_surface
from recon_node.engines.isosurface import extract_isosurface
from recon_node.engines.lrm import networks as compact
from recon_node.engines.lrm.engine import LIPSCHITZ, RESOLUTION
from recon_node.engines.lrm.field import CompactField, network_input
from recon_node.engines.lrm.triposr import networks as triposr
from recon_node.engines.mesh import Mesh
from recon_node.engines.triplane import TriplaneField


def compact_surfaces(
    views: list[View], backend: str, options: BackendOptions, weights: Path
) -> list[Mesh]:
    """Surfaces of views through the compact network, in voxels of its engine's lattice.

    Args:
        views: One object each.
        backend: Name of the backend.
        options: Its options.
        weights: Folder of weights and graphs.
    """
    encoder, decoder = (
        load_backend(backend, network, weights, options)
        for network in (compact.ENCODER, compact.DECODER)
    )
    surfaces = []
    for view in views:
        inputs = network_input(crop_view(view))
        field = CompactField(decoder, inputs, encoder.run(inputs))
        surface = extract_isosurface(field.sdf, resolution=RESOLUTION, lipschitz=LIPSCHITZ)
        voxels = surface.vertices * np.float32(RESOLUTION / 2)
        surfaces.append(Mesh(voxels, surface.faces).keep_large_components())
    return surfaces


def triposr_surfaces(
    images: np.ndarray, backend: str, options: BackendOptions, weights: Path, *, resolution: int
) -> list[Mesh]:
    """Surfaces of images through a network of the TripoSR family, in voxels.

    Args:
        images: sRGB in [0, 1] on grey, f32 (B, 3, 512, 512).
        backend: Name of the backend.
        options: Its options.
        weights: Folder of weights and graphs, or a checkpoint.
        resolution: Samples a side.
    """
    encoder = load_backend(backend, triposr.ENCODER, weights, options)
    planes = [encoder.run({"image": image[None]})["planes"][0] for image in images]
    del encoder  # a large one; the decoder is small
    decoder = load_backend(backend, triposr.DECODER, weights, options)
    surfaces = []
    for plane in planes:
        field = TriplaneField(decoder, plane)
        surface = extract_density_surface(field, resolution=resolution)
        voxels = surface.vertices * np.float32((resolution - 1) / (2 * field.half_extent))
        surfaces.append(Mesh(voxels, surface.faces).keep_large_components())
    return surfaces
