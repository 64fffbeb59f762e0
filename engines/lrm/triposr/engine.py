# SPDX-License-Identifier: Apache-2.0
"""The triposr engine: one view to a complete mesh through public weights of TripoSR or Real3D."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recon_node.engines.annotation import SigmaModel, annotate
from recon_node.engines.backends.backend import load_backend
from recon_node.engines.backends.options import BackendOptions
from recon_node.engines.camera import View
from recon_node.engines.crop import Crop, crop_view
from recon_node.engines.density_surface import extract_density_surface
from recon_node.engines.errors import EmptySurfaceError
from recon_node.engines.lrm.triposr.config import TripoSRConfig
from recon_node.engines.lrm.triposr.networks import DECODER, ENCODER, WEIGHTS_FILE
from recon_node.engines.lrm.triposr.placement import at_measured_depth, outline_scale
from recon_node.engines.lrm.triposr.presets import Preset
from recon_node.engines.lrm.triposr.source import identify, weights_file
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction, Stage
from recon_node.engines.single_view import answer, first_view
from recon_node.engines.triplane import TriplaneField
from recon_node.kernels.warp_start import load_kernels

RESOLUTION = 256  # of the official mesh
SIZE = TripoSRConfig.image_size
GREY = 127  # of the background: half of 255, which the official code cuts to a whole number
# Not measured, because no public weights were at hand: more than what the compact model errs.
SIGMA = SigmaModel(measured=0.02, seen=0.1, guessed=0.15)


class TripoSREngine:
    """Reconstructs with a network of the TripoSR family, whose weights the user brings.

    Args:
        backend: One of `recon_node.engines.backends.backend.BACKENDS`.
        weights: A checkpoint, a folder that holds one or an exported network, or a Hugging Face
            repository.
        options: How the backend runs.

    Raises:
        WeightsError: The weights are missing, corrupt, or those of another model.
    """

    name = "triposr"

    def __init__(
        self,
        *,
        backend: str = "onnxruntime",
        weights: Path | None = None,
        options: BackendOptions | None = None,
    ):
        path = weights_file(weights)
        source = identify(path)
        load_kernels("brick_lattice", "marching_cubes", "ray_cast")
        self.weights_note = str(source)
        self._preset = source.preset
        is_exported = path.name == WEIGHTS_FILE and (path.parent / ENCODER.graph_file).is_file()
        place = path.parent if is_exported else path
        self._encoder = load_backend(backend, ENCODER, place, options)
        self._decoder = load_backend(backend, DECODER, place, options)

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
        crop = crop_view(_on_grey(view), size=SIZE, fill=self._preset.foreground_ratio)
        clock.append(time.perf_counter())
        planes = self._encoder.run({"image": _network_input(crop)})["planes"][0]
        field = TriplaneField(self._decoder, planes)
        clock.append(time.perf_counter())
        surface = _largest_parts(field, self._preset)
        clock.append(time.perf_counter())
        scale = outline_scale(surface.vertices / self._preset.half_field, crop)
        scale /= self._preset.half_field  # canonical lengths of a unit of the model
        points = scale * surface.vertices
        if crop.depth is not None:
            crop, warnings = _at_depth(points, surface.faces, crop, warnings)
        mesh = annotate(
            points,
            surface.faces,
            crop,
            hidden_colors=lambda hidden: 255.0 * field.colours(hidden / np.float32(scale)),
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


def _on_grey(view: View) -> View:
    """The view with its background replaced before anything is blended with it."""
    return dataclasses.replace(view, image=np.where(view.mask[..., None], view.image, GREY))


def _network_input(crop: Crop) -> np.ndarray:
    """sRGB in [0, 1], f32 (1, 3, S, S)."""
    return np.ascontiguousarray(np.moveaxis(crop.image, -1, 0)[None] / np.float32(255.0))


def _largest_parts(field: TriplaneField, preset: Preset) -> Mesh:
    """The field's surface without crumbs and inner cavities, in the model's units."""
    surface = extract_density_surface(
        field, resolution=RESOLUTION, iso=preset.density_threshold
    )
    mesh = Mesh(surface.vertices, surface.faces)
    if mesh.volume <= 0:
        raise EmptySurfaceError(
            "the network saw only a speck; look at the mask, or use --engine hull"
        )
    return mesh.keep_large_components()


def _at_depth(
    points: np.ndarray, faces: np.ndarray, crop: Crop, warnings: tuple[str, ...]
) -> tuple[Crop, tuple[str, ...]]:
    """The crop at the measured depth, or as it was, with a warning."""
    placed = at_measured_depth(points, faces, crop)
    if placed is not None:
        return placed, warnings
    return crop, (
        *warnings,
        "the network's shape lies beside the measured depth; it is placed by the nearest of it",
    )
