# SPDX-License-Identifier: Apache-2.0
"""Views in, reconstructions out."""

from recon_node.engines.loading import load_engine

__all__ = ["load_engine"]
