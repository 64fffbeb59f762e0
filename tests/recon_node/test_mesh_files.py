# SPDX-License-Identifier: Apache-2.0
"""PLY and GLB as other programs read them."""

import io
import json
import struct

import numpy as np
import pytest
import trimesh

from recon_node.engines.mesh import Mesh
from recon_node.mesh_files import R_GLTF_OBJECT, glb_bytes, ply_bytes


@pytest.fixture
def mesh(rng):
    """A coloured octahedron of unequal axes with everything a mesh can know."""
    vertices = np.array(
        [[3, 0, 0], [-3, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 1], [0, 0, -1]], np.float32
    )
    upper = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4]], np.int32)
    lower = upper[:, [1, 0, 2]] + np.array([0, 0, 1], np.int32)
    return Mesh(
        vertices,
        np.concatenate([upper, lower]),
        rng.integers(0, 256, (6, 3), dtype=np.uint8),
        np.array([0, 1, 2, 0, 1, 2], np.uint8),
        np.linspace(0.001, 0.006, 6, dtype=np.float32),
    )


def test_ply_is_read_by_trimesh(mesh):
    """Give back vertices, faces and colours, and closed topology."""
    loaded = trimesh.load(io.BytesIO(ply_bytes(mesh)), file_type="ply", process=False)
    assert np.array_equal(loaded.vertices, mesh.vertices)
    assert np.array_equal(loaded.faces, mesh.faces)
    assert np.array_equal(loaded.visual.vertex_colors[:, :3], mesh.colors)
    assert loaded.is_watertight and loaded.volume > 0


def test_ply_has_provenance_and_sigma(mesh):
    """Store both as vertex properties of their own."""
    raw = ply_bytes(mesh, comments=("unit: m",))
    header, body = raw.split(b"end_header\n", 1)
    assert b"comment unit: m\n" in header
    assert b"property uchar provenance\nproperty float sigma\nelement face 8" in header
    vertex = np.dtype(
        [("xyz", "<f4", 3), ("n", "<f4", 3), ("rgb", "u1", 3), ("seen", "u1"), ("sigma", "<f4")]
    )
    vertices = np.frombuffer(body, vertex, count=6)
    assert np.array_equal(vertices["seen"], mesh.provenance)
    assert np.array_equal(vertices["sigma"], mesh.sigma)
    assert np.array_equal(vertices["n"], mesh.vertex_normals())


def test_bare_mesh_is_written(mesh):
    """Leave out what a mesh does not know."""
    bare = Mesh(mesh.vertices, mesh.faces)
    assert b"red" not in ply_bytes(bare) and b"sigma" not in ply_bytes(bare)
    loaded = trimesh.load(io.BytesIO(glb_bytes(bare, name="a")), file_type="glb", process=False)
    assert len(loaded.to_mesh().faces) == 8


def test_glb_axes(mesh):
    """Turn z up into y up, and the side towards the camera to +z, where glTF's front is."""
    scene = trimesh.load(io.BytesIO(glb_bytes(mesh, name="cup")), file_type="glb", process=False)
    assert "cup" in scene.graph.nodes
    loaded = scene.to_mesh()
    np.testing.assert_allclose(loaded.vertices, mesh.vertices @ R_GLTF_OBJECT.T)
    assert loaded.extents.tolist() == [4, 2, 6]  # width, height, depth
    assert loaded.is_watertight and loaded.volume > 0
    assert np.linalg.det(R_GLTF_OBJECT) == pytest.approx(1)


def glb_document(raw):
    """The JSON chunk of a GLB, and its binary chunk, after checking the container."""
    magic, version, total = struct.unpack_from("<4sII", raw)
    assert (magic, version, total) == (b"glTF", 2, len(raw))
    length, kind = struct.unpack_from("<I4s", raw, 12)
    assert kind == b"JSON" and length % 4 == 0
    binary_length, binary_kind = struct.unpack_from("<I4s", raw, 20 + length)
    assert binary_kind == b"BIN\0" and 28 + length + binary_length == total
    return json.loads(raw[20 : 20 + length]), raw[28 + length :]


def test_glb_colours_are_linear(mesh):
    """Store sRGB colours as linear light, in 16 bit so that dark ones keep their steps."""
    document, binary = glb_document(glb_bytes(mesh, name="cup"))
    accessor = document["accessors"][
        document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
    ]
    assert accessor["normalized"] and accessor["componentType"] == 5123
    view = document["bufferViews"][accessor["bufferView"]]
    stored = np.frombuffer(binary, "<u2", 4 * 6, view["byteOffset"]).reshape(6, 4) / 65535
    encoded = 1.055 * np.maximum(stored[:, :3], 1e-9) ** (1 / 2.4) - 0.055
    encoded = np.where(stored[:, :3] <= 0.0031308, 12.92 * stored[:, :3], encoded)
    np.testing.assert_allclose(encoded, mesh.colors / 255, atol=1e-3)
    assert np.all(stored[:, 3] == 1)


def test_glb_offsets_are_aligned(mesh):
    """Start each accessor on a multiple of four bytes, for an odd number of vertices too."""
    odd = Mesh(mesh.vertices[:3], np.array([[0, 1, 2]], np.int32), mesh.colors[:3])
    document, binary = glb_document(glb_bytes(odd, name="a"))
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    assert document["buffers"][0]["byteLength"] <= len(binary)
    assert document["accessors"][0]["max"] == [2.0, 0.0, 3.0]
