# SPDX-License-Identifier: Apache-2.0
"""What is known of a surface near given points, such as a gripper's fingertips."""

from dataclasses import dataclass

import numpy as np

from recon_node.engines.arrays import as_points
from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.surface_samples import SurfacePoints
from recon_node.kernels.ray_cast import RayCaster
from recon_node.kernels.warp_start import start_warp


@dataclass(frozen=True, eq=False)
class Confidence:
    """What is known of the surface point nearest to each query.

    Attributes:
        provenance: u8 (N,), of the least seen corner of its face; HALLUCINATED where the mesh
            does not say.
        sigma: f32 (N,) [m], one standard deviation of the surface along its normal, interpolated
            between the corners; inf where the mesh has none.
        distance: f32 (N,) [m], to it, negative inside.
    """

    provenance: np.ndarray
    sigma: np.ndarray
    distance: np.ndarray


def query_confidence(mesh: Mesh, points: np.ndarray, *, device: str = "cpu") -> Confidence:
    """What is known of the surface near points.

    Inside is where the generalised winding number says so, so an open mesh has an inside too.

    Args:
        mesh: The surface.
        points: f (N, 3) [m, object frame].
        device: Warp device that searches.

    Raises:
        InvalidInputError: Not points, or one that is not finite.
    """
    points = as_points("points", points, 3)
    if not np.isfinite(points).all():
        raise InvalidInputError("points has a NaN or infinite coordinate; ask for finite points")
    start_warp()
    nearest = RayCaster(mesh.vertices, mesh.faces, device=device).signed_closest(points)
    surface = SurfacePoints(mesh, nearest.faces, nearest.barycentric)
    return Confidence(surface.provenance, surface.sigma, nearest.distances)
