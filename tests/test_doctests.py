# SPDX-License-Identifier: Apache-2.0
"""Every worked example in a docstring runs and gives what it shows."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("recon_node", "engines", "kernels", "training", "evaluation")


def _modules_with_examples() -> list[str]:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    names = []
    for path in files:
        if ">>> " in path.read_text():
            parts = path.relative_to(ROOT).with_suffix("").parts
            names.append(".".join(parts if parts[0] == "recon_node" else ("recon_node", *parts)))
    return names


@pytest.mark.parametrize("module", _modules_with_examples())
def test_examples_in_docstrings(module):
    """Run the examples of one module."""
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
