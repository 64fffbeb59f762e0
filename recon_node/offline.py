# SPDX-License-Identifier: Apache-2.0
"""The pipeline without ROS: the files of a scene in, the files of its objects out."""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.keyframes.keyframe import Keyframe
from recon_node.engines.keyframes.opinions import with_opinions
from recon_node.engines.reconstruction import Engine, Reconstruction
from recon_node.engines.refine.config import RefineConfig
from recon_node.interruption import noted_interruption
from recon_node.ladder import reconstruct_or_hull
from recon_node.mask_files import MaskKind
from recon_node.offline_refinement import (
    CHECKPOINT,
    keyframes_of,
    refine_object,
    refinement_files,
)
from recon_node.output_files import write_files
from recon_node.posed_frames import PosedScene
from recon_node.posed_scale import with_scale_of_views
from recon_node.posed_views import read_posed_objects
from recon_node.refine_record import Moment, RefineRecord
from recon_node.result_files import result_files
from recon_node.scene_files import Scene, SceneObject, read_objects
from recon_node.turntable import turntable_gif
from recon_node.warning_log import collected_warnings

_logger = logging.getLogger(__name__)


def ignore_moment(item: SceneObject, moment: Moment) -> None:
    """Shows nothing of a refinement."""


@dataclass(frozen=True)
class Wishes:
    """What is to be made of each object.

    Attributes:
        mask_kind: How mask values are read.
        with_preview: Draw preview.png.
        with_turntable: Draw turntable.gif.
        refine: What a refinement may spend, or None for the instant mesh.
        on_moment: Told of each step of a refinement, with the object.
    """

    mask_kind: MaskKind = MaskKind.AUTO
    with_preview: bool = True
    with_turntable: bool = False
    refine: RefineConfig | None = None
    on_moment: Callable[[SceneObject, Moment], None] = ignore_moment


@dataclass(frozen=True, eq=False)
class WrittenObject:
    """One object whose files are complete.

    Attributes:
        result: What was written.
        directory: Where.
        refinement: How it was refined, or None where that was not asked for.
    """

    result: Reconstruction
    directory: Path
    refinement: RefineRecord | None = None


def reconstruct_scene(
    scene: Scene | PosedScene, engine: Engine, output: Path, wishes: Wishes
) -> Iterator[WrittenObject]:
    """The objects of a scene, each after its files are on disk.

    Ctrl-C while an object is refined ends that within a step and keeps the best; objects after it
    are not refined.

    Args:
        scene: The files to read.
        engine: Makes the meshes; the hull takes over where it finds no surface.
        output: Directory of the scene's results. A single object's files go there, those of
            several to object_001 … below.
        wishes: What is to be made.

    Raises:
        ReconstructionError: A file or a mask is unusable, or nothing can be written. Objects that
            came before are complete, and nothing of this one is left.
    """
    with collected_warnings() as warnings:
        started = time.perf_counter()
        for item in _objects(scene, wishes.mask_kind):
            read_s = time.perf_counter() - started
            read_warnings = tuple(warnings)
            result = with_scale_of_views(
                reconstruct_or_hull(engine, item.view, object_id=item.object_id), item
            )
            for warning in result.warnings:
                _logger.warning("%s: %s", item.object_id, warning)
            result = dataclasses.replace(
                result,
                metrics={"read_s": read_s, **result.metrics},
                warnings=(*read_warnings, *result.warnings),
            )
            directory = output / item.folder
            contents, refinement = {}, None
            if wishes.refine is not None:
                known = len(warnings)
                keyframes = with_opinions(keyframes_of(item, result), engine)
                refinement = _refinement(item, keyframes, result, directory, wishes)
                contents = refinement_files(refinement, keyframes)
                result = _with_refinement(result, refinement, warnings[known:])
                if refinement.cancelled:
                    wishes = dataclasses.replace(wishes, refine=None)
            if wishes.with_turntable:
                contents["turntable.gif"] = turntable_gif(item.view, result)
            contents |= result_files(
                result,
                item.view,
                inputs=_inputs(scene, item),
                with_preview=wishes.with_preview,
            )
            write_files(directory, contents)
            yield WrittenObject(result, directory, refinement)
            warnings[:] = read_warnings
            started = time.perf_counter()


def _objects(scene: Scene | PosedScene, mask_kind: MaskKind) -> Iterable[SceneObject]:
    read = read_posed_objects if isinstance(scene, PosedScene) else read_objects
    return read(scene, mask_kind=mask_kind)


def _refinement(
    item: SceneObject,
    keyframes: tuple[Keyframe, ...],
    start: Reconstruction,
    directory: Path,
    wishes: Wishes,
) -> RefineRecord:
    with noted_interruption() as is_interrupted:
        return refine_object(
            keyframes,
            start,
            wishes.refine,
            checkpoint=directory / CHECKPOINT,
            on_moment=lambda moment: wishes.on_moment(item, moment),
            cancelled=is_interrupted,
        )


def _with_refinement(
    start: Reconstruction, record: RefineRecord, logged: Sequence[str]
) -> Reconstruction:
    """What is written in the end: the refined result or the start, with figures of both."""
    ended = start if record.result is None else record.result
    metrics = {"refine_s": record.seconds, "refine_steps": record.step_count}
    news = [text for text in (*logged, *ended.warnings) if text not in start.warnings]
    return dataclasses.replace(
        ended,
        metrics={**start.metrics, **ended.metrics, **metrics},
        warnings=(*start.warnings, *news, *([record.message] if record.result is None else [])),
    )


def _inputs(scene: Scene | PosedScene, item: SceneObject) -> dict[str, object]:
    if isinstance(scene, PosedScene):
        return {
            "cameras": str(scene.cameras),
            "images": [str(frame.image) for frame in scene.frames],
            "keyframe_count": len(item.keyframes),
            "K": item.view.camera.K.tolist(),
            "T_world_camera": item.view.camera.T_world_camera.tolist(),
        }
    return {
        "image": str(scene.image),
        "masks": [str(path) for path in scene.masks],
        "depth": None if scene.depth is None else str(scene.depth),
        "camera": None if scene.camera is None else str(scene.camera),
        "K": item.view.camera.K.tolist(),
    }
