# SPDX-License-Identifier: Apache-2.0
"""The object's own share of rendered colours, whatever background they were rendered on."""

import torch

from recon_node.engines.terms.term import Step


def object_colours(step: Step) -> torch.Tensor:
    """Σ w rgb of each ray times its exposure's gains, in sRGB, (R, 3); 0 where nothing is hit."""
    rendered = step.rendered
    light = rendered.weights[:, None] * rendered.field_samples.rgbs  # (M, 3)
    colours = torch.zeros_like(rendered.rgbs)
    colours = colours.index_add(0, rendered.samples.ray_indices, light)
    return colours if step.exposures is None else colours * step.exposures
