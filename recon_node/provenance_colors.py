# SPDX-License-Identifier: Apache-2.0
"""The colours that say where a surface was seen, and of one of which none are known."""

from recon_node.engines.reconstruction import Provenance

PROVENANCE_COLORS = {  # sRGB
    Provenance.SEEN_TWICE: (20, 120, 110),
    Provenance.SEEN_ONCE: (64, 169, 155),
    Provenance.HALLUCINATED: (203, 207, 214),
}
NO_COLOR = (190, 190, 190)  # sRGB, of meshes without colours
