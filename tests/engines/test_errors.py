# SPDX-License-Identifier: Apache-2.0
"""The error tree and its messages."""

import json

import pytest

from recon_node.engines.errors import (
    EmptyMaskError,
    EmptySurfaceError,
    InvalidInputError,
    MissingPackageError,
    OutputError,
    ReconstructionError,
    UnknownNameError,
    WeightsError,
    require_package,
)


@pytest.mark.parametrize(
    ("error", "caught_as"),
    [
        (InvalidInputError, ValueError),
        (EmptyMaskError, InvalidInputError),
        (UnknownNameError, InvalidInputError),
        (MissingPackageError, ImportError),
        *((kind, ReconstructionError) for kind in (EmptySurfaceError, WeightsError, OutputError)),
    ],
)
def test_every_error_is_in_the_tree_and_in_its_builtin_family(error, caught_as):
    assert issubclass(error, ReconstructionError)
    assert issubclass(error, caught_as)


def test_unknown_name_lists_the_known_ones_and_the_nearest():
    message = str(UnknownNameError("backend", "tensort", ["torch", "onnxruntime", "tensorrt"]))
    assert message == (
        "unknown backend 'tensort'; known: onnxruntime, tensorrt, torch; did you mean 'tensorrt'?"
    )


def test_unknown_name_guesses_nothing_far_away():
    assert "did you mean" not in str(UnknownNameError("engine", "xyz", ["compact", "hull"]))


def test_require_package_gives_the_module():
    assert require_package("json", extra="train") is json


def test_require_package_names_the_extra_that_installs_it():
    with pytest.raises(MissingPackageError, match=r"pip install '.\[train\]'"):
        require_package("no_such_package_anywhere", extra="train")
