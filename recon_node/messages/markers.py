# SPDX-License-Identifier: Apache-2.0
"""Objects as `visualization_msgs/Marker`, for rviz.

A small mesh is sent as coloured triangles; a large one names its GLB, or holds it. rviz shows a GLB
without the colours of its vertices, so such a marker has the object's mean colour. The triangles
of 40 000 faces are 120 000 points, which rclpy would make objects of: `marker_array` writes the
bytes of the message instead, see docs/benchmarks/messages.json.

A GLB's y axis is up. rviz up to Kilted shows its axes as they are, so the marker's pose turns them
back; later versions of rviz, and Foxglove, turn them on their own and show such a marker lying on
its side. Triangles stand upright everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from recon_node.engines.errors import require_package
from recon_node.engines.mesh import Mesh
from recon_node.mesh_files import R_GLTF_OBJECT, glb_bytes
from recon_node.messages.cdr import CdrWriter
from recon_node.messages.poses import quaternion_xyzw, set_pose
from recon_node.messages.sequences import extend
from recon_node.messages.stamps import SECOND, set_stamp
from recon_node.provenance_colors import NO_COLOR, PROVENANCE_COLORS
from recon_node.streams.object_store import StoredObject

if TYPE_CHECKING:
    from visualization_msgs.msg import Marker

_ADD, _DELETE = 0, 2
_MESH_RESOURCE, _TRIANGLE_LIST = 10, 11


class MarkerColors(Enum):
    """What the colours of a marker say."""

    PICTURE = "picture"  # those of the mesh
    PROVENANCE = "provenance"  # where it was seen


@dataclass(frozen=True, eq=False)
class _Content:
    """The fields of a marker that depend on the object.

    Attributes:
        kind: The type.
        T_frame_marker: f64 (4, 4) [m].
        color: f32 (4,), red green blue opacity, of all that has no colour of its own.
        points: f64 (N, 3) [m], three of each triangle.
        colors: f32 (N, 4).
        resource: URI of the mesh, or empty.
        glb: The mesh itself, or empty.
    """

    kind: int
    T_frame_marker: np.ndarray
    color: np.ndarray
    points: np.ndarray
    colors: np.ndarray
    resource: str = ""
    glb: bytes = b""

    @property
    def embedded_name(self) -> str:
        """Name of the embedded file, or empty."""
        return self.resource.removeprefix("embedded://") if self.glb else ""


def object_marker(
    stored: StoredObject, *, triangle_limit: int, colors: MarkerColors = MarkerColors.PICTURE
) -> Marker:
    """The object's marker as a message of rclpy: slow for triangles, see `marker_array`.

    Args:
        stored: The object. With more triangles than the limit its mesh_uri is named; without one
            the GLB is embedded.
        triangle_limit: Most triangles that are sent as points.
        colors: What the triangles' colours say.

    Raises:
        MissingPackageError: visualization_msgs is not installed.
    """
    content = _content_of(stored, triangle_limit, colors)
    messages = require_package("visualization_msgs.msg", extra="ros")
    rgba = require_package("std_msgs.msg", extra="ros").ColorRGBA
    point = require_package("geometry_msgs.msg", extra="ros").Point
    marker = messages.Marker(ns=stored.result.object_id, type=content.kind, action=_ADD)
    set_stamp(marker.header.stamp, stored.stamp_ns)
    marker.header.frame_id = stored.frame_id
    set_pose(marker.pose, content.T_frame_marker)
    marker.scale.x = marker.scale.y = marker.scale.z = 1.0
    marker.color = _color(rgba, content.color.tolist())
    marker.points = [point(x=x, y=y, z=z) for x, y, z in content.points.tolist()]
    marker.colors = [_color(rgba, color) for color in content.colors.tolist()]
    marker.mesh_resource = content.resource
    marker.mesh_file.filename = content.embedded_name
    extend(marker.mesh_file.data, np.frombuffer(content.glb, np.uint8))
    return marker


def marker_array(
    stored: StoredObject, *, triangle_limit: int, colors: MarkerColors = MarkerColors.PICTURE
) -> bytes:
    """A `visualization_msgs/MarkerArray` with the object's marker, as bytes for `publish`.

    Args:
        stored: As for `object_marker`.
        triangle_limit: Most triangles that are sent as points.
        colors: What the triangles' colours say.
    """
    content = _content_of(stored, triangle_limit, colors)
    return _array_bytes(stored, _ADD, content)


def deleted_marker(stored: StoredObject) -> bytes:
    """A `visualization_msgs/MarkerArray` that deletes the object's marker, as bytes."""
    nothing = np.zeros((0, 3)), np.zeros((0, 4), np.float32)
    empty = _Content(0, np.eye(4), np.zeros(4, np.float32), *nothing)
    return _array_bytes(stored, _DELETE, empty)


