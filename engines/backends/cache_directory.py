# SPDX-License-Identifier: Apache-2.0
"""Where recon keeps what it can make again."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """The folder `recon` in the user's cache: `$XDG_CACHE_HOME`, or `~/.cache` where it is unset.

    A relative XDG_CACHE_HOME is ignored, as the XDG base directory specification asks.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "recon"
