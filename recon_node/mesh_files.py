# SPDX-License-Identifier: Apache-2.0
"""Meshes as file contents: PLY with everything the mesh knows, GLB for viewers."""

import json
import struct

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.engines.srgb import to_linear

# glTF has +y up and assets that face +z; the object frame has +z up and +x towards the camera.
R_GLTF_OBJECT = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])

_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963


def ply_bytes(mesh: Mesh, *, comments: tuple[str, ...] = ()) -> bytes:
    """Binary little-endian PLY: x y z [nx ny nz] [red green blue] [provenance] [sigma], faces.

    Coordinates and sigma keep the mesh's unit and frame; normals are unit and point outwards.

    Args:
        mesh: What to write.
        comments: Header comments, one line of ASCII each.
    """
    fields = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("nx", "<f4"), ("ny", "<f4"), ("nz", "<f4")]
    columns = [*mesh.vertices.T, *mesh.vertex_normals().T]
    if mesh.colors is not None:
        fields += [("red", "u1"), ("green", "u1"), ("blue", "u1")]
        columns += [*mesh.colors.T]
    if mesh.provenance is not None:
        fields.append(("provenance", "u1"))
        columns.append(mesh.provenance)
    if mesh.sigma is not None:
        fields.append(("sigma", "<f4"))
        columns.append(mesh.sigma)
    vertices = np.empty(len(mesh.vertices), dtype=fields)
    for (name, _), column in zip(fields, columns, strict=True):
        vertices[name] = column
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"] = 3
    faces["corners"] = mesh.faces
    kinds = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {c}" for c in comments)]
    header.append(f"element vertex {len(vertices)}")
    header += [f"property {kinds[kind]} {name}" for name, kind in fields]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join(header).encode("ascii") + b"\n" + vertices.tobytes() + faces.tobytes()


def glb_bytes(mesh: Mesh, *, name: str) -> bytes:
    """Binary glTF 2.0 of a mesh in the object frame, turned to glTF axes (y up, facing +z).

    Colours are stored linear in 16 bit, as glTF 2.0 §3.7.2.1 wants `COLOR_0`; the material is
    matt. Metres stay metres.

    Args:
        mesh: Vertices in the object frame: z up, x towards the camera.
        name: Name of the node.
    """
    positions = (mesh.vertices @ R_GLTF_OBJECT.T).astype("<f4")
    normals = (mesh.vertex_normals() @ R_GLTF_OBJECT.T).astype("<f4")
    chunks = [
        (positions, _FLOAT, "VEC3", _ARRAY_BUFFER),
        (normals, _FLOAT, "VEC3", _ARRAY_BUFFER),
        (mesh.faces.astype("<u4").ravel(), _UNSIGNED_INT, "SCALAR", _ELEMENT_ARRAY_BUFFER),
    ]
    attributes = {"POSITION": 0, "NORMAL": 1}
    if mesh.colors is not None:
        attributes["COLOR_0"] = len(chunks)
        chunks.append((_linear_rgba(mesh.colors), _UNSIGNED_SHORT, "VEC4", _ARRAY_BUFFER))
    views, accessors, binary = [], [], b""
    for index, (array, component, kind, target) in enumerate(chunks):
        content = array.tobytes()  # always a multiple of 4 bytes, as glTF wants its offsets
        views.append(
            {"buffer": 0, "byteOffset": len(binary), "byteLength": len(content), "target": target}
        )
        accessor = {
            "bufferView": index,
            "componentType": component,
            "count": len(array),
            "type": kind,
        }
        if component == _UNSIGNED_SHORT:
            accessor["normalized"] = True
        if index == 0:
            accessor |= {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
        accessors.append(accessor)
        binary += content
    document = {
        "asset": {"version": "2.0", "generator": "recon"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 2, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0}}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    return _glb_container(json.dumps(document).encode(), binary)


def _glb_container(document: bytes, binary: bytes) -> bytes:
    document += b" " * (-len(document) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(document) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(document), b"JSON"),
            document,
            struct.pack("<I4s", len(binary), b"BIN\0"),
            binary,
        ]
    )


def _linear_rgba(colors: np.ndarray) -> np.ndarray:
    """Linear light of sRGB colours u8 (V, 3) with opaque alpha, u16 (V, 4)."""
    linear = np.round(65535 * to_linear(colors)).astype("<u2")
    return np.concatenate([linear, np.full((len(colors), 1), 65535, "<u2")], axis=1)
