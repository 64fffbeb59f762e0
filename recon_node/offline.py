# SPDX-License-Identifier: Apache-2.0
"""The pipeline without ROS: the files of a scene in, the files of its objects out."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.camera import View
from recon_node.engines.reconstruction import Engine, Reconstruction
from recon_node.ladder import reconstruct_or_hull
from recon_node.mask_files import MaskKind
from recon_node.output_files import write_files
from recon_node.result_files import result_files
from recon_node.scene_files import Scene, read_objects
from recon_node.warning_log import collected_warnings

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class WrittenObject:
    """One object whose files are complete.

    Attributes:
        result: What was written.
        directory: Where.
    """

    result: Reconstruction
    directory: Path


def reconstruct_scene(
    scene: Scene,
    engine: Engine,
    output: Path,
    *,
    mask_kind: MaskKind = MaskKind.AUTO,
    with_preview: bool = True,
) -> Iterator[WrittenObject]:
    """The objects of a scene, each after its files are on disk.

    Args:
        scene: The files to read.
        engine: Makes the meshes; the hull takes over where it finds no surface.
        output: Directory of the scene's results. A single object's files go there, those of
            several to object_001 … below.
        mask_kind: How mask values are read.
        with_preview: Draw preview.png.

    Raises:
        ReconstructionError: A file or a mask is unusable, or nothing can be written. Objects that
            came before are complete, and nothing of this one is left.
    """
    with collected_warnings() as warnings:
        started = time.perf_counter()
        for item in read_objects(scene, mask_kind=mask_kind):
            read_s = time.perf_counter() - started
            read_warnings = tuple(warnings)
            result = reconstruct_or_hull(engine, item.view, object_id=item.object_id)
            for warning in result.warnings:
                _logger.warning("%s: %s", item.object_id, warning)
            result = dataclasses.replace(
                result,
                metrics={"read_s": read_s, **result.metrics},
                warnings=(*read_warnings, *result.warnings),
            )
            contents = result_files(
                result, item.view, inputs=_inputs(scene, item.view), with_preview=with_preview
            )
            directory = output / item.folder
            write_files(directory, contents)
            yield WrittenObject(result, directory)
            warnings[:] = read_warnings
            started = time.perf_counter()


def _inputs(scene: Scene, view: View) -> dict[str, object]:
    return {
        "image": str(scene.image),
        "masks": [str(path) for path in scene.masks],
        "depth": None if scene.depth is None else str(scene.depth),
        "camera": None if scene.camera is None else str(scene.camera),
        "K": view.camera.K.tolist(),
    }
