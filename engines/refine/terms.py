# SPDX-License-Identifier: Apache-2.0
"""What a refinement wishes for, and how much."""

import torch

from recon_node.engines.refine.start_points import StartPoints
from recon_node.engines.terms.eikonal import Eikonal
from recon_node.engines.terms.free_space import FreeSpace
from recon_node.engines.terms.mask import Mask
from recon_node.engines.terms.normal_smoothness import NormalSmoothness
from recon_node.engines.terms.photometric import Photometric
from recon_node.engines.terms.prior import Prior
from recon_node.engines.terms.surface import Surface
from recon_node.engines.terms.term import Schedule, WeightedTerm

# By trial on held-out training objects (docs/refinement.md), never on evaluation objects.
_SURFACE, _FREE_SPACE, _MASK, _PHOTOMETRIC = 3.0, 300.0, 6.0, 0.3
_EIKONAL, _SMOOTHNESS, _PRIOR = 0.1, 0.01, 0.5


def refinement_terms(start: StartPoints) -> list[WeightedTerm]:
    """The terms of a refinement.

    Args:
        start: Holds the field where no keyframe looked.
    """
    hidden = torch.from_numpy(start.hidden)
    prior = Prior(
        torch.from_numpy(start.points)[hidden],
        torch.from_numpy(start.sdf)[hidden],
        torch.ones(int(hidden.sum())),
    )
    weights = [
        (Surface(), _SURFACE),
        (FreeSpace(), _FREE_SPACE),
        (Mask(), _MASK),
        (Photometric(), _PHOTOMETRIC),
        (Eikonal(), _EIKONAL),
        (NormalSmoothness(), _SMOOTHNESS),
        (prior, _PRIOR),
    ]
    return [WeightedTerm(term, Schedule.constant(weight)) for term, weight in weights]
