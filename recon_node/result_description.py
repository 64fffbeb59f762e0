# SPDX-License-Identifier: Apache-2.0
"""A reconstruction in words and numbers: result.json, and the size that people read."""

import math
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction, ScaleSource

SCHEMA_VERSION = 1

_FRAMES = {
    "world": "camera of the input image unless a pose was given: x right, y down, z forward "
    "(OpenCV, ROS optical)",
    "object": "p_world = T_world_object @ p_object",
    "mesh.ply": "object frame",
    "mesh.glb": "object frame turned to glTF axes (y up, facing z): "
    "x_gltf = y_object, y_gltf = z_object, z_gltf = x_object",
}
_PACKAGES = ("recon", "numpy", "onnxruntime", "warp-lang", "trimesh", "pillow")


def describe_result(result: Reconstruction, *, inputs: Mapping[str, object]) -> dict[str, object]:
    """The content of result.json; numbers that are not finite become null."""
    mesh = result.mesh
    metric = is_metric(result)
    extents = [float(e) for e in mesh.extents]
    return _finite(
        {
            "schema_version": SCHEMA_VERSION,
            "object_id": result.object_id,
            "version": result.version,
            "parent_version": result.parent_version,
            "engine": result.engine,
            "weights": result.weights_note or None,
            "stage": result.stage.name,
            "view_count": result.view_count,
            "scale_source": result.scale_source.name,
            "scale_sigma": result.scale_sigma,
            "unit": "m" if metric else "distance to the object",
            "T_world_object": result.T_world_object.tolist(),
            "frames": _FRAMES,
            "extents": extents,
            "extents_mm": [1000 * e for e in extents] if metric else None,
            "volume": mesh.volume,
            "volume_ml": 1e6 * mesh.volume if metric else None,
            "watertight": mesh.is_watertight,
            "vertex_count": len(mesh.vertices),
            "face_count": len(mesh.faces),
            "provenance_share": provenance_shares(mesh),
            "sigma_median": None if mesh.sigma is None else float(np.median(mesh.sigma)),
            "metrics": dict(result.metrics),
            "warnings": list(result.warnings),
            "input": dict(inputs),
            "versions": {"python": platform.python_version()}
            | {package: installed_version(package) for package in _PACKAGES},
        }
    )


def provenance_shares(mesh: Mesh) -> dict[str, float] | None:
    """Share of the vertices of each provenance, by lower-case name; None where it is not known."""
    if mesh.provenance is None:
        return None
    return {p.name.lower(): float(np.mean(mesh.provenance == p)) for p in Provenance}


def describe_maker(result: Reconstruction) -> str:
    """Engine and stage in words; the stage only where it says more than the engine."""
    stage = result.stage.name.lower()
    return result.engine if result.engine == stage else f"{result.engine}, {stage}"


def describe_size(result: Reconstruction) -> str:
    """Width x depth x height of the object's box [mm], or that the scale is not known."""
    depth, width, height = result.mesh.extents
    if not is_metric(result):
        return "scale unknown (no depth)"
    digits = 0 if max(depth, width, height) >= 0.02 else 1
    sides = " x ".join(f"{1000 * side:.{digits}f}" for side in (width, depth, height))
    return f"{sides} mm"


def is_metric(result: Reconstruction) -> bool:
    """Whether lengths are metres."""
    return result.scale_source is not ScaleSource.NONE


def installed_version(package: str) -> str | None:
    """Version of an installed package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
