# SPDX-License-Identifier: Apache-2.0
"""The worked examples in the docstrings of the vocabulary are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["errors", "transforms", "camera", "components", "canonical"])
def test_examples_hold(module):
    result = doctest.testmod(importlib.import_module(f"recon_node.engines.{module}"))
    assert result.attempted > 0 and result.failed == 0
