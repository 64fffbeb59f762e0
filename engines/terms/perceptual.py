# SPDX-License-Identifier: Apache-2.0
"""Patches look like the picture to a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.terms.object_colours import object_colours
from recon_node.engines.terms.term import Step

_GREY = 0.5
_LEAST_LENGTH = 1e-6


@dataclass(frozen=True, eq=False)
class Perceptual:
    """Distance of features, Σ_l 1/(H_l W_l) Σ_hw ‖ŷ - ŷ₀‖² (Zhang 2018, eq. 1, all w_l = 1).

    ŷ are features divided by their length over channels. Both patches are the object on grey: the
    rendered one by its opacity, the picture by its mask; where the mask says nothing they are
    equal.

    Attributes:
        backbone: Feature maps (B, C_l, H_l, W_l) of pictures (B, 3, H, W) in sRGB from 0 to 1;
            whatever shift and scale it was trained with are its own matter, its weights frozen.
    """

    name: ClassVar[str] = "perceptual"
    backbone: Callable[[torch.Tensor], Sequence[torch.Tensor]]

    def __call__(self, step: Step) -> torch.Tensor:
        """Mean over patches, each as much as its keyframe's weight, of shape ().

        Raises:
            InvalidInputError: if the step has no patches.
        """
        measured = step.measured
        count, side = measured.patch_count, measured.patch_side
        if count == 0:
            raise InvalidInputError(
                "the term 'perceptual' compares patches, and this step's rays are single pixels; "
                "sample square patches (patch_side, patch_count), or leave the term out"
            )
        rays = count * side**2
        masks = measured.coverage[:rays, None]
        wanted = masks * measured.rgbs[:rays] + (1 - masks) * _GREY
        clear = 1 - step.rendered.opacities[:rays, None]
        found = object_colours(step)[:rays] + clear * _GREY
        found = torch.where(measured.masks[:rays, None].isfinite(), found, wanted)
        pictures = torch.cat([found, wanted]).reshape(2 * count, side, side, 3)
        distance = sum(_distances(layer) for layer in self.backbone(pictures.permute(0, 3, 1, 2)))
        return (measured.weights[:rays].reshape(count, -1).mean(dim=1) * distance).mean()


def _distances(features: torch.Tensor) -> torch.Tensor:
    """Of 2B pictures' features (2B, C, H, W): the first B's distance to the second B, (B,)."""
    lengths = features.square().sum(dim=1, keepdim=True).clamp(min=_LEAST_LENGTH**2).sqrt()
    found, wanted = (features / lengths).chunk(2)
    return (found - wanted.detach()).square().sum(dim=1).mean(dim=(1, 2))
