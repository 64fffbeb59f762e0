# SPDX-License-Identifier: Apache-2.0
"""`recon reconstruct` by the compact engine, and down the ladder where its network is blind."""

import json

import pytest


def result_of(ball) -> dict:
    return json.loads((ball.folder / "out" / "result.json").read_text())


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_the_compact_engine_serves_with_the_shipped_weights(backend, ball, recon):
    run = recon(*ball.command(engine="compact", backend=backend))
    assert (run.code, run.errors, run.warnings) == (0, [], [])
    result = result_of(ball)
    assert (result["engine"], result["scale_source"]) == ("compact", "DEPTH")
    assert result["watertight"]
    assert 0.75 < max(result["extents_mm"]) / (2000 * ball.radius) < 1.35


def test_the_hull_serves_where_the_network_sees_nothing(ball, recon, blind_weights):
    command = ball.command(engine="compact", backend="torch", weights=blind_weights)
    run = recon(*command)
    assert (run.code, run.errors) == (0, [])
    (warning,) = run.warnings
    assert "'compact' gave no surface" in warning and "the hull is used instead" in warning
    result = result_of(ball)
    assert result["engine"] == "hull"
    assert any("the hull is used instead" in text for text in result["warnings"])
    assert {"mesh.ply", "mesh.glb", "preview.png"} <= {
        path.name for path in (ball.folder / "out").iterdir()
    }
