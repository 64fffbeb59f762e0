# SPDX-License-Identifier: Apache-2.0
"""How well a mesh explains pixels that nothing was trained on."""

import math
from dataclasses import dataclass

import numpy as np

from recon_node.engines.fields.renderer import Rays
from recon_node.engines.mesh import Mesh
from recon_node.engines.terms.term import Measurements
from recon_node.kernels.ray_cast import RayCaster

_FARTHEST = 0.1  # depth errors beyond count as this much [box unit]
_BACKGROUND = 0.5  # sRGB that both pictures have where the object is not
_MASK_SHARE, _DEPTH_SHARE = 0.5, 0.5  # beside the colour's share of 1


@dataclass(frozen=True)
class HeldOutScore:
    """What a mesh gets wrong.

    Attributes:
        psnr: Of colours, the background the same in both pictures [dB]; inf if all are equal.
        error: Mean over pixels of the colour's squared error, the mask's and the depth's; a mesh
            that has more of it is worse.
    """

    psnr: float
    error: float


def held_out_score(mesh: Mesh, rays: Rays, measured: Measurements) -> HeldOutScore:
    """The score of a mesh, drawn with its vertex colours.

    Args:
        mesh: With colours [box].
        rays: Of the held-out pixels [box].
        measured: What was seen along them.
    """
    known = measured.masks.isfinite().numpy()
    hits = RayCaster(mesh.vertices, mesh.faces, signed=False).cast(
        rays.origins.detach().numpy(), rays.directions.detach().numpy()
    )
    hit, covered = hits.faces >= 0, measured.coverage.numpy() > 0.5
    drawn = np.full((len(hit), 3), _BACKGROUND)
    corners = mesh.faces[hits.faces[hit]]
    drawn[hit] = (mesh.colors[corners] * hits.barycentric[hit][..., None]).sum(1) / 255.0
    seen = np.where(covered[:, None], measured.rgbs.numpy(), _BACKGROUND)
    weights = measured.weights.numpy() * known
    weights = weights / max(weights.sum(), 1e-9)
    colour = float(weights @ ((drawn - seen) ** 2).mean(axis=1))
    mask = float(weights @ (hit != covered))
    both = hit & measured.depth_known.numpy()
    depth = np.zeros(len(hit))
    off = np.abs(hits.distances[both] - measured.depths.numpy()[both])
    depth[both] = np.minimum(off / _FARTHEST, 1.0)
    error = colour + _MASK_SHARE * mask + _DEPTH_SHARE * float(weights @ depth)
    return HeldOutScore(math.inf if colour == 0 else -10 * math.log10(colour), error)