def _content_of(stored: StoredObject, triangle_limit: int, colors: MarkerColors) -> _Content:
    """What a marker of the object holds."""
    result, mesh = stored.result, stored.result.mesh
    vertex_colors = _vertex_colors(mesh, colors)
    if len(mesh.faces) <= triangle_limit:
        corners = mesh.faces.ravel()
        return _Content(
            _TRIANGLE_LIST,
            result.T_world_object,
            vertex_colors.mean(axis=0),
            mesh.vertices.astype(np.float64)[corners],
            vertex_colors[corners],
        )
    # rviz up to Kilted shows a GLB's own axes, in which y is up.
    T_object_gltf = np.eye(4)
    T_object_gltf[:3, :3] = R_GLTF_OBJECT.T
    name = f"{result.object_id}_v{result.version:04d}.glb"
    return _Content(
        _MESH_RESOURCE,
        result.T_world_object @ T_object_gltf,
        vertex_colors.mean(axis=0),
        np.zeros((0, 3)),
        np.zeros((0, 4), np.float32),
        stored.mesh_uri or f"embedded://{name}",
        b"" if stored.mesh_uri else glb_bytes(mesh, name=result.object_id),
    )


def _vertex_colors(mesh: Mesh, colors: MarkerColors) -> np.ndarray:
    """Red, green, blue from 0 to 1 (sRGB) and opacity of each vertex, f32 (V, 4)."""
    rgba = np.ones((len(mesh.vertices), 4), np.float32)
    rgba[:, :3] = np.float32(NO_COLOR) / 255
    if colors is MarkerColors.PICTURE and mesh.colors is not None:
        rgba[:, :3] = mesh.colors / np.float32(255)
    elif colors is MarkerColors.PROVENANCE and mesh.provenance is not None:
        palette = np.array([PROVENANCE_COLORS[level] for level in sorted(PROVENANCE_COLORS)])
        rgba[:, :3] = (palette / np.float32(255))[mesh.provenance]
    return rgba


def _color(rgba: type, values: list[float]) -> object:
    r, g, b, a = values
    return rgba(r=r, g=g, b=b, a=a)


def _array_bytes(stored: StoredObject, action: int, content: _Content) -> bytes:
    """A MarkerArray with one marker, field by field in the order of Marker.msg."""
    writer = CdrWriter()
    writer.numbers("I", 1)  # one marker
    _write_header(writer, stored.stamp_ns, stored.frame_id)
    writer.string(stored.result.object_id)  # ns
    writer.numbers("i", 0, content.kind, action)  # id, type, action
    T = content.T_frame_marker
    writer.numbers("d", *T[:3, 3], *quaternion_xyzw(T[:3, :3]))  # pose
    writer.numbers("d", 1.0, 1.0, 1.0)  # scale
    writer.numbers("f", *content.color)
    writer.numbers("i", 0, 0)  # lifetime: for ever
    writer.numbers("B", 0)  # frame_locked
    writer.sequence(len(content.points), content.points)
    writer.sequence(len(content.colors), content.colors)
    writer.string("")  # texture_resource
    _write_header(writer, 0, "")  # texture
    writer.string("")  # its format
    writer.numbers("I", 0, 0)  # its data, uv_coordinates
    writer.string("")  # text
    writer.string(content.resource)
    writer.string(content.embedded_name)
    writer.sequence(len(content.glb), np.frombuffer(content.glb, np.uint8))
    writer.numbers("B", 0)  # mesh_use_embedded_materials
    return writer.finished()


def _write_header(writer: CdrWriter, stamp_ns: int, frame_id: str) -> None:
    seconds, rest = divmod(stamp_ns, SECOND)
    writer.numbers("i", seconds)
    writer.numbers("I", rest)
    writer.string(frame_id)
