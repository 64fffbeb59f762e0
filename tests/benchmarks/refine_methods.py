# SPDX-License-Identifier: Apache-2.0
"""The methods that turn keyframes into a mesh, behind one interface: views in, world mesh out."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from recon_node.engines import load_engine
from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import require_package
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Reconstruction


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method made.

    Attributes:
        mesh: In the world [m].
        render: Draws the object before white from a camera, where the method can.
        notes: Figures and sentences about the run, for its row.
    """

    mesh: Mesh
    render: Callable[[Camera], np.ndarray] | None = None
    notes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """What a refinement may spend.

    Attributes:
        seconds: Of wall time for recon, of its core's time for the NeRF.
        steps: Of recon, in place of seconds, so that other load on the machine takes nothing
            from it; 0: seconds count.
    """

    seconds: float
    steps: int = 0


@functools.cache
def _engine():
    return load_engine("compact")


def _in_world(reconstruction: Reconstruction) -> Mesh:
    return reconstruction.mesh.transformed(reconstruction.T_world_object)


def instant(views: Sequence[View], limit: Limit) -> Answer:
    """The compact engine's mesh of the first view."""
    return Answer(_in_world(_engine().reconstruct([views[0]])))


def tsdf(views: Sequence[View], limit: Limit) -> Answer:
    """Fusion of the masked depth by Open3D."""
    from recon_node.evaluation.tsdf_fusion import fuse_tsdf

    return Answer(fuse_tsdf(views))


def nerf(views: Sequence[View], limit: Limit) -> Answer:
    """A hash-grid NeRF in plain torch."""
    from nerf_baseline import Nerf

    fitted = Nerf(views, budget=limit.seconds)
    return Answer(fitted.mesh(), fitted.render, {"steps": fitted.steps})


def recon(views: Sequence[View], limit: Limit) -> Answer:
    """The refiner, cameras corrected; the instant mesh where it finds nothing better."""
    return _refined(views, limit, correct_cameras=True)


def recon_no_pose(views: Sequence[View], limit: Limit) -> Answer:
    """The refiner with the cameras left where they were said to be."""
    return _refined(views, limit, correct_cameras=False)


def _refined(views: Sequence[View], limit: Limit, *, correct_cameras: bool) -> Answer:
    from recon_node.engines.keyframes.keyframe import make_keyframe
    from recon_node.engines.keyframes.opinions import with_opinions
    from recon_node.engines.refine.config import RefineConfig

    refine = require_package("recon_node.engines.refine.refine", extra="torch").refine
    start = _engine().reconstruct([views[0]])
    config = RefineConfig(
        budget=0.0 if limit.steps else limit.seconds,
        steps=limit.steps,
        correct_cameras=correct_cameras,
    )
    versions: list[float] = []
    progress: list[float] = []
    outcome = refine(
        with_opinions([make_keyframe(view) for view in views], _engine()),
        start,
        config,
        on_progress=lambda report: progress.append(report.elapsed_s),
        on_version=lambda version: versions.append(progress[-1] if progress else 0.0),
        cancelled=lambda: False,
        paused=lambda: False,
    )
    notes = {
        "steps": outcome.steps,
        "refine_seconds": round(outcome.seconds, 1),
        "message": outcome.message,
        "version_seconds": [round(seconds, 1) for seconds in versions],
        "fell_back": outcome.result is None,
    }
    return Answer(_in_world(outcome.result or start), notes=notes)


METHODS = {
    method.__name__: method for method in (instant, tsdf, nerf, recon, recon_no_pose)
}
