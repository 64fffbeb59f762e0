# SPDX-License-Identifier: Apache-2.0
"""The files of one reconstructed object: mesh.ply, mesh.glb, preview.png, result.json."""

import io
import json
from collections.abc import Mapping

from recon_node.engines.camera import View
from recon_node.engines.reconstruction import Reconstruction
from recon_node.mesh_files import glb_bytes, ply_bytes
from recon_node.preview import draw_preview
from recon_node.result_description import describe_result, installed_version, is_metric


def result_files(
    result: Reconstruction,
    view: View | None,
    *,
    inputs: Mapping[str, object],
    with_preview: bool = True,
) -> dict[str, bytes]:
    """File names and contents of one object, result.json last.

    Args:
        result: What to write.
        view: The view it was made from, for the preview; without one there is none.
        inputs: What goes under "input" in result.json: file names and options.
        with_preview: Draw preview.png.
    """
    unit = "m" if is_metric(result) else "distances to the object"
    comments = (
        f"recon {installed_version('recon')}, engine {result.engine}, stage {result.stage.name}",
        f"object frame, unit: {unit}; sigma: one standard deviation along the normal",
        "provenance: 0 hallucinated, 1 seen once, 2 seen from two or more views",
    )
    files = {
        "mesh.ply": ply_bytes(result.mesh, comments=comments),
        "mesh.glb": glb_bytes(result.mesh, name=result.object_id),
    }
    if with_preview and view is not None:
        encoded = io.BytesIO()
        draw_preview(view, result).save(encoded, format="PNG")
        files["preview.png"] = encoded.getvalue()
    document = describe_result(result, inputs=inputs)
    files["result.json"] = (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
    return files
