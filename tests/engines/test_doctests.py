# SPDX-License-Identifier: Apache-2.0
"""The worked examples in the docstrings of the vocabulary and in its document are true."""

import doctest
import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["errors", "transforms", "camera", "components", "canonical"])
def test_examples_hold(module):
    result = doctest.testmod(importlib.import_module(f"recon_node.engines.{module}"))
    assert result.attempted > 0 and result.failed == 0


def test_examples_in_the_conventions_hold():
    document = Path(__file__).parents[2] / "docs" / "conventions.md"
    result = doctest.testfile(str(document), module_relative=False)
    assert result.attempted > 0 and result.failed == 0
