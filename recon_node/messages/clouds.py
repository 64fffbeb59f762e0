# SPDX-License-Identifier: Apache-2.0
"""Points on the surfaces of objects as `sensor_msgs/PointCloud2`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recon_node.engines.errors import require_package
from recon_node.engines.surface_samples import sample_surface
from recon_node.engines.transforms import transform_points
from recon_node.messages.sequences import extend
from recon_node.messages.stamps import set_stamp
from recon_node.provenance_colors import NO_COLOR
from recon_node.streams.object_store import StoredObject

if TYPE_CHECKING:
    from sensor_msgs.msg import PointCloud2

# rviz and PCL read colours as the bytes 0x00RRGGBB of a number that is declared a float.
_LAYOUT = {
    "x": "<f4",
    "y": "<f4",
    "z": "<f4",
    "normal_x": "<f4",
    "normal_y": "<f4",
    "normal_z": "<f4",
    "rgb": "<u4",
    "sigma": "<f4",
    "label": "<u4",
    "provenance": "u1",
}
_POINT_STEP = 40  # [bytes], a multiple of 4: the last three are padding
POINT = np.dtype(
    {
        "names": list(_LAYOUT),
        "formats": list(_LAYOUT.values()),
        "offsets": [4 * i for i in range(len(_LAYOUT))],
        "itemsize": _POINT_STEP,
    }
)
_UINT8, _UINT32, _FLOAT32 = 2, 6, 7  # sensor_msgs/PointField
_DATATYPES = dict.fromkeys(_LAYOUT, _FLOAT32) | {"label": _UINT32, "provenance": _UINT8}


def surface_points(
    objects: Sequence[StoredObject], *, points_per_object: int, frame_id: str, seed: int
) -> np.ndarray:
    """Points on the objects' surfaces, uniform by area, (N,) of type `POINT`.

    Coordinates [m] and normals are in the output frame; `label` is the object's value in the
    mask, `provenance` and `sigma` [m] are those of `engines.surface_samples`. An object draws the
    same points whatever other objects there are.

    Args:
        objects: The objects; one that is in another frame is left out, as only TF could move it.
        points_per_object: Points on each.
        frame_id: The output frame.
        seed: Of the points.
    """
    chosen = [stored for stored in objects if stored.frame_id == frame_id]
    points = np.zeros((len(chosen), points_per_object), POINT)
    for stored, cloud in zip(chosen, points, strict=True):
        _fill(cloud, stored, seed)
    return points.ravel()


def surface_cloud(
    objects: Sequence[StoredObject],
    *,
    points_per_object: int,
    stamp_ns: int,
    frame_id: str,
    seed: int,
) -> PointCloud2:
    """The points of `surface_points` as a message of rclpy.

    Its fields are x y z, normal_x normal_y normal_z, rgb (packed as rviz and PCL expect), sigma,
    label and provenance.

    Args:
        objects: The objects.
        points_per_object: Points on each.
        stamp_ns: Of the message [ns].
        frame_id: The output frame.
        seed: Of the points.

    Raises:
        MissingPackageError: sensor_msgs is not installed.
    """
    messages = require_package("sensor_msgs.msg", extra="ros")
    points = surface_points(
        objects, points_per_object=points_per_object, frame_id=frame_id, seed=seed
    )
    cloud = messages.PointCloud2()
    set_stamp(cloud.header.stamp, stamp_ns)
    cloud.header.frame_id = frame_id
    cloud.height, cloud.width = 1, len(points)
    cloud.fields = [
        messages.PointField(name=name, offset=POINT.fields[name][1], datatype=datatype, count=1)
        for name, datatype in _DATATYPES.items()
    ]
    cloud.point_step, cloud.row_step = _POINT_STEP, _POINT_STEP * len(points)
    cloud.is_dense = True
    extend(cloud.data, points.view(np.uint8))
    return cloud


def _fill(cloud: np.ndarray, stored: StoredObject, seed: int) -> None:
    """Nothing; draws points on one object into (N,) of type `POINT`."""
    T_frame_object = stored.result.T_world_object
    rng = np.random.default_rng([seed, zlib.crc32(stored.result.object_id.encode())])
    samples = sample_surface(stored.result.mesh, len(cloud), rng=rng)
    positions = transform_points(T_frame_object, samples.positions)
    normals = samples.normals @ T_frame_object[:3, :3].T
    for i, axis in enumerate("xyz"):
        cloud[axis], cloud[f"normal_{axis}"] = positions[:, i], normals[:, i]
    colors = samples.colors
    if colors is None:
        colors = np.full((len(cloud), 3), NO_COLOR, np.uint8)
    cloud["rgb"] = colors.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    cloud["sigma"], cloud["provenance"] = samples.sigma, samples.provenance
    cloud["label"] = stored.label
