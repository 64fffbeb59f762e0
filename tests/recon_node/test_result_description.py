# SPDX-License-Identifier: Apache-2.0
"""Results in words and numbers."""

import dataclasses
import json

import numpy as np
import pytest

from recon_node.engines.hull import HullEngine
from recon_node.engines.reconstruction import ScaleSource
from recon_node.result_description import (
    describe_maker,
    describe_result,
    describe_size,
    installed_version,
)


@pytest.fixture
def result(ball):
    """The hull of the ball, from depth."""
    return HullEngine().reconstruct([ball.view], object_id="ball")


def test_description_agrees_with_the_mesh(result, ball):
    """Write what the mesh is, in the units that the names say."""
    document = describe_result(result, inputs={"image": "ball.png"})
    assert document["extents_mm"] == pytest.approx(1000 * result.mesh.extents)
    assert document["extents_mm"][1] == pytest.approx(2000 * ball.radius, rel=0.05)
    assert document["volume_ml"] == pytest.approx(1e6 * result.mesh.volume)
    assert document["watertight"] is True
    assert document["scale_source"] == "DEPTH" and document["unit"] == "m"
    assert np.array_equal(document["T_world_object"], result.T_world_object)
    assert sum(document["provenance_share"].values()) == pytest.approx(1)
    assert document["input"] == {"image": "ball.png"}
    assert document["versions"]["numpy"] == np.__version__


def test_unknown_scale_has_no_millimetres(result):
    """Leave metric figures out, and write an infinite sigma as null."""
    shape = dataclasses.replace(result, scale_source=ScaleSource.NONE, scale_sigma=np.inf)
    document = json.loads(json.dumps(describe_result(shape, inputs={}), allow_nan=False))
    assert document["extents_mm"] is None and document["volume_ml"] is None
    assert document["scale_sigma"] is None
    assert document["unit"] == "distance to the object"
    assert describe_size(shape) == "scale unknown (no depth)"


def test_size_is_width_depth_height(result):
    """Order the sides as people do: the object frame's y, x, z."""
    depth, width, height = 1000 * result.mesh.extents
    assert describe_size(result) == f"{width:.0f} x {depth:.0f} x {height:.0f} mm"


def test_maker_names_the_stage_once(result):
    """Write no stage that repeats the engine's name."""
    assert describe_maker(result) == "hull"
    assert describe_maker(dataclasses.replace(result, engine="compact")) == "compact, hull"


def test_version_of_what_is_not_installed():
    """Know that a package is not there."""
    assert installed_version("no-such-package-anywhere") is None
