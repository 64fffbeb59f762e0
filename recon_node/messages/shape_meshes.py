# SPDX-License-Identifier: Apache-2.0
"""Meshes as `shape_msgs/Mesh`, for planning scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recon_node.engines.errors import require_package
from recon_node.engines.mesh import Mesh

if TYPE_CHECKING:
    from shape_msgs.msg import Mesh as ShapeMesh


def shape_mesh(mesh: Mesh) -> ShapeMesh:
    """The mesh as a message of rclpy [m, object frame].

    The message holds an object for each vertex and triangle, which costs rclpy and every Python
    reader a hundred times what `ObjectMesh` does: see docs/benchmarks/messages.json. A planning
    scene wants few triangles anyway.

    Raises:
        MissingPackageError: shape_msgs is not installed.
    """
    messages = require_package("shape_msgs.msg", extra="ros")
    point = require_package("geometry_msgs.msg", extra="ros").Point
    return messages.Mesh(
        vertices=[point(x=x, y=y, z=z) for x, y, z in mesh.vertices.tolist()],
        triangles=[
            messages.MeshTriangle(vertex_indices=corners)
            for corners in mesh.faces.astype(np.uint32)
        ],
    )
