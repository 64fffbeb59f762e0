# SPDX-License-Identifier: Apache-2.0
"""What the engines that look at one view have in common: which view, and how they answer."""

from collections.abc import Mapping, Sequence

import numpy as np

from recon_node.engines.camera import View
from recon_node.engines.crop import Crop
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Engine, Reconstruction, ScaleSource, Stage

SCALE_SIGMA_DEPTH = 0.02  # relative; half a percent to two of depth is usual for a stereo camera


def first_view(views: Sequence[View], *, engine: str) -> tuple[View, tuple[str, ...]]:
    """The view to look at, and a warning if there are more.

    Args:
        views: As an engine is given them.
        engine: Its name.

    Raises:
        InvalidInputError: There is no view.
    """
    if not views:
        raise InvalidInputError(f"the {engine} engine was given no view; give one with a mask")
    if len(views) == 1:
        return views[0], ()
    return views[0], (f"the {engine} engine used the first of {len(views)} views only",)


def answer(
    crop: Crop,
    mesh: Mesh,
    *,
    object_id: str,
    engine: Engine,
    stage: Stage,
    seconds: Mapping[str, float],
    warnings: tuple[str, ...],
) -> Reconstruction:
    """The reconstruction of a crop's object: metric with depth, else in units of its distance.

    Args:
        crop: What the engine looked at.
        mesh: What it made of it, in the object's frame, whose axes are the cube's.
        object_id: Name of the object.
        engine: What made it.
        stage: Rung of the quality ladder.
        seconds: Time that each step took, by names of metrics; their sum is added to them.
        warnings: For the user, beside those of the crop.
    """
    return Reconstruction(
        object_id=object_id,
        version=1,
        parent_version=None,
        stage=stage,
        mesh=mesh,
        T_world_object=crop.S_world_canonical.rigid(),
        scale_source=crop.scale_source,
        scale_sigma=np.inf if crop.scale_source is ScaleSource.NONE else SCALE_SIGMA_DEPTH,
        engine=engine.name,
        view_count=1,
        weights_note=engine.weights_note,
        metrics={
            **seconds,
            "total_s": sum(seconds.values()),
            "truncated": float(crop.truncated),
        },
        warnings=crop.warnings + warnings,
    )
