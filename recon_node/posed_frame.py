# SPDX-License-Identifier: Apache-2.0
"""One picture whose camera is known, as the files that say so name it."""

from dataclasses import dataclass
from pathlib import Path

from recon_node.engines.camera import Camera


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """The files of one picture, and where it was taken from.

    Attributes:
        image: Colour picture.
        camera: Intrinsics, and `T_world_camera` [m] with OpenCV's camera axes.
        mask: Mask or label image, or None: a file beside the image, or its transparency.
        depth: Depth map in the size of the picture, or None.
        depth_unit: Metres per stored depth unit, or None for the default of the file's type.
    """

    image: Path
    camera: Camera
    mask: Path | None = None
    depth: Path | None = None
    depth_unit: float | None = None
