# SPDX-License-Identifier: Apache-2.0
"""How far two surfaces of the same thing lie apart, such as those of two backends."""

import numpy as np

from recon_node.engines.mesh import Mesh
from recon_node.kernels.ray_cast import RayCaster


def hausdorff_percentile(first: Mesh, second: Mesh, *, percent: float = 99.0) -> float:
    """The larger of the two one-sided Hausdorff distances, each cut at a percentile.

    max(P(d(a, B) for a in A), P(d(b, A) for b in B)) (Huttenlocher 1993, "Comparing images using
    the Hausdorff distance", eq. 2 with a quantile), where A and B are the vertices and d is the
    distance to the other's triangles.

    Args:
        first: One surface.
        second: The other, in the same frame and unit.
        percent: Share of the vertices that lie nearer than the answer [%].

    Returns:
        A distance in the unit of the vertices.
    """
    sides = ((first, second), (second, first))
    return max(
        float(
            np.percentile(
                RayCaster(there.vertices, there.faces).closest(here.vertices).distances,
                percent,
            )
        )
        for here, there in sides
    )
