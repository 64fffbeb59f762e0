# SPDX-License-Identifier: Apache-2.0
"""What a camera saw at one moment, as the engines want it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recon_node.engines.camera import Camera, View
from recon_node.engines.errors import EmptyMaskError
from recon_node.messages.cameras import camera_of
from recon_node.messages.depths import depth_image
from recon_node.messages.images import LabelImage, color_image, compressed_image, label_image
from recon_node.streams.frame_join import Joined


@dataclass(frozen=True, eq=False)
class Frame:
    """Image, labels, camera and depth of one moment; pixels are converted when first asked for.

    Attributes:
        stamp_ns: Of the image [ns].
        frame_id: Of the camera (optical).
        image: sensor_msgs Image or CompressedImage.
        labels: The objects of the mask.
        depth: sensor_msgs Image, or None.
        camera: Of the size of the image, with T_world_camera.
        output_frame: The world of T_world_camera: `frame_id` itself where nothing says more.
        arrived: When the last of its messages came [s] of `time.monotonic()`.
    """

    stamp_ns: int
    frame_id: str
    image: object
    labels: LabelImage
    depth: object | None
    camera: Camera
    output_frame: str
    arrived: float

    @classmethod
    def of(
        cls,
        joined: Joined,
        camera_info: object,
        output_frame: str,
        T_output_camera: np.ndarray,
    ) -> Frame:
        """The frame of joined messages, its mask and its camera checked.

        Args:
            joined: Image, mask and perhaps depth of a moment.
            camera_info: sensor_msgs CameraInfo of the image.
            output_frame: The world of the camera's pose.
            T_output_camera: The pose (4, 4) rigid [m].

        Raises:
            InvalidInputError: The mask is no label image, or the camera is not calibrated.
        """
        messages = joined.messages
        return cls(
            stamp_ns=joined.stamp_ns,
            frame_id=messages["image"].header.frame_id,
            image=messages["image"],
            labels=label_image(messages["mask"]),
            depth=messages.get("depth"),
            camera=camera_of(camera_info, T_output_camera),
            output_frame=output_frame,
            arrived=joined.arrived,
        )

    @cached_property
    def color(self) -> np.ndarray:
        """The image: u8 (H, W, 3) sRGB.

        Raises:
            InvalidInputError: Its encoding or its data cannot be used.
        """
        is_compressed = hasattr(self.image, "format")
        return compressed_image(self.image) if is_compressed else color_image(self.image)

    @cached_property
    def depth_map(self) -> np.ndarray | None:
        """The depth: f32 (H, W) [m] along z, NaN unknown; None where there is none.

        Raises:
            InvalidInputError: Its encoding or its data cannot be used.
        """
        return None if self.depth is None else depth_image(self.depth)

    def view(self, value: int) -> View:
        """What is seen of one object.

        Args:
            value: Of the object in the labels.

        Raises:
            EmptyMaskError: No pixel has the value.
            InvalidInputError: Image, mask, depth and camera differ in size, or one of them cannot
                be used.
        """
        if value not in self.labels.values:
            known = ", ".join(map(str, self.labels.values)) or "none"
            raise EmptyMaskError(f"the mask has no pixel of the value {value}; it has: {known}")
        mask = self.labels.mask(value)
        return View(self.color, mask, self.camera, self.depth_map, self.stamp_ns)
