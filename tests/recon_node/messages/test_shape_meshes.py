# SPDX-License-Identifier: Apache-2.0
"""Meshes for planning scenes, through the bytes that rclpy sends."""

import numpy as np
import pytest

from recon_node.messages.shape_meshes import shape_mesh

pytestmark = [
    pytest.mark.ros,
    # The generator that rclpy's messages import looks for modules of Python's past.
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),
]


def test_every_vertex_and_triangle_is_there(stored):
    from rclpy.serialization import deserialize_message, serialize_message
    from shape_msgs.msg import Mesh

    mesh = stored.result.mesh
    message = deserialize_message(serialize_message(shape_mesh(mesh)), Mesh)
    points = np.array([[p.x, p.y, p.z] for p in message.vertices])
    np.testing.assert_array_equal(points, mesh.vertices)
    triangles = np.array([t.vertex_indices for t in message.triangles])
    np.testing.assert_array_equal(triangles, mesh.faces)
