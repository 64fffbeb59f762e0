# SPDX-License-Identifier: Apache-2.0
"""Stored objects as `recon/ObjectMesh`, and back to meshes.

Every array of the message is flat: filling it takes half a millisecond for 40 000 triangles, and
looking whether the mesh is watertight more than that.
"""

from __future__ import annotations

import array
from typing import TYPE_CHECKING

import numpy as np

from recon_node.engines.errors import InvalidInputError, require_package
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import ScaleSource, Stage
from recon_node.messages.poses import set_pose
from recon_node.messages.sequences import extend
from recon_node.messages.stamps import set_stamp
from recon_node.streams.object_store import StoredObject

if TYPE_CHECKING:
    from recon.msg import ObjectMesh

ADD, REMOVE = 0, 1
STAGES = {Stage.HULL: 0, Stage.INSTANT: 1, Stage.REFINED: 2}
SCALE_SOURCES = {
    ScaleSource.NONE: 0,
    ScaleSource.DEPTH: 1,
    ScaleSource.PLANE: 2,
    ScaleSource.SIZE: 3,
    ScaleSource.TRIANGULATION: 4,
}


def object_mesh_fields(stored: StoredObject) -> dict[str, object]:
    """The fields of `recon/ObjectMesh` by name, of no ROS type, for whatever writes messages.

    Numbers, strings and lists of strings stand for themselves, sequences of numbers are flat
    arrays of the message's type. "header" is {"stamp_ns": [ns], "frame_id"}, "pose" is
    T_frame_object f64 (4, 4) [m] and "dimensions" f64 (3,) [m].
    """
    result, mesh = stored.result, stored.result.mesh
    nothing_u8, nothing_f32 = np.zeros(0, np.uint8), np.zeros(0, np.float32)
    seconds = {name: value for name, value in result.metrics.items() if name.endswith("_s")}
    return {
        "header": {"stamp_ns": stored.stamp_ns, "frame_id": stored.frame_id},
        "operation": ADD,
        "object_id": result.object_id,
        "label": stored.label,
        "version": result.version,
        "parent_version": result.parent_version or 0,
        "stage": STAGES[result.stage],
        "pose": result.T_world_object,
        "dimensions": mesh.extents,
        "watertight": mesh.is_watertight,
        "scale_source": SCALE_SOURCES[result.scale_source],
        "scale_sigma": float(result.scale_sigma),
        "vertex_count": len(mesh.vertices),
        "triangle_count": len(mesh.faces),
        "vertices": mesh.vertices.ravel(),
        "triangles": mesh.faces.astype(np.uint32).ravel(),
        "colors": nothing_u8 if mesh.colors is None else mesh.colors.ravel(),
        "provenance": nothing_u8 if mesh.provenance is None else mesh.provenance,
        "sigma": nothing_f32 if mesh.sigma is None else mesh.sigma,
        "engine": result.engine,
        "view_count": result.view_count,
        "latency_stages": [name.removesuffix("_s") for name in seconds],
        "latency_ms": np.array([1000 * value for value in seconds.values()], np.float32),
        "warnings": list(result.warnings),
        "mesh_uri": stored.mesh_uri,
    }


def object_mesh(stored: StoredObject) -> ObjectMesh:
    """The object as a message of rclpy.

    Raises:
        MissingPackageError: The interfaces of recon are not built or not sourced.
    """
    message = _new_message()
    fields = object_mesh_fields(stored)
    header = fields.pop("header")
    set_stamp(message.header.stamp, header["stamp_ns"])
    message.header.frame_id = header["frame_id"]
    set_pose(message.pose, fields.pop("pose"))
    size = message.dimensions
    size.x, size.y, size.z = fields.pop("dimensions").tolist()
    for name, value in fields.items():
        if isinstance(getattr(message, name), array.array):
            extend(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


def removed_object(object_id: str, *, label: int, stamp_ns: int, frame_id: str) -> ObjectMesh:
    """The news, as a message of rclpy, that an object is gone.

    Args:
        object_id: The object.
        label: Its last value in the mask.
        stamp_ns: When it was removed [ns].
        frame_id: The frame it was published in.

    Raises:
        MissingPackageError: The interfaces of recon are not built or not sourced.
    """
    message = _new_message()
    set_stamp(message.header.stamp, stamp_ns)
    message.header.frame_id = frame_id
    message.operation = REMOVE
    message.object_id = object_id
    message.label = label
    return message


def mesh_of(message: object) -> Mesh:
    """The mesh of a `recon/ObjectMesh` of rclpy or rosbags [m, object frame].

    Raises:
        InvalidInputError: The message removes an object, its counts and lengths disagree, or its
            numbers make no mesh.
    """
    if message.operation != ADD:
        raise InvalidInputError(
            f"the message about {message.object_id!r} says that the object is gone (operation "
            f"{message.operation}), so there is no mesh in it; look at operation first"
        )
    vertex_count, triangle_count = int(message.vertex_count), int(message.triangle_count)
    colors = _optional(message, "colors", np.uint8, 3)
    return Mesh(
        _numbers(message, "vertices", np.float32, 3 * vertex_count).reshape(-1, 3),
        _numbers(message, "triangles", np.uint32, 3 * triangle_count)
        .astype(np.int32)
        .reshape(-1, 3),
        None if colors is None else colors.reshape(-1, 3),
        _optional(message, "provenance", np.uint8, 1),
        _optional(message, "sigma", np.float32, 1),
    )


def _optional(message: object, name: str, dtype: type, columns: int) -> np.ndarray | None:
    """The numbers of a field that is empty or has so many for each vertex."""
    if len(getattr(message, name)) == 0:
        return None
    return _numbers(message, name, dtype, columns * int(message.vertex_count))


def _numbers(message: object, name: str, dtype: type, count: int) -> np.ndarray:
    """The numbers of a field, after they were counted."""
    numbers = np.asarray(getattr(message, name), dtype)  # a view; they have that type
    if len(numbers) != count:
        raise InvalidInputError(
            f"ObjectMesh.{name} of {message.object_id!r} has {len(numbers)} numbers, but "
            f"{message.vertex_count} vertices and {message.triangle_count} triangles need {count}; "
            "was it published with another version of the message?"
        )
    return numbers


def _new_message() -> ObjectMesh:
    return require_package("recon.msg", extra="ros").ObjectMesh()
