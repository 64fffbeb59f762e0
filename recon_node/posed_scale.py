# SPDX-License-Identifier: Apache-2.0
"""The scale of an object in several posed pictures: from its depth, else from their places."""

import dataclasses
import math

from recon_node.engines.keyframes.triangulated_scale import triangulated_scale, with_scale
from recon_node.engines.reconstruction import Reconstruction, ScaleSource
from recon_node.scene_files import SceneObject

_PLAUSIBLE = 0.15  # disagreement of depth and places that is not worth a word, as a logarithm


def with_scale_of_views(result: Reconstruction, item: SceneObject) -> Reconstruction:
    """The result of an object's first view, in metres where its further views tell the scale.

    Args:
        result: Made from the first view.
        item: The object with its keyframes.
    """
    views = [keyframe.view for keyframe in item.keyframes]
    if len(views) < 2:
        return result
    found = triangulated_scale(result, views)
    if result.scale_source is ScaleSource.NONE and found is not None:
        return with_scale(result, item.view, found)
    if result.scale_source is ScaleSource.NONE:
        return _warned(
            result,
            f"the {len(views)} cameras see the object from nearly the same side, or not in front "
            "of them, so the scale stays unknown; check their places, or give depth",
        )
    if found is not None and abs(math.log(found.scale)) > max(_PLAUSIBLE, 3 * found.sigma):
        return _warned(
            result,
            f"by the places of the cameras the object is {found.scale:.2f} times as far and as "
            "large as by its depth; check the unit of both (--depth-unit, T_world_camera in m)",
        )
    return result


def _warned(result: Reconstruction, warning: str) -> Reconstruction:
    return dataclasses.replace(result, warnings=(*result.warnings, warning))
