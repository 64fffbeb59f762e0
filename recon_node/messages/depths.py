# SPDX-License-Identifier: Apache-2.0
"""Depth images of messages as metres along the optical axis (REP 118)."""

import numpy as np

from recon_node.engines.errors import InvalidInputError
from recon_node.messages.images import pixel_array

# Of each encoding: the type of a sample, and metres per unit.
_DEPTHS = {
    "16UC1": (np.uint16, 0.001),
    "mono16": (np.uint16, 0.001),
    "32FC1": (np.float32, 1.0),
}


def depth_image(message: object) -> np.ndarray:
    """The depth of a `sensor_msgs/Image` along z, f32 (H, W) [m], NaN where it is not known.

    16UC1 is millimetres, 32FC1 metres. Zero, negative and infinite values mean unknown.

    Raises:
        InvalidInputError: Another encoding, or bytes that do not fit the size.
    """
    if message.encoding not in _DEPTHS:
        raise InvalidInputError(
            f"the depth has the encoding {message.encoding!r}, but must be 16UC1 [mm] or 32FC1 "
            f"[m]; known: {', '.join(_DEPTHS)}"
        )
    dtype, unit = _DEPTHS[message.encoding]
    depth = pixel_array(message, dtype, 1, "depth")[..., 0].astype(np.float32)
    if unit != 1.0:
        depth *= np.float32(unit)
    depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth
