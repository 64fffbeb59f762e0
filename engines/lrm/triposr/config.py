# SPDX-License-Identifier: Apache-2.0
"""The sizes of the TripoSR network; its defaults are those of every published checkpoint."""

from dataclasses import dataclass

from recon_node.engines.errors import InvalidInputError


@dataclass(frozen=True)
class TripoSRConfig:
    """Sizes of one network of the TripoSR family (Tochilkin 2024, TripoSR; Jiang 2024, Real3D).

    Attributes:
        image_size: Side of the input image [px].
        patch_size: Side of one image token [px].
        native_grid: Side of the grid of image positions as learned, in tokens.
        image_width: Channels of an image token.
        image_layers: Layers of the image transformer.
        image_heads: Attention heads of each.
        image_hidden: Neurons between its two linear maps.
        plane_grid: Side of one plane of the triplane, in tokens.
        width: Channels of a triplane token.
        layers: Blocks of the triplane transformer.
        heads: Attention heads of each.
        groups: Groups of the normalisation before the blocks.
        plane_channels: Features of a finished plane, which has twice the side of its token grid.
        hidden_width: Neurons of each layer of the decoder.
        hidden_layers: Layers of the decoder before its last.
        radius: Half the side of the cube that the planes span.
    """

    image_size: int = 512
    patch_size: int = 16
    native_grid: int = 14
    image_width: int = 768
    image_layers: int = 12
    image_heads: int = 12
    image_hidden: int = 3072
    plane_grid: int = 32
    width: int = 1024
    layers: int = 16
    heads: int = 16
    groups: int = 32
    plane_channels: int = 40
    hidden_width: int = 64
    hidden_layers: int = 9
    radius: float = 0.87

    def __post_init__(self):
        for size, part in (
            ("image_size", "patch_size"),
            ("image_width", "image_heads"),
            ("width", "heads"),
            ("width", "groups"),
        ):
            whole, parts = getattr(self, size), getattr(self, part)
            if min(whole, parts) < 1 or whole % parts:
                raise InvalidInputError(
                    f"{size} is {whole} and {part} {parts}; the first must be a multiple of the "
                    "second, because one is divided into the other; change either"
                )

    @property
    def image_grid(self) -> int:
        """Side of the grid of image tokens."""
        return self.image_size // self.patch_size

    @property
    def plane_side(self) -> int:
        """Side of a finished plane, in samples."""
        return 2 * self.plane_grid
