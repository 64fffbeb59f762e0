# SPDX-License-Identifier: Apache-2.0
"""Reconstruction: what it holds and what it refuses."""

import pickle

import numpy as np
import pytest

from recon_node.engines.errors import InvalidInputError
from recon_node.engines.mesh import Mesh
from recon_node.engines.reconstruction import Provenance, Reconstruction, ScaleSource, Stage


def parts():
    return {
        "object_id": "mug",
        "version": 1,
        "parent_version": None,
        "stage": Stage.INSTANT,
        "mesh": Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)),
        "T_world_object": np.eye(4),
        "scale_source": ScaleSource.DEPTH,
        "scale_sigma": 0.02,
        "engine": "compact",
        "view_count": 1,
    }


def test_metrics_become_read_only_floats():
    given = {"total_s": np.float32(0.5), "truncated": 1}
    result = Reconstruction(**parts(), metrics=given)
    assert result.metrics == {"total_s": 0.5, "truncated": 1.0}
    assert all(type(value) is float for value in result.metrics.values())
    with pytest.raises(TypeError, match="does not support item assignment"):
        result.metrics["total_s"] = 0.0


def test_a_result_does_not_follow_what_it_was_made_from():
    T, metrics, warnings = np.eye(4), {"total_s": 1.0}, ["cut off"]
    result = Reconstruction(**{**parts(), "T_world_object": T}, metrics=metrics, warnings=warnings)
    T[0, 3] = metrics["total_s"] = 9.0
    warnings.clear()
    assert result.T_world_object[0, 3] == 0
    assert result.metrics["total_s"] == 1 and result.warnings == ("cut off",)


def test_a_result_crosses_to_another_process():
    sent = Reconstruction(**parts(), metrics={"total_s": 0.5}, warnings=("cut off",))
    got = pickle.loads(pickle.dumps(sent))
    assert got.metrics == sent.metrics and got.warnings == sent.warnings
    assert got.stage is sent.stage and got.object_id == sent.object_id
    np.testing.assert_array_equal(got.mesh.vertices, sent.mesh.vertices)
    with pytest.raises(TypeError, match="does not support item assignment"):
        got.metrics["total_s"] = 0.0


def test_an_unknown_scale_has_an_infinite_sigma():
    unknown = {"scale_source": ScaleSource.NONE, "scale_sigma": np.inf}
    assert Reconstruction(**{**parts(), **unknown}).scale_sigma == np.inf


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stage", "instant", "stage must be a Stage, got str"),
        ("scale_source", None, "scale_source must be a ScaleSource, got NoneType"),
        ("mesh", None, "mesh must be a Mesh, got NoneType"),
        ("object_id", "", "object_id is empty"),
        ("version", 0, "count from 1, got 0 and 1"),
        ("view_count", 0, "count from 1, got 1 and 0"),
        ("parent_version", 1, "must lie before version 1"),
        ("scale_sigma", -0.1, "scale_sigma must be >= 0"),
        ("scale_sigma", np.nan, "scale_sigma must be >= 0"),
        ("T_world_object", 2 * np.eye(4), "T_world_object has the last row"),
    ],
)
def test_what_is_no_reconstruction_is_refused(name, value, message):
    with pytest.raises(InvalidInputError, match=message):
        Reconstruction(**{**parts(), name: value})


def test_provenance_has_the_values_meshes_store():
    assert [int(p) for p in Provenance] == [0, 1, 2]
