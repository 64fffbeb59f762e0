# SPDX-License-Identifier: Apache-2.0
"""The compact engine: one view to a complete mesh in one pass of our own small network."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recon_node.engines.annotation import SigmaModel, annotate
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.camera import View
from recon_node.engines.crop import crop_view
from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.isosurface import extract_isosurface
from recon_node.engines.lrm.field import CompactField, network_input
from recon_node.engines.lrm.networks import DECODER, ENCODER, WEIGHTS_DIRECTORY, WEIGHTS_FILE
from recon_node.engines.lrm.weights_file import checked_weights
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, Stage
from recon_node.engines.single_view import answer, first_view
from recon_node.kernels.warp_start import load_kernels

RESOLUTION = 128
LIPSCHITZ = 1.0  # that of a distance; the network is steeper only beside measured surfaces
SIGMA = SigmaModel(measured=0.01, seen=0.06, guessed=0.08)


class CompactEngine:
    """Reconstructs with the compact large reconstruction model that recon ships.

    Args:
        backend: One of `recon_node.engines.backends.backend.BACKENDS`.
        weights: Folder of weights and graphs; those shipped by default.
        options: How the backend runs.

    Raises:
        WeightsError: The weights are missing or corrupt.
    """

    name = "compact"

    def __init__(
        self,
        *,
        backend: str = "onnxruntime",
        weights: Path | None = None,
        options: BackendOptions | None = None,
    ):
        load_kernels("lattice_bounds", "marching_cubes", "ray_cast")
        weights = weights or WEIGHTS_DIRECTORY
        self.weights_note = _weights_note(weights)
        self._encoder = load_backend(backend, ENCODER, weights, options)
        self._decoder = load_backend(backend, DECODER, weights, options)

    @property
    def backend(self) -> str:
        """What runs the network now, for people."""
        return self._encoder.status

    def reconstruct(self, views: Sequence[View], *, object_id: str = "object") -> Reconstruction:
        """A complete watertight mesh of the object in the first view.

        Args:
            views: One view; further ones are not used, and a warning says so.
            object_id: Name of the object.

        Returns:
            The reconstruction: metric with depth, else in units of the distance to the object.

        Raises:
            InvalidInputError: There is no view, or its mask is empty or too small.
            EmptySurfaceError: The network saw no surface; the hull engine still answers.
        """
        view, warnings = first_view(views, engine=self.name)
        clock = [time.perf_counter()]
        crop = crop_view(view)
        clock.append(time.perf_counter())
        inputs = network_input(crop)
        field = CompactField(self._decoder, inputs, self._encoder.run(inputs))
        clock.append(time.perf_counter())
        surface = _largest_parts(field)
        clock.append(time.perf_counter())
        mesh = annotate(
            surface.vertices,
            surface.faces,
            crop,
            hidden_colors=lambda points: 255.0 * field.colours(points),
            sigma=SIGMA,
        )
        clock.append(time.perf_counter())
        steps = ("crop_s", "backend_s", "surface_s", "colour_s")
        return answer(
            crop,
            mesh,
            object_id=object_id,
            engine=self,
            stage=Stage.INSTANT,
            seconds=dict(zip(steps, np.diff(clock).tolist(), strict=True)),
            warnings=warnings,
        )


def _weights_note(weights: Path) -> str:
    path = weights / WEIGHTS_FILE
    digest = checked_weights(path)
    licence = "Apache-2.0" if weights == WEIGHTS_DIRECTORY else "licence not known"
    return f"recon's compact model; {licence}; float16; {path}; sha256 {digest[:12]}"


def _largest_parts(field: CompactField) -> Mesh:
    """The field's surface without crumbs and inner cavities, in canonical coordinates."""
    surface = extract_isosurface(field.sdf, resolution=RESOLUTION, lipschitz=LIPSCHITZ)
    mesh = Mesh(surface.vertices, surface.faces)
    if mesh.volume <= 0:
        raise EmptySurfaceError(
            "the network saw only a speck; look at the mask, or use --engine hull"
        )
    return mesh.keep_large_components()
